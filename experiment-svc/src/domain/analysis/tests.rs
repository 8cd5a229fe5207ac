//! The analysis on small samples: estimates, intervals, splits, and when a verdict is withheld.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::domain::experiment::{ExperimentDraft, SplitEpoch};

const CONVERSION: &str = "conversion_rate";
const REVENUE: &str = "revenue_per_customer";

mod figures;
mod simulation;

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

/// scipy 1.17.1: `chisquare` of the counts against the configured shares, `chi2.sf` of the sum.
#[test]
fn sample_ratios_agree_with_scipy() {
    let check = |pairs: &[Pair], splits: &[u32], chi_square: f64, free: u32, p: f64| {
        let ratio = srm::sample_ratio(&epochs(splits), &strata(pairs.iter().copied()));
        close("chi-square", ratio.chi_square, chi_square);
        close("p", ratio.p, p);
        assert_eq!((ratio.degrees_of_freedom, ratio.misplaced), (free, 0));
    };
    check(&[sizes(42_694, 21_306)], &[3_333], 0.044_653_482_897_410_564, 1, 0.832_642_487_534_813);
    check(&[sizes(8_500, 1_500)], &[1_500], 0.0, 1, 1.0);
    check(&[sizes(8_400, 1_600)], &[1_500], 7.843_137_254_901_961, 1, 0.005_101_399_646_004_978);
    let both = [sizes(8_400, 1_600), sizes(860, 140)];
    check(&both, &[1_500, 1_500], 8.627_450_980_392_157, 2, 0.013_383_596_145_252_113);
}

/// A dead arm is the strongest mismatch, not a reason to leave it out; and nobody can be where the
/// split sends nobody.
#[test]
fn an_empty_arm_and_a_customer_in_a_closed_one_are_alarms() {
    let ratio = |pair: Pair, splits: &[u32]| srm::sample_ratio(&epochs(splits), &strata([pair]));
    assert!(ratio(sizes(1_000, 0), &[1_500]).is_alarm());
    assert!(ratio(sizes(0, 1_000), &[1_500]).is_alarm());
    let closed = ratio(sizes(1_000, 1), &[0]);
    assert_eq!((closed.misplaced, closed.p, closed.is_alarm()), (1, 0.0, true));
    assert_eq!(ratio(sizes(7, 1_000), &[10_000]).misplaced, 7);
    assert_eq!(ratio(sizes(7, 3), &[]).misplaced, 10, "a split the experiment never had");
    let untested = ratio(sizes(1_000, 0), &[0]);
    assert_eq!((untested.degrees_of_freedom, untested.p, untested.is_alarm()), (0, 1.0, false));
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

fn check_verdict(
    experiment: &Experiment,
    counts: &Counts,
    day: i64,
    expected: Verdict,
    withheld: &[&str],
) {
    let read_out = read_out(experiment, counts, at(day));
    assert_eq!(
        (read_out.verdict, read_out.withheld),
        (expected, withheld.iter().map(|why| why.to_string()).collect())
    );
}

#[test]
fn a_verdict_comes_at_the_planned_end() {
    let more = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(75, 1), (1_425, 0)]);
    check_verdict(&experiment(), &more, 90, Verdict::Gain, &[]);
    let early = "the planned end at 2026-12-20T14:13:20Z has not come: a look before it finds an \
                 effect too often where there is none";
    check_verdict(&experiment(), &more, 89, Verdict::Withheld, &[early]);
    let less = counts(CONVERSION, &[(425, 1), (8_075, 0)], &[(150, 1), (1_350, 0)]);
    check_verdict(&experiment(), &less, 90, Verdict::Loss, &[]);
    let same = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(150, 1), (1_350, 0)]);
    check_verdict(&experiment(), &same, 90, Verdict::Inconclusive, &[]);
}

#[test]
fn an_early_conclusion_withholds_the_verdict_and_a_late_one_does_not() {
    let more = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(75, 1), (1_425, 0)]);
    let early = "it was concluded at 2026-10-31T14:13:20Z, before its planned end at \
                 2026-12-20T14:13:20Z: the figures of an early stop mislead";
    check_verdict(
        &experiment().concluded(true, at(40)).unwrap(),
        &more,
        100,
        Verdict::Withheld,
        &[early],
    );
    check_verdict(&experiment().concluded(true, at(91)).unwrap(), &more, 100, Verdict::Gain, &[]);
}

#[test]
fn a_sample_ratio_mismatch_withholds_the_verdict() {
    let more = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(75, 1), (1_125, 0)]);
    let why = "the arms do not have the configured sizes (sample ratio mismatch, p 4.1e-13): \
               8500 treated and 1200 held out";
    check_verdict(&experiment(), &more, 90, Verdict::Withheld, &[why]);
}

#[test]
fn few_buyers_withhold_a_verdict_on_revenue() {
    let check = |held_out_buyers: u64, verdict: Verdict, withheld: &[&str]| {
        let held_out = [(held_out_buyers, 10), (1_500 - held_out_buyers, 0)];
        let counts = counts(REVENUE, &[(1_700, 20), (6_800, 0)], &held_out);
        check_verdict(&experiment(), &counts, 90, verdict, withheld);
    };
    check(100, Verdict::Gain, &[]);
    check(
        99,
        Verdict::Withheld,
        &["too few buyers: 99 in the holdout; at least 100 in each arm are needed"],
    );
}

#[test]
fn few_events_withhold_a_verdict_on_a_rate() {
    let check = |converted: u64, verdict: Verdict, withheld: &[&str]| {
        let held_out = [(converted, 1), (1_500 - converted, 0)];
        let counts = counts(CONVERSION, &[(850, 1), (7_650, 0)], &held_out);
        check_verdict(&experiment(), &counts, 90, verdict, withheld);
    };
    check(10, Verdict::Gain, &[]);
    let few =
        "too few customers with a conversion: 9 in the holdout; at least 10 in each arm are needed";
    check(9, Verdict::Withheld, &[few]);
}

/// Nobody yet, one customer, nobody who did anything: figures are absent, and never a NaN.
#[test]
fn little_data_is_said_to_be_little() {
    for held_out in [&[][..], &[(1, 0)], &[(20, 0)]] {
        for metric in [CONVERSION, REVENUE] {
            let read_out = read_out(&experiment(), &counts(metric, &[(85, 0)], held_out), at(100));
            assert_eq!(read_out.verdict, Verdict::Withheld);
            assert!(
                read_out.withheld.iter().any(|why| why.starts_with("not enough data")),
                "{:?}",
                read_out.withheld
            );
            let effect = read_out.effect.as_ref();
            assert_eq!(effect.and_then(|effect| effect.test), None);
            assert_eq!(read_out.incremental_total.and_then(|(_, interval)| interval), None);
            let lift = effect.map(|effect| effect.relative_lift).unwrap_or_default();
            assert_eq!(lift, RelativeLift::default());
            assert!(read_out.srm.p.is_finite());
        }
    }
}

#[test]
fn the_total_is_the_difference_times_the_treated() {
    let counts = counts(REVENUE, &[(2, 10), (2, 30)], &[(3, 5), (3, 7)]);
    let read_out = read_out(&experiment(), &counts, at(100));
    let (total, interval) = read_out.incremental_total.unwrap();
    let effect = read_out.effect.unwrap();
    assert_eq!((effect.difference, total), (14.0, 56.0));
    let [low, high] = effect.interval.unwrap();
    assert_eq!(interval, Some([low * 4.0, high * 4.0]));
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
    let read_out = read_out(&experiment(), &counts, at(1));
    let totals = |pair: Pair| {
        (pair.treatment.n, pair.treatment.total(1e4), pair.holdout.n, pair.holdout.total(1e4))
    };
    assert_eq!(totals(read_out.assigned), (3, Some(21.0), 3, Some(13.0)));
    assert_eq!(totals(read_out.matched), (2, Some(4.0), 2, Some(4.0)));
    assert_eq!(read_out.matched_effect.map(|effect| effect.difference), Some(0.0));
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
