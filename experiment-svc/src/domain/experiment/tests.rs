//! Creating, changing and concluding experiments: defaults, faults and refused changes.

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

/// The seed's experiment.
fn seed() -> ExperimentDraft {
    ExperimentDraft {
        flow: "flow_winback".to_owned(),
        holdout_percentage: 15.0,
        primary_metric: "revenue_per_customer".to_owned(),
        duration: "90 days".to_owned(),
        ..Default::default()
    }
}

fn created(draft: ExperimentDraft) -> Experiment {
    Experiment::create(draft, "random", at(0)).unwrap()
}

fn draft() -> Experiment {
    created(ExperimentDraft { status: Some(Status::Draft), ..seed() })
}

fn split(epoch: i32, holdout_basis_points: u32, since: DateTime<Utc>) -> SplitEpoch {
    SplitEpoch { epoch, holdout_basis_points, since }
}

/// What a change of one field sends: everything else as it is.
fn unchanged(experiment: &Experiment) -> ExperimentDraft {
    ExperimentDraft {
        status: Some(experiment.status),
        flow: experiment.flow.clone(),
        holdout_percentage: share::percent(experiment.holdout_basis_points()),
        primary_metric: experiment.primary_metric.name.clone(),
        duration: experiment.duration.clone(),
        starts_at: experiment.starts_at,
        salt: experiment.salt.clone(),
    }
}

#[test]
fn the_seeds_experiment_starts_two_seconds_after_its_creation_for_ninety_days() {
    let experiment = created(seed());
    assert_eq!(experiment.status, Status::Running);
    assert_eq!(
        (experiment.starts_at, experiment.planned_end),
        (Some(at(2)), Some(at(2 + 90 * 86_400)))
    );
    assert_eq!(
        (experiment.salt.as_str(), experiment.primary_metric.name.as_str()),
        ("random", "revenue_per_customer")
    );
    assert_eq!(experiment.epochs, [split(1, 1_500, at(0))]);
    assert_eq!((experiment.concluded_at, experiment.is_shipped), (None, false));
}

#[test]
fn what_is_left_out_has_its_default_and_what_is_given_stays() {
    let bare =
        ExperimentDraft { flow: "f".to_owned(), holdout_percentage: 1.0, ..Default::default() };
    let experiment = created(bare.clone());
    assert_eq!(
        (experiment.primary_metric.name.as_str(), experiment.duration.as_str()),
        ("conversion_rate", "90 days")
    );
    let given =
        created(ExperimentDraft { salt: "winback".to_owned(), starts_at: Some(at(500)), ..bare });
    assert_eq!((given.salt.as_str(), given.starts_at), ("winback", Some(at(500))));
    assert_eq!(given.planned_end, Some(at(500) + TimeDelta::days(90)));
}

#[test]
fn every_fault_of_a_new_experiment_is_told() {
    let wrong = ExperimentDraft {
        status: Some(Status::Concluded),
        flow: " ".to_owned(),
        holdout_percentage: 15.255,
        primary_metric: "revenue".to_owned(),
        duration: "a while".to_owned(),
        starts_at: Some(DateTime::<Utc>::MAX_UTC),
        salt: "s".repeat(65),
    };
    let faults = Experiment::create(wrong, "random", at(0)).unwrap_err();
    let fields: Vec<_> = faults.iter().map(|(field, _)| *field).collect();
    assert_eq!(
        fields,
        [
            "flow_id",
            "salt",
            "holdout_percentage",
            "primary_metric",
            "duration",
            "starts_at",
            "status"
        ]
    );
}

#[test]
fn an_experiment_that_would_be_over_is_refused() {
    let past = ExperimentDraft { starts_at: Some(at(-90 * 86_400)), ..seed() };
    let faults = Experiment::create(past.clone(), "random", at(0)).unwrap_err();
    let message =
        "plus the duration is 2026-09-21T14:13:20Z, which is past: nobody would be assigned";
    assert_eq!(faults, [("starts_at", message.to_owned())]);
    let one_second_left = ExperimentDraft { starts_at: Some(at(1 - 90 * 86_400)), ..past };
    assert_eq!(created(one_second_left).status, Status::Running);
}

#[test]
fn a_draft_starts_when_it_is_set_running() {
    let draft = draft();
    assert_eq!((draft.status, draft.starts_at, draft.planned_end), (Status::Draft, None, None));
    let wanted = ExperimentDraft { status: Some(Status::Running), ..unchanged(&draft) };
    let running = draft.changed(wanted, at(60)).unwrap();
    assert_eq!((running.status, running.starts_at), (Status::Running, Some(at(62))));
    assert_eq!(running.planned_end, Some(at(62) + TimeDelta::days(90)));
    assert_eq!(running.epochs, [split(1, 1_500, at(60))]);
}

#[test]
fn a_new_split_of_a_running_experiment_is_a_new_epoch() {
    let running = created(seed());
    let wanted = ExperimentDraft { holdout_percentage: 10.25, ..unchanged(&running) };
    let changed = running.changed(wanted.clone(), at(60)).unwrap();
    assert_eq!(changed.epochs, [split(1, 1_500, at(0)), split(2, 1_025, at(60))]);
    assert_eq!(changed.salt, running.salt);
    assert_eq!(changed.changed(wanted, at(70)).unwrap(), changed, "the same split is no change");
}

#[test]
fn a_new_split_of_a_draft_corrects_its_one_epoch() {
    let wanted = ExperimentDraft { holdout_percentage: 20.0, ..unchanged(&draft()) };
    assert_eq!(draft().changed(wanted, at(60)).unwrap().epochs, [split(1, 2_000, at(60))]);
}

#[test]
fn splits_have_a_limit() {
    let mut running = created(seed());
    for n in 2..=EPOCHS_MAX {
        let wanted =
            ExperimentDraft { holdout_percentage: n as f64 / 100.0, ..unchanged(&running) };
        running = running.changed(wanted, at(60)).unwrap();
    }
    assert_eq!(running.epochs.len(), EPOCHS_MAX);
    let wanted = ExperimentDraft { holdout_percentage: 50.0, ..unchanged(&running) };
    let error = running.changed(wanted, at(60)).unwrap_err();
    let why = "the experiment has had 100 splits, which is the maximum";
    assert_eq!(error, ChangeError::WrongState(why.to_owned()));
}

#[test]
fn salt_and_flow_never_change() {
    for experiment in [draft(), created(seed())] {
        let wanted = ExperimentDraft {
            salt: "x".to_owned(),
            flow: "other".to_owned(),
            ..unchanged(&experiment)
        };
        let Err(ChangeError::Invalid(faults)) = experiment.changed(wanted, at(1)) else {
            panic!("accepted")
        };
        let fields: Vec<_> = faults.iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["salt", "flow_id"]);
        let silent = ExperimentDraft { salt: String::new(), ..unchanged(&experiment) };
        assert_eq!(experiment.changed(silent, at(1)).unwrap().salt, experiment.salt);
    }
}

/// Moving the end or the metric after looks at the figures finds an effect sooner or
/// later.
#[test]
fn end_and_metric_of_a_running_experiment_stand() {
    let running = created(seed());
    let check = |wanted: ExperimentDraft, fields: &str| {
        let expected = format!("{fields} can only change in a draft; the experiment is running");
        assert_eq!(running.changed(wanted, at(1)), Err(ChangeError::WrongState(expected)));
    };
    check(ExperimentDraft { duration: "91 days".to_owned(), ..unchanged(&running) }, "`duration`");
    check(ExperimentDraft { starts_at: Some(at(7)), ..unchanged(&running) }, "`starts_at`");
    let metric = "conversion_rate".to_owned();
    check(ExperimentDraft { primary_metric: metric, ..unchanged(&running) }, "`primary_metric`");
    let empty = ExperimentDraft {
        duration: String::new(),
        starts_at: None,
        primary_metric: String::new(),
        status: None,
        ..unchanged(&running)
    };
    assert_eq!(running.changed(empty, at(1)), Ok(running.clone()));
    let other_draft = ExperimentDraft {
        duration: "9 days".to_owned(),
        starts_at: Some(at(7)),
        ..unchanged(&draft())
    };
    assert_eq!(
        draft().changed(other_draft, at(1)).unwrap().planned_end,
        Some(at(7) + TimeDelta::days(9))
    );
}

#[test]
fn status_moves_only_from_draft_to_running() {
    let (running, concluded) = (created(seed()), created(seed()).concluded(true, at(5)).unwrap());
    for (from, to) in
        [(&running, Status::Draft), (&concluded, Status::Draft), (&concluded, Status::Running)]
    {
        let wanted = ExperimentDraft { status: Some(to), ..unchanged(from) };
        assert!(
            matches!(from.changed(wanted, at(6)), Err(ChangeError::WrongState(_))),
            "{from:?} {to:?}"
        );
    }
    for from in [&draft(), &running] {
        let wanted = ExperimentDraft { status: Some(Status::Concluded), ..unchanged(from) };
        let Err(ChangeError::Invalid(faults)) = from.changed(wanted, at(6)) else {
            panic!("accepted")
        };
        let message = "cannot be set to concluded; conclude the experiment by its own call";
        assert_eq!(faults, [("status", message.to_owned())]);
    }
}

#[test]
fn only_a_running_experiment_can_be_concluded() {
    let concluded = created(seed()).concluded(true, at(5)).unwrap();
    assert_eq!(
        (concluded.status, concluded.concluded_at, concluded.is_shipped),
        (Status::Concluded, Some(at(5)), true)
    );
    assert_eq!(concluded.concluded(false, at(6)).unwrap_err(), "is already concluded");
    assert!(draft().concluded(false, at(6)).unwrap_err().starts_with("is a draft"));
    assert!(!created(seed()).concluded(false, at(5)).unwrap().is_shipped);
    let wanted = ExperimentDraft { holdout_percentage: 1.0, ..unchanged(&concluded) };
    assert!(matches!(concluded.changed(wanted, at(6)), Err(ChangeError::WrongState(_))));
    assert_eq!(concluded.changed(unchanged(&concluded), at(6)), Ok(concluded.clone()));
}

#[test]
fn a_holdout_of_all_or_none_is_warned_of() {
    let warnings =
        |percent| created(ExperimentDraft { holdout_percentage: percent, ..seed() }).warnings();
    assert_eq!(
        warnings(0.0),
        ["holdout_percentage 0 holds nobody out: there is nothing to compare with"]
    );
    assert_eq!(
        warnings(100.0),
        ["holdout_percentage 100 treats nobody: there is nothing to compare with"]
    );
    assert!(warnings(0.01).is_empty());
}

#[test]
fn references_to_a_flow_compare_without_regard_to_case() {
    assert_eq!(folded_flow(" Flow_WINBACK "), folded_flow("flow_winback"));
    assert_eq!(folded_flow("ÉTÉ"), "été");
}
