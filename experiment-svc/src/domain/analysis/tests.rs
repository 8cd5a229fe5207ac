//! The analysis on small samples: estimates, intervals, splits, and when a verdict is withheld.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::domain::{
    experiment::{ExperimentDraft, SplitEpoch},
    measure::Scale,
};

const CONVERSION: &str = "conversion_rate";
const REVENUE: &str = "revenue_per_customer";

mod beside;
mod compared;
mod figures;
mod hostile;
mod simulation;
mod timing;

const CENTS: f64 = 100.0;

fn conversions() -> Metric {
    Metric::parse(CONVERSION).unwrap()
}

/// Revenue whose figures are in cents.
fn revenue_in_cents() -> Metric {
    Metric { units: CENTS, ..Metric::parse(REVENUE).unwrap() }
}

/// A customer's figure in cents, cut to whole ones.
fn cents(value: f64) -> Figure {
    Figure { value: value as i128, is_buyer: value > 0.0, paired: 0 }
}

fn close(what: &str, actual: f64, expected: f64) {
    let near = (actual - expected).abs() <= 1e-6 * expected.abs().max(1e-12);
    assert!(near, "{what}: {actual:e} is not {expected:e}");
}

fn rates(treated: (u64, u64), held_out: (u64, u64)) -> Pair {
    let sample = |(events, n): (u64, u64)| Sample {
        n,
        events,
        sum: Some(i128::from(events)),
        squares: Some(u128::from(events)),
        ..Sample::default()
    };
    Pair { treatment: sample(treated), holdout: sample(held_out) }
}

fn strata(pairs: impl IntoIterator<Item = Pair>) -> strata::Strata {
    strata::Strata((1..).zip(pairs).collect())
}

fn epochs(splits: &[u32]) -> Vec<SplitEpoch> {
    let epoch = |(epoch, split): (i32, &u32)| SplitEpoch {
        epoch,
        holdout_basis_points: *split,
        since: at(0),
    };
    (1..).zip(splits).map(epoch).collect()
}

fn sizes(treated: u64, held_out: u64) -> Pair {
    rates((0, treated), (0, held_out))
}

/// scipy 1.17.1: `chisquare` of the counts against the configured shares.
#[test]
fn sample_ratios_agree_with_scipy() {
    let check = |pairs: &[Pair], splits: &[u32], chi_square: f64, tested: usize, p: f64| {
        let ratio = srm::sample_ratio(&epochs(splits), &strata(pairs.iter().copied()));
        let (sum, count) = ratio.chi_square();
        close("chi-square", sum, chi_square);
        close("p", ratio.p(), p);
        assert_eq!((count, ratio.misplaced), (tested, 0));
    };
    check(&[sizes(42_694, 21_306)], &[3_333], 0.044_653_482_897_410_564, 1, 0.832_642_487_534_813);
    check(&[sizes(8_500, 1_500)], &[1_500], 0.0, 1, 1.0);
    check(&[sizes(8_400, 1_600)], &[1_500], 7.843_137_254_901_961, 1, 0.005_101_399_646_004_978);
    // Two splits: the smaller p, twice.
    let both = [sizes(8_400, 1_600), sizes(860, 140)];
    check(&both, &[1_500, 1_500], 8.627_450_980_392_157, 2, 2.0 * 0.005_101_399_646_004_978);
}

/// scipy 1.17.1: `binomtest(8, 40, 0.15)`. Six customers are expected in the holdout.
#[test]
fn a_split_that_expects_few_customers_is_tested_exactly() {
    let ratio = srm::sample_ratio(&epochs(&[1_500]), &strata([sizes(32, 8)]));
    assert_eq!(ratio.splits[0].chi_square, None);
    close("p", ratio.p(), 0.374_235_498_676_231_7);
    // 66.67 customers and more expect 10 in the holdout.
    let method = |n: u64| {
        let ratio = srm::sample_ratio(&epochs(&[1_500]), &strata([sizes(n, 0)]));
        ratio.splits[0].chi_square.is_some()
    };
    assert_eq!((method(66), method(67)), (false, true));
}

/// With few expected a chi-square would alarm on one customer too many: p 0.0009 for 2 of 5 where
/// 1 % are held out has 0.001 by the exact test.
#[test]
fn the_exact_test_does_not_alarm_where_the_chi_square_would() {
    let ratio = srm::sample_ratio(&epochs(&[100]), &strata([sizes(3, 2)]));
    assert!(ratio.p() > 9e-4 && ratio.p() < 1.1e-3, "{}", ratio.p());
    let chi_square = 1.95 * 1.95 * (1.0 / 0.05 + 1.0 / 4.95);
    assert!(tail::chi_square_p(chi_square, 1) < 1e-17);
}

/// A dead arm is the strongest mismatch, not a reason to leave it out; and nobody can be where the
/// split sends nobody.
#[test]
fn an_empty_arm_and_a_customer_in_a_closed_one_are_alarms() {
    let ratio = |pair: Pair, splits: &[u32]| srm::sample_ratio(&epochs(splits), &strata([pair]));
    assert!(ratio(sizes(1_000, 0), &[1_500]).is_alarm());
    assert!(ratio(sizes(0, 1_000), &[1_500]).is_alarm());
    let closed = ratio(sizes(1_000, 1), &[0]);
    assert_eq!((closed.misplaced, closed.p(), closed.is_alarm()), (1, 0.0, true));
    assert_eq!(ratio(sizes(7, 1_000), &[10_000]).misplaced, 7);
    assert_eq!(ratio(sizes(7, 3), &[]).misplaced, 10, "a split the experiment never had");
    let untested = ratio(sizes(1_000, 0), &[0]);
    assert_eq!((untested.splits.len(), untested.p(), untested.is_alarm()), (0, 1.0, false));
}

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::days(day)
}

/// Runs from day 0 to day 90, 15 % held out.
fn experiment() -> Experiment {
    let draft = ExperimentDraft {
        flow: "winback".to_owned(),
        holdout_percentage: Some(15.0),
        starts_at: Some(at(0)),
        ..Default::default()
    };
    Experiment::create(draft, "salt", at(0)).unwrap()
}

/// `repeated` customers for each figure, in units of currency.
fn counts(metric: &str, treated: &[(u64, i128)], held_out: &[(u64, i128)]) -> Counts {
    let metric = Metric::parse(metric).unwrap();
    let units = metric.units as i128;
    let mut counts = Counts::new(metric);
    for (arm, figures) in [(Arm::Treatment, treated), (Arm::Holdout, held_out)] {
        for (repeated, figure) in figures {
            let customer = customer(arm, figure * units, None);
            (0..*repeated).for_each(|_| counts.add(&customer));
        }
    }
    counts
}

fn customer(arm: Arm, assigned: i128, exposed: Option<i128>) -> Customer {
    let activity = |sum| Activity { sums: vec![sum], is_buyer: sum > 0 };
    let (since_assignment, since_exposure) = (activity(assigned), exposed.map(activity));
    Customer { arm, epoch: 1, covariate: 0, since_assignment, since_exposure }
}

/// A read-out on that day, with every outcome counted.
fn read_at(experiment: &Experiment, counts: &Counts, day: i64) -> ReadOut {
    let more = More { counted_through: Some(at(day)), ..More::default() };
    read_out(&design(experiment, counts), counts, &more, at(day))
}

/// The design of an experiment whose primary metric is the one that is counted.
fn design(experiment: &Experiment, counts: &Counts) -> Design {
    Design { primary_metric: counts.metric.clone(), ..Design::of(experiment) }
}

fn absent<'a>(findings: &'a Findings, figure: &str) -> Option<&'a str> {
    let found = findings.absent.iter().find(|(name, _)| *name == figure);
    found.map(|(_, because)| because.as_str())
}

#[test]
fn the_total_is_the_difference_times_the_treated() {
    let counts = counts(REVENUE, &[(2, 10), (2, 30)], &[(3, 5), (3, 7)]);
    let findings = read_at(&experiment(), &counts, 100).assigned;
    let (total, effect) = (findings.total.unwrap(), findings.effect.as_ref().unwrap());
    assert_eq!((effect.difference, total.value), (14.0, 56.0));
    let [low, high] = effect.interval.unwrap();
    assert_eq!(total.interval, Some([low * 4.0, high * 4.0]));
    assert_eq!((total.treated, findings.arms.treatment.n), (4, 4));
}

/// 20,000 treated and 6,000; only those of the second split have anybody to be compared with.
#[test]
fn the_treated_of_a_split_without_a_holdout_are_counted_beside_the_total() {
    let splits = strata([rates((2_000, 20_000), (0, 0)), rates((600, 6_000), (45, 1_000))]);
    let effect = Effect::of(&conversions(), &splits).unwrap();
    let total = IncrementalTotal::of(&conversions(), &splits, &effect).unwrap();
    assert_eq!(total.treated, 6_000);
    assert_eq!(total.value, 330.0);
    assert_eq!(effect.splits.iter().map(|split| split.epoch).collect::<Vec<_>>(), [2]);
}

/// 0 to 50 %, then 15 to 80 %: no effect in the first split, 3 points in the second. The total is
/// what the treated of the second gained, not the difference times all treated.
#[test]
fn a_total_over_splits_adds_what_the_treated_of_each_gained() {
    let first = rates((500, 5_000), (500, 5_000));
    let second = rates((130, 1_000), (400, 4_000));
    let both = strata([first, second]);
    let effect = Effect::of(&conversions(), &both).unwrap();
    let total = IncrementalTotal::of(&conversions(), &both, &effect).unwrap();
    assert_eq!((total.value, total.treated), (30.0, 6_000));
    close("difference", effect.difference, 0.03 / 6.0);
    let [low, high] = total.interval.unwrap();
    assert!(low < 30.0 && 30.0 < high);
    // T − √Σ treated²(d − l)², T + √Σ treated²(u − d)².
    let each = [(first, 5_000.0), (second, 1_000.0)].map(|(pair, treated)| {
        let alone = Effect::of(&conversions(), &strata([pair])).unwrap();
        let [low, high] = alone.interval.unwrap();
        [treated * (alone.difference - low), treated * (high - alone.difference)]
    });
    close("low", low, 30.0 - each[0][0].hypot(each[1][0]));
    close("high", high, 30.0 + each[0][1].hypot(each[1][1]));
}

/// Means of 10^9 that differ by a ten-thousandth: the difference keeps it.
#[test]
fn differences_of_large_sums_are_exact() {
    let large = 10_000_000_000_000_i128;
    let mut pair = Pair::default();
    for (sample, extra) in [(&mut pair.treatment, 1), (&mut pair.holdout, 0)] {
        for n in 0..3 {
            sample.add(Figure { value: large + extra + n, is_buyer: true, paired: 0 });
        }
    }
    let metric = Metric::parse(REVENUE).unwrap();
    let effect = Effect::of(&metric, &strata([pair])).unwrap();
    assert_eq!(effect.difference, 1.0 / 10_000.0);
    let total = IncrementalTotal::of(&metric, &strata([pair]), &effect).unwrap();
    assert_eq!(total.value, 3.0 / 10_000.0);
}

#[test]
fn only_the_exposed_are_in_the_ghost_matched_figures() {
    let mut counts = Counts::new(Metric::parse(REVENUE).unwrap());
    for (arm, assigned, exposed) in [
        (Arm::Treatment, 5, Some(4)),
        (Arm::Treatment, 7, Some(0)),
        (Arm::Treatment, 9, None),
        (Arm::Holdout, 3, Some(3)),
        (Arm::Holdout, 2, Some(1)),
        (Arm::Holdout, 8, None),
    ] {
        let exposed = exposed.map(|units: i128| units * 10_000);
        counts.add(&customer(arm, assigned * 10_000, exposed));
    }
    let read_out = read_at(&experiment(), &counts, 1);
    let totals = |pair: Pair| {
        (pair.treatment.n, pair.treatment.total(1e4), pair.holdout.n, pair.holdout.total(1e4))
    };
    assert_eq!(totals(read_out.assigned.arms), (3, Some(21.0), 3, Some(13.0)));
    assert_eq!(totals(read_out.matched.arms), (2, Some(4.0), 2, Some(4.0)));
    assert_eq!(read_out.matched.effect.map(|effect| effect.difference), Some(0.0));
}

/// Half of the treated were reached, and all of the held out: somebody was lost on the way.
#[test]
fn a_mismatch_over_the_matched_withholds_the_matched_figures_only() {
    let mut counts = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(75, 1), (1_425, 0)]);
    let sample = |pair: Pair| [(Arm::Treatment, pair.treatment), (Arm::Holdout, pair.holdout)];
    for (arm, sample) in sample(rates((400, 4_000), (75, 1_500))) {
        counts.add_sample(Population::Matched, 1, arm, &sample);
    }
    let read_out = read_at(&experiment(), &counts, 90);
    assert_eq!(read_out.judgment.verdict, Verdict::Gain);
    assert!(read_out.matched.srm.is_alarm() && !read_out.assigned.srm.is_alarm());
    assert!(read_out.matched.effect.is_none() && read_out.matched.total.is_none());
    assert_eq!(read_out.matched.arms.treatment.n, 4_000, "the counts are shown");
    let because = absent(&read_out.matched, "difference").unwrap();
    assert!(because.starts_with("withheld: the arms do not have"), "{because}");
}

/// Windows close one by one; whether the arms have their sizes is asked of everyone assigned.
#[test]
fn sample_ratios_are_tested_over_customers_with_open_windows_too() {
    let mut counts = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(75, 1), (1_125, 0)]);
    assert!(read_at(&experiment(), &counts, 90).assigned.srm.is_alarm());
    let all = [(1, Arm::Treatment, 8_800), (1, Arm::Holdout, 1_550)];
    counts.set_sizes(Population::Assigned, &all);
    let findings = read_at(&experiment(), &counts, 90).assigned;
    assert!(!findings.srm.is_alarm());
    assert_eq!(findings.srm.splits[0].held_out, 1_550);
    assert_eq!(findings.arms.holdout.n, 1_200, "figures are over the closed windows");
}

#[test]
fn outcomes_count_until_the_end_and_may_arrive_a_week_later() {
    let check = |experiment: &Experiment, end: i64| {
        assert_eq!(window(experiment), Window { end: at(end), received_max: at(end + 7) });
    };
    check(&experiment(), 90);
    check(&experiment().concluded(false, at(30)).unwrap(), 30);
    check(&experiment().concluded(false, at(95)).unwrap(), 90);
}
