//! Prints a read-out as a proto message.

use std::collections::BTreeMap;

use history::timestamp;
use proffer_proto::experiment::v1 as proto;

use crate::domain::{
    analysis::{
        Anytime, Breakdown, Cuped, Day, Effect, Estimate, Findings, Group, GroupFigures,
        GuardrailResult, Interval, LeftOut, Method, More, Net, Pair, ReadOut, RelativeLift, Sample,
        SampleRatio, Secondary, SplitRatio, Verdict, Winsorized,
    },
    measure::{Harm, Metric, Scale},
};

const EXPLORATORY: &str =
    "exploratory: with enough groups one is far out by chance; no verdict rests on it";

const NET: &str = "the total by assignment, less the cost of contacts, and by their number; its \
                   interval moves alike";

/// The read-out, with the breakdown that was asked for.
pub fn results(read_out: ReadOut, more: &More, breakdown: &str) -> proto::Results {
    let ReadOut { metric, assigned, matched, judgment, .. } = read_out;
    let (groups, because) = groups(&matched, more, breakdown)
        .map_or_else(|because| (None, because), |groups| (groups, None));
    let matched = figures(&metric, matched);
    let mut assigned = figures(&metric, assigned);
    assigned.absent.extend(because.map(|because| ("breakdown".to_owned(), because)));
    let recomputed = more.recomputed.as_ref();
    proto::Results {
        metric: metric.name.clone(),
        arms: assigned.arms,
        difference: assigned.difference,
        ci95: assigned.ci95,
        statistic: assigned.statistic,
        p: assigned.p,
        estimates: assigned.estimates,
        relative_lift: assigned.relative_lift,
        incremental_total: assigned.incremental_total,
        srm: assigned.srm,
        verdict: verdict(judgment.verdict).into(),
        withheld: judgment.withheld,
        methods: assigned.methods,
        counted_through: None,
        ghost_matched: Some(matched),
        interval_methods: assigned.interval_methods,
        splits: assigned.splits,
        anytime: assigned.anytime,
        cuped: assigned.cuped,
        winsorized: assigned.winsorized,
        left_out: assigned.left_out,
        absent: assigned.absent,
        early: judgment.is_early,
        preliminary: judgment.is_preliminary,
        early_verdict: judgment.early.map(|early| proto::EarlyVerdict {
            verdict: verdict(early.verdict).into(),
            day: early.day.to_string(),
        }),
        secondary: read_out.secondary.iter().map(secondary).collect(),
        guardrails: read_out.guardrails.iter().map(guardrail).collect(),
        breakdown: groups.map(self::breakdown),
        net: read_out.net.map(net),
        history: more.past.days.iter().map(day).collect(),
        computed_at: recomputed.map(|recomputed| timestamp(recomputed.at)),
        picture: String::new(),
        leaks: more.contacts.map(|contacts| count(contacts.leaks)),
    }
}

/// The groups that are asked for; a fault says why they are not shown. They are of the matched, so
/// what withholds the figures of those withholds theirs.
fn groups<'a>(
    matched: &Findings,
    more: &'a More,
    by: &str,
) -> Result<Option<&'a Breakdown>, Option<String>> {
    if by.is_empty() {
        return Ok(None);
    }
    if matched.is_withheld {
        let because = "withheld: it is of the matched, whose arms do not have the configured sizes";
        return Err(Some(because.to_owned()));
    }
    let known = more.recomputed.iter().flat_map(|recomputed| &recomputed.breakdowns);
    let found = known.into_iter().find(|known| known.by == by);
    found.map(Some).ok_or_else(|| Some(format!("no breakdown by `{by}` has been computed yet")))
}

/// The figures of one population. Those of the assigned are the same fields of the results.
fn figures(metric: &Metric, findings: Findings) -> proto::GhostMatched {
    let effect = findings.effect.as_ref();
    let test = effect.and_then(|effect| effect.test);
    proto::GhostMatched {
        arms: match findings.is_withheld {
            true => arms(metric, &findings.arms).into_iter().map(number_alone).collect(),
            false => arms(metric, &findings.arms),
        },
        difference: effect.map(|effect| effect.difference),
        ci95: bounds(effect.and_then(|effect| effect.interval)),
        statistic: test.map(|test| test.statistic),
        p: test.map(|test| test.p),
        estimates: effect.map(estimates).unwrap_or_default(),
        relative_lift: Some(relative_lift(effect)),
        incremental_total: Some(total(&findings)),
        srm: Some(sample_ratio(&findings.srm)),
        methods: texts(findings.methods),
        interval_methods: effect.map(interval_methods).unwrap_or_default(),
        splits: splits(&findings.splits, effect),
        anytime: findings.anytime.map(anytime),
        cuped: findings.cuped.as_ref().map(cuped),
        winsorized: findings.winsorized.as_ref().map(|found| winsorized(metric, found)),
        left_out: Some(left_out(findings.left_out)),
        absent: texts(findings.absent),
    }
}

fn texts(texts: Vec<(&'static str, String)>) -> BTreeMap<String, String> {
    texts.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

fn verdict(verdict: Verdict) -> proto::ResultVerdict {
    match verdict {
        Verdict::Gain => proto::ResultVerdict::Gain,
        Verdict::Loss => proto::ResultVerdict::Loss,
        Verdict::Inconclusive => proto::ResultVerdict::Inconclusive,
        Verdict::Withheld => proto::ResultVerdict::Withheld,
    }
}

fn estimates(effect: &Effect) -> Vec<proto::Estimate> {
    let estimate = |(method, estimate): &(&Method, Estimate)| proto::Estimate {
        method: method.name.to_owned(),
        description: method.description.to_owned(),
        difference: Some(estimate.difference),
        ci95: bounds(estimate.interval),
        statistic: estimate.test.map(|test| test.statistic),
        p: estimate.test.map(|test| test.p),
    };
    effect.estimates.iter().map(estimate).collect()
}

fn interval_methods(effect: &Effect) -> Vec<String> {
    effect.interval_methods.iter().map(|name| (*name).to_owned()).collect()
}

/// Name of the method that gave the p-value; empty without one.
fn test(effect: Option<&Effect>) -> String {
    let tested = effect.filter(|effect| effect.test.is_some());
    tested.map(|effect| effect.test_method.to_owned()).unwrap_or_default()
}

fn relative_lift(effect: Option<&Effect>) -> proto::RelativeLift {
    lift(effect.map(|effect| effect.relative_lift).unwrap_or_default())
}

fn lift(lift: RelativeLift) -> proto::RelativeLift {
    proto::RelativeLift { value: lift.value, ci95: bounds(lift.interval), g: lift.g }
}

/// Without a comparison nobody is in it, and all treated are beside it.
fn total(findings: &Findings) -> proto::IncrementalTotal {
    proto::IncrementalTotal {
        value: findings.total.map(|total| total.value),
        ci95: bounds(findings.total.and_then(|total| total.interval)),
        treated: count(findings.compared.treatment.n),
        uncompared_treated: count(findings.uncompared_treated()),
    }
}

fn sample_ratio(srm: &SampleRatio) -> proto::SampleRatio {
    let (chi_square, tested) = srm.chi_square();
    let split = |split: &SplitRatio| proto::SplitRatio {
        epoch: split.epoch,
        treated: count(split.treated),
        held_out: count(split.held_out),
        expected_held_out: split.expected_held_out,
        method: if split.chi_square.is_some() { "chi_square" } else { "binomial" }.to_owned(),
        chi_square: split.chi_square,
        p: split.p,
    };
    proto::SampleRatio {
        chi_square,
        degrees_of_freedom: i32::try_from(tested).unwrap_or(i32::MAX),
        p: srm.p(),
        alarm: srm.is_alarm(),
        misplaced: count(srm.misplaced),
        splits: srm.splits.iter().map(split).collect(),
    }
}

/// Every split that has customers, those without a comparison too.
fn splits(splits: &[(i32, Pair)], effect: Option<&Effect>) -> Vec<proto::SplitResult> {
    let effects = effect.map(|effect| &effect.splits[..]).unwrap_or_default();
    let result = |(epoch, arms): &(i32, Pair)| {
        let found = effects.iter().find(|effect| effect.epoch == *epoch);
        let interval = found.and_then(|found| found.interval);
        proto::SplitResult {
            epoch: *epoch,
            treated: count(found.map_or(arms.treatment.n, |found| found.treated)),
            held_out: count(found.map_or(arms.holdout.n, |found| found.held_out)),
            difference: found.map(|found| found.difference),
            ci95: bounds(interval.map(|(_, interval)| interval)),
            interval_method: interval.map(|(method, _)| method.to_owned()).unwrap_or_default(),
            p: found.and_then(|found| Some(found.test?.p)),
        }
    };
    splits.iter().map(result).collect()
}

fn anytime(anytime: Anytime) -> proto::Anytime {
    proto::Anytime { ci95: bounds(Some(anytime.interval)), n_star: count(anytime.n_star) }
}

fn cuped(cuped: &Cuped) -> proto::Cuped {
    let effect = &cuped.effect;
    proto::Cuped {
        covariate: cuped.covariate.clone(),
        theta: cuped.theta,
        difference: Some(effect.difference),
        ci95: bounds(effect.interval),
        statistic: effect.test.map(|test| test.statistic),
        p: effect.test.map(|test| test.p),
        relative_lift: Some(lift(effect.relative_lift)),
        variance_reduction: cuped.variance_reduction,
        balance_p: cuped.balance.map(|test| test.p),
    }
}

fn winsorized(metric: &Metric, winsorized: &Winsorized) -> proto::Winsorized {
    let effect = &winsorized.effect;
    proto::Winsorized {
        cap: winsorized.cap,
        clamped: count(winsorized.clamped),
        arms: arms(metric, &winsorized.arms),
        difference: Some(effect.difference),
        ci95: bounds(effect.interval),
        statistic: effect.test.map(|test| test.statistic),
        p: effect.test.map(|test| test.p),
        relative_lift: Some(lift(effect.relative_lift)),
    }
}

fn left_out(left_out: LeftOut) -> proto::LeftOut {
    proto::LeftOut {
        open: count(left_out.open),
        cut: count(left_out.cut),
        emptied: count(left_out.emptied),
    }
}

fn secondary(result: &Secondary) -> proto::SecondaryResult {
    let effect = result.effect.as_ref();
    proto::SecondaryResult {
        metric: result.metric.name.clone(),
        difference: effect.map(|effect| effect.difference),
        ci95: bounds(effect.and_then(|effect| effect.interval)),
        p: effect.and_then(|effect| Some(effect.test?.p)),
        p_holm: result.p_holm,
        interval_methods: effect.map(interval_methods).unwrap_or_default(),
        test: test(effect),
    }
}

fn guardrail(result: &GuardrailResult) -> proto::GuardrailResult {
    let effect = result.effect.as_ref();
    let harm = match result.harm {
        Harm::Up => "up",
        Harm::Down => "down",
    };
    proto::GuardrailResult {
        metric: result.metric.name.clone(),
        harm: harm.to_owned(),
        harmed: result.is_harmed(),
        difference: effect.map(|effect| effect.difference),
        ci95: bounds(effect.and_then(|effect| effect.interval)),
        p: result.p,
        interval_methods: effect.map(interval_methods).unwrap_or_default(),
        test: test(effect.filter(|_| result.p.is_some())),
    }
}

fn breakdown(breakdown: &Breakdown) -> proto::Breakdown {
    let group = |figures: GroupFigures| {
        let (value, others) = match figures.group {
            Group::Value(value) => (value, 0),
            Group::Others(count) => (String::new(), i32::try_from(count).unwrap_or(i32::MAX)),
        };
        let effect = figures.effect.as_ref();
        proto::GroupResult {
            value,
            others,
            arms: arms(breakdown.metric(), &figures.arms),
            difference: effect.map(|effect| effect.difference),
            ci95: bounds(effect.and_then(|effect| effect.interval)),
            p: effect.and_then(|effect| Some(effect.test?.p)),
            p_holm: figures.p_holm,
            interval_methods: effect.map(interval_methods).unwrap_or_default(),
            test: test(effect),
        }
    };
    proto::Breakdown {
        by: breakdown.by.clone(),
        note: EXPLORATORY.to_owned(),
        groups: breakdown.groups().into_iter().map(group).collect(),
    }
}

fn net(net: Net) -> proto::NetResult {
    proto::NetResult {
        delivered: count(net.contacts.delivered),
        cost: net.contacts.cost(),
        value: net.total.map(|(value, _)| value),
        ci95: bounds(net.total.and_then(|(_, interval)| interval)),
        per_contact: net.per_contact.map(|(value, _)| value),
        per_contact_ci95: bounds(net.per_contact.and_then(|(_, interval)| interval)),
        method: NET.to_owned(),
    }
}

fn day(day: &Day) -> proto::DailyResult {
    proto::DailyResult {
        day: day.day.to_string(),
        difference: day.difference,
        ci95: bounds(day.interval),
        anytime_ci95: bounds(day.anytime),
        verdict: verdict(day.said.unwrap_or(Verdict::Withheld)).into(),
    }
}

fn arms(metric: &Metric, pair: &Pair) -> Vec<proto::ArmResult> {
    let result = |arm: proto::Arm, sample: &Sample| {
        let (mean, variance) = sample.moments(metric);
        proto::ArmResult {
            arm: arm.into(),
            n: count(sample.n),
            mean,
            variance,
            events: Some(count(sample.events)),
            total: sample.total(metric.units),
            buyers: Some(count(sample.buyers)),
            denominator: match metric.scale {
                Scale::Ratio => sample.paired.sum.map(|sum| sum as f64),
                Scale::Rate | Scale::Amount => None,
            },
        }
    };
    vec![result(proto::Arm::Treatment, &pair.treatment), result(proto::Arm::Holdout, &pair.holdout)]
}

/// Its customers, without anything that a difference could be computed from.
fn number_alone(arm: proto::ArmResult) -> proto::ArmResult {
    proto::ArmResult { arm: arm.arm, n: arm.n, ..Default::default() }
}

fn bounds(interval: Option<Interval>) -> Vec<f64> {
    interval.map(Vec::from).unwrap_or_default()
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
