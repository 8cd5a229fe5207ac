//! When there is a verdict, and why there is none.

use super::*;

fn check_verdict(
    experiment: &Experiment,
    counts: &Counts,
    day: i64,
    expected: Verdict,
    withheld: &[&str],
) {
    let judgment = read_at(experiment, counts, day).judgment;
    assert_eq!(
        (judgment.verdict, judgment.withheld),
        (expected, withheld.iter().map(|why| why.to_string()).collect())
    );
    assert!(!judgment.is_early);
}

/// 1.9 points more, short of what the anytime interval needs.
fn more() -> Counts {
    counts(CONVERSION, &[(600, 1), (7_900, 0)], &[(77, 1), (1_423, 0)])
}

/// Ten against five of a hundred.
fn much_more() -> Counts {
    counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(75, 1), (1_425, 0)])
}

#[test]
fn a_verdict_comes_at_the_planned_end() {
    check_verdict(&experiment(), &more(), 90, Verdict::Gain, &[]);
    let early = "the planned end at 2026-12-20T14:13:20Z has not come: a look before it finds an \
                 effect too often where there is none, and its interval that holds at every look \
                 (anytime) does not show an effect either";
    check_verdict(&experiment(), &more(), 89, Verdict::Withheld, &[early]);
    let less = counts(CONVERSION, &[(425, 1), (8_075, 0)], &[(150, 1), (1_350, 0)]);
    check_verdict(&experiment(), &less, 90, Verdict::Loss, &[]);
    let same = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(150, 1), (1_350, 0)]);
    check_verdict(&experiment(), &same, 90, Verdict::Inconclusive, &[]);
}

#[test]
fn an_early_conclusion_withholds_the_verdict_and_a_late_one_does_not() {
    let early = "it was concluded at 2026-10-31T14:13:20Z, before the planned end at \
                 2026-12-20T14:13:20Z: the figures of an early stop mislead, and its interval \
                 that holds at every look (anytime) does not show an effect either";
    let stopped = experiment().concluded(true, at(40)).unwrap();
    check_verdict(&stopped, &more(), 100, Verdict::Withheld, &[early]);
    check_verdict(&experiment().concluded(true, at(91)).unwrap(), &more(), 100, Verdict::Gain, &[]);
}

/// The snapshot that was taken of these customers on that day.
fn snapshot(experiment: &Experiment, counts: &Counts, day: i64) -> Day {
    let design = design(experiment, counts);
    let findings = Findings::of(&design, counts, Population::Assigned, None);
    Day::of(&design, &counts.metric, &findings, at(day))
}

fn read_with(experiment: &Experiment, days: &[Day], counts: &Counts, day: i64) -> Judgment {
    let past = Past { days: days.to_vec() };
    let more = More { past, counted_through: Some(at(day)), ..More::default() };
    read_out(&design(experiment, counts), counts, &more, at(day)).judgment
}

/// The judgment on a day on which a snapshot was taken.
fn judged(experiment: &Experiment, counts: &Counts, taken: i64, day: i64) -> (Verdict, bool) {
    let days = [snapshot(experiment, counts, taken)];
    let judgment = read_with(experiment, &days, counts, day);
    (judgment.verdict, judgment.is_early)
}

#[test]
fn before_the_end_the_anytime_interval_may_give_an_early_verdict() {
    assert_eq!(judged(&experiment(), &much_more(), 20, 20), (Verdict::Gain, true));
    let worse = counts(CONVERSION, &[(425, 1), (8_075, 0)], &[(200, 1), (1_300, 0)]);
    assert_eq!(judged(&experiment(), &worse, 20, 20), (Verdict::Loss, true));
    // An early stop too: the interval holds whenever somebody stops.
    let stopped = experiment().concluded(true, at(20)).unwrap();
    assert_eq!(judged(&stopped, &much_more(), 19, 30), (Verdict::Gain, true));
    // At the end the ordinary verdict, and the early one beside it.
    assert_eq!(judged(&experiment(), &much_more(), 20, 90), (Verdict::Gain, false));
}

#[test]
fn a_snapshot_after_the_end_or_the_conclusion_says_no_early_verdict() {
    for (experiment, day) in
        [(experiment(), 92), (experiment().concluded(true, at(20)).unwrap(), 22)]
    {
        let after = snapshot(&experiment, &much_more(), day);
        assert!(after.anytime.is_some_and(|[low, _]| low > 0.0));
        assert_eq!(after.said, None, "day {day}");
        // One that a version before took is not heard either.
        let said = Day { said: Some(Verdict::Gain), ..after };
        let judgment = read_with(&experiment, &[said], &more(), day + 1);
        assert_eq!((judgment.early, judgment.is_early), (None, false));
    }
    let stopped = experiment().concluded(true, at(20)).unwrap();
    assert_eq!(judged(&stopped, &much_more(), 22, 23), (Verdict::Withheld, false));
}

#[test]
fn nothing_is_said_early_between_two_snapshots_or_before_the_first() {
    let judgment = read_with(&experiment(), &[], &much_more(), 20);
    assert_eq!((judgment.verdict, judgment.early), (Verdict::Withheld, None));
    let why = "excludes no effect, which counts once a daily snapshot says so";
    assert!(judgment.withheld[0].ends_with(why), "{:?}", judgment.withheld);
}

#[test]
fn a_later_sample_ratio_mismatch_withholds_an_early_verdict() {
    let days = [snapshot(&experiment(), &much_more(), 20)];
    let lost = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(75, 1), (1_125, 0)]);
    let judgment = read_with(&experiment(), &days, &lost, 30);
    assert_eq!((judgment.verdict, judgment.is_early), (Verdict::Withheld, false));
    let withheld = &judgment.withheld;
    assert!(
        withheld[0].ends_with("the early verdict of 2026-10-11 does not stand"),
        "{withheld:?}"
    );
    assert!(withheld.iter().any(|why| why.contains("sample ratio mismatch")), "{withheld:?}");
    assert_eq!(judgment.early.map(|early| early.verdict), Some(Verdict::Gain), "shown beside");
}

/// 40 buyers are enough for the interval and too few for a verdict: it shows an effect.
#[test]
fn what_is_said_of_the_anytime_interval_is_true() {
    let check = |treated: u64, held_out: u64, expected: &str| {
        let held_out = [(held_out, 10), (1_500 - held_out, 0)];
        let counts = counts(REVENUE, &[(treated, 20), (8_500 - treated, 0)], &held_out);
        let read_out = read_at(&experiment(), &counts, 20);
        let why = read_out.judgment.withheld[0].clone();
        assert!(why.ends_with(expected), "{why}");
        read_out.assigned.anytime.map(|anytime| anytime.interval)
    };
    let more_than_that = "excludes no effect, but an early verdict needs more than that";
    assert!(check(2_000, 40, more_than_that).is_some_and(|[low, _]| low > 0.0));
    assert!(check(120, 40, "does not show an effect either").is_some());
    let none = "there is no interval that holds at every look (anytime) yet";
    assert_eq!(check(2_000, 9, none), None);
}

#[test]
fn an_early_verdict_needs_the_primary_metric_enough_events_and_the_right_sizes() {
    let withheld = |design: &Design, counts: &Counts| {
        let judgment = read_out(design, counts, &More::default(), at(20)).judgment;
        assert_eq!((judgment.verdict, judgment.is_early), (Verdict::Withheld, false));
        judgment.withheld
    };
    let other = Design::of(&experiment());
    let revenue = Design { primary_metric: Metric::parse(REVENUE).unwrap(), ..other.clone() };
    let why = withheld(&revenue, &much_more());
    assert!(why[0].ends_with("only the primary metric has an early verdict"), "{why:?}");
    let few = counts(CONVERSION, &[(2_000, 1), (6_500, 0)], &[(9, 1), (1_491, 0)]);
    assert!(withheld(&other, &few).iter().any(|why| why.starts_with("too few customers")));
    let lost = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(75, 1), (1_125, 0)]);
    assert!(withheld(&other, &lost).iter().any(|why| why.contains("sample ratio mismatch")));
}

#[test]
fn an_early_verdict_stands_once_a_daily_snapshot_has_said_it() {
    let (later, design) = (more(), design(&experiment(), &more()));
    let snapshot = |counts: &Counts, day: i64| {
        let findings = Findings::of(&design, counts, Population::Assigned, None);
        Day::of(&design, &counts.metric, &findings, at(day))
    };
    let days = vec![snapshot(&later, 10), snapshot(&much_more(), 11), snapshot(&later, 12)];
    assert_eq!(
        days.iter().map(|day| day.said).collect::<Vec<_>>(),
        [None, Some(Verdict::Gain), None]
    );
    let read = |days: &[Day], counts: &Counts, day: i64| {
        let past = Past { days: days.to_vec() };
        let more = More { past, counted_through: Some(at(day)), ..More::default() };
        read_out(&design, counts, &more, at(day)).judgment
    };
    let standing = read(&days, &later, 13);
    assert_eq!((standing.verdict, standing.is_early), (Verdict::Gain, true));
    let early = standing.early.unwrap();
    assert_eq!(early.day, at(11).date_naive());
    // What happens between two snapshots is not judged.
    assert_eq!(read(&days[..1], &much_more(), 10).verdict, Verdict::Withheld);
    // The end's verdict replaces it, and the early one is shown beside.
    let same = counts(CONVERSION, &[(850, 1), (7_650, 0)], &[(150, 1), (1_350, 0)]);
    let last = read(&days, &same, 90);
    assert_eq!(
        (last.verdict, last.is_early, last.early),
        (Verdict::Inconclusive, false, Some(early))
    );
}

#[test]
fn a_verdict_waits_until_outcomes_are_counted_up_to_the_end() {
    let counts = more();
    let design = design(&experiment(), &counts);
    let read = |counted_through| {
        let more = More { counted_through, ..More::default() };
        read_out(&design, &counts, &more, at(95)).judgment
    };
    let wait = |judgment: Judgment, why: &str| {
        assert_eq!(judgment.verdict, Verdict::Withheld);
        assert_eq!(judgment.withheld, [why]);
    };
    wait(
        read(Some(at(89))),
        "outcomes are counted up to 2026-12-19T14:13:20Z; the verdict waits until they are up to \
         2026-12-20T14:13:20Z",
    );
    wait(
        read(None),
        "outcomes have not been counted yet; the verdict waits until they are up to \
         2026-12-20T14:13:20Z",
    );
    assert_eq!(read(Some(at(90))).verdict, Verdict::Gain);
}

#[test]
fn a_verdict_is_preliminary_for_the_week_in_which_outcomes_may_arrive() {
    let is_preliminary = |experiment: &Experiment, day: i64| {
        read_at(experiment, &more(), day).judgment.is_preliminary
    };
    let check = |experiment: &Experiment, days: [i64; 4]| {
        assert_eq!(days.map(|day| is_preliminary(experiment, day)), [false, true, true, false]);
    };
    check(&experiment(), [89, 90, 96, 97]);
    check(&experiment().concluded(false, at(30)).unwrap(), [29, 30, 36, 37]);
    check(&experiment().concluded(false, at(93)).unwrap(), [89, 90, 96, 97]);
}

/// Assignments stop at the planned end; the last window runs on.
#[test]
fn with_an_outcome_window_the_verdict_waits_for_the_last_one() {
    let counts = more();
    let design =
        Design { outcome_window: Some(TimeDelta::days(30)), ..design(&experiment(), &counts) };
    let read = |day: i64| {
        let more = More { counted_through: Some(at(day)), ..More::default() };
        read_out(&design, &counts, &more, at(day)).judgment
    };
    let early = read(119);
    assert_eq!(early.verdict, Verdict::Withheld);
    let expected = "the end of the last window at 2027-01-19T14:13:20Z has not come";
    assert!(early.withheld[0].starts_with(expected), "{:?}", early.withheld);
    assert_eq!((read(120).verdict, read(120).is_preliminary), (Verdict::Gain, true));
}

#[test]
fn an_external_experiment_waits_for_no_count_and_is_never_preliminary() {
    let counts = more();
    let design = Design { is_external: true, ..design(&experiment(), &counts) };
    let judgment = read_out(&design, &counts, &More::default(), at(91)).judgment;
    assert_eq!((judgment.verdict, judgment.is_preliminary), (Verdict::Gain, false));
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

/// 100 customers sent something back, and nobody bought: these are no buyers.
#[test]
fn refunds_make_no_buyers() {
    let counts = counts(REVENUE, &[(1_700, 20), (6_800, 0)], &[(100, -10), (1_400, 0)]);
    let few = "too few buyers: 0 in the holdout; at least 100 in each arm are needed";
    check_verdict(&experiment(), &counts, 90, Verdict::Withheld, &[few]);
    let arms = read_at(&experiment(), &counts, 90).assigned.arms;
    assert_eq!((arms.holdout.events, arms.holdout.buyers), (100, 0));
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
