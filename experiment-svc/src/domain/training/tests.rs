//! Which customers are in a row, and what it says of them.

use super::*;
use crate::domain::experiment::{ExperimentDraft, Source};

const HOUR: i64 = HOUR_US;

fn at(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap()
}

/// Assigns for 90 days from the beginning of 1970, with 15 % held out.
fn experiment(source: Source) -> Experiment {
    let draft = ExperimentDraft {
        status: None,
        source,
        flow: if source == Source::Flow { "flow_a".to_owned() } else { String::new() },
        holdout_percentage: Some(15.0),
        starts_at: Some(at(0)),
        duration: "90 days".to_owned(),
        ..ExperimentDraft::default()
    };
    Experiment::create(draft, "salt", at(0)).unwrap()
}

fn set(experiment: &Experiment, outcome: &str, through: i64) -> TrainingSet {
    TrainingSet::of("exp_a", experiment, (outcome, 30), Some(at(through))).unwrap()
}

fn exposed(day: i64) -> Recorded {
    Recorded {
        customer_id: "ann".to_owned(),
        epoch: 1,
        assigned_us: HOUR,
        exposure: Some((day * DAY_US, String::new())),
        gate_probability: 1.0,
        offer_ids: vec!["off_a".to_owned(), "off_b".to_owned()],
        ..Recorded::default()
    }
}

fn outcome(key: &str, value: i64, occurred_us: i64, received_us: i64) -> Outcome {
    let (key, value_e4) = (key.to_owned(), Some(value));
    Outcome { key, is_positive: true, value_e4, occurred_us, received_us }
}

#[test]
fn outcomes_count_in_the_window_and_up_to_the_instant() {
    let experiment = experiment(Source::Flow);
    let (begin, end) = (2 * DAY_US, 32 * DAY_US);
    let check = |key: &str, occurred_us: i64, received_us: i64, expected: (bool, i128)| {
        let outcomes = vec![outcome("conversion", 50_000, occurred_us, received_us)];
        let recorded = Recorded { outcomes, ..exposed(2) };
        let row = set(&experiment, key, 38 * DAY_US).row(recorded).unwrap();
        assert_eq!((row.outcome, row.value_e4), expected, "{key} {occurred_us} {received_us}");
    };
    check("conversion", begin, begin, (true, 50_000));
    check("conversion", begin - 1, begin, (false, 0));
    check("conversion", end - 1, end, (true, 50_000));
    check("conversion", end, end, (false, 0));
    // What arrives later belongs to a later set.
    check("conversion", begin, 38 * DAY_US, (true, 50_000));
    check("conversion", begin, 38 * DAY_US + 1, (false, 0));
    check("visit", begin, begin, (false, 50_000));
}

#[test]
fn a_window_is_matured_when_it_has_closed_by_the_instant() {
    let experiment = experiment(Source::Flow);
    let matured = |through| set(&experiment, "conversion", through).row(exposed(2)).unwrap();
    assert!(!matured(32 * DAY_US - 1).is_matured);
    assert!(matured(32 * DAY_US).is_matured);
}

#[test]
fn both_arms_are_in_rows_alike_with_the_probability_of_their_split() {
    let set = set(&experiment(Source::Flow), "conversion", 40 * DAY_US);
    let treated = set.row(exposed(2)).unwrap();
    let held_out = set.row(Recorded { is_holdout: true, ..exposed(2) }).unwrap();
    assert_eq!((treated.treatment_probability, treated.fold), (0.85, 1));
    let swapped = TrainingRow { arm: Arm::Treatment, is_ghost: false, ..held_out.clone() };
    assert_eq!(swapped, treated);
    assert!(held_out.is_ghost && held_out.arm == Arm::Holdout);
}

#[test]
fn who_is_in_no_row_is_told_why() {
    let experiment = experiment(Source::Flow);
    let set = |experiment: &Experiment| set(experiment, "conversion", 100 * DAY_US);
    let emptied_by =
        |id: &str| Recorded { exposure: Some((2 * DAY_US, id.to_owned())), ..exposed(2) };
    let why = |experiment: &Experiment, recorded| set(experiment).row(recorded).unwrap_err();
    let nobody = Recorded { exposure: None, ..exposed(2) };
    assert_eq!(why(&experiment, nobody), RowLeftOut::NotExposed);
    assert_eq!(why(&experiment, emptied_by("exp_everywhere")), RowLeftOut::Emptied);
    assert!(set(&experiment).row(emptied_by("exp_a")).is_ok(), "its own holdout");
    assert_eq!(why(&experiment, exposed(90)), RowLeftOut::AfterTheEnd);
    assert_eq!(why(&experiment, exposed(101)), RowLeftOut::NotCounted);
    let concluded = experiment.concluded(false, at(20 * DAY_US)).unwrap();
    assert_eq!(why(&concluded, exposed(2)), RowLeftOut::Cut);
    let uncounted = TrainingSet::of("exp_a", &experiment, ("conversion", 30), None).unwrap();
    assert_eq!(uncounted.row(exposed(2)), Err(RowLeftOut::NotCounted));
}

#[test]
fn rows_of_an_external_experiment_are_its_assignments() {
    let set = set(&experiment(Source::External), "conversion", 400 * DAY_US);
    // Years later.
    let outcomes = vec![outcome("conversion", 10_000, 2 * HOUR, 399 * DAY_US)];
    let recorded = Recorded {
        customer_id: "ann".to_owned(),
        epoch: 1,
        is_holdout: true,
        assigned_us: HOUR,
        outcomes,
        ..Recorded::default()
    };
    let row = set.row(recorded).unwrap();
    assert_eq!((row.exposed_us, row.outcome, row.value_e4), (HOUR, true, 10_000));
    assert_eq!((row.gate_probability, row.is_ghost, row.is_matured), (1.0, false, true));
}

#[test]
fn the_key_of_an_outcome_is_checked() {
    let of = |key: &str| {
        let experiment = experiment(Source::Flow);
        TrainingSet::of("exp_a", &experiment, (key, 30), None).map(|set| set.metric)
    };
    assert_eq!(of("conversion").unwrap(), "conversion_rate");
    assert_eq!(of("visit").unwrap(), "outcome:visit");
    assert!(of("No key").is_err());
}
