//! Creating, changing and concluding experiments: defaults, faults and refused changes.

use super::*;
use crate::domain::measure::Metric;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

/// The seed's experiment.
fn seed() -> ExperimentDraft {
    ExperimentDraft {
        flow: "flow_winback".to_owned(),
        holdout_percentage: Some(15.0),
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
        source: experiment.source,
        holdout_percentage: Some(share::percent(experiment.holdout_basis_points())),
        primary_metric: experiment.metrics.primary.name.clone(),
        duration: experiment.duration.clone(),
        starts_at: experiment.starts_at,
        salt: experiment.salt.clone(),
        outcome_window_days: experiment.outcome_window_days.map(|days| days as i32),
        expected_customers: experiment.expected_customers as i64,
        secondary_metrics: names(&experiment.metrics.secondary),
        guardrail_metrics: experiment.metrics.guardrails.iter().map(guardrail_text).collect(),
        covariate: experiment.covariate.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

fn names(metrics: &[Metric]) -> Vec<String> {
    metrics.iter().map(|metric| metric.name.clone()).collect()
}

fn fields(faults: &Faults) -> Vec<&'static str> {
    faults.iter().map(|(field, _)| *field).collect()
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
        (experiment.salt.as_str(), experiment.metrics.primary.name.as_str()),
        ("random", "revenue_per_customer")
    );
    assert_eq!(experiment.epochs, [split(1, 1_500, at(0))]);
    assert_eq!((experiment.concluded_at, experiment.is_shipped), (None, false));
}

#[test]
fn what_is_left_out_has_its_default_and_what_is_given_stays() {
    let bare = ExperimentDraft {
        flow: "f".to_owned(),
        holdout_percentage: Some(1.0),
        ..Default::default()
    };
    let experiment = created(bare.clone());
    assert_eq!(
        (experiment.metrics.primary.name.as_str(), experiment.duration.as_str()),
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
        holdout_percentage: Some(15.255),
        primary_metric: "revenue".to_owned(),
        duration: "a while".to_owned(),
        starts_at: Some(DateTime::<Utc>::MAX_UTC),
        salt: "s".repeat(65),
        ..Default::default()
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
    let wanted = ExperimentDraft { holdout_percentage: Some(10.25), ..unchanged(&running) };
    let changed = running.changed(wanted.clone(), at(60)).unwrap();
    assert_eq!(changed.epochs, [split(1, 1_500, at(0)), split(2, 1_025, at(60))]);
    assert_eq!(changed.salt, running.salt);
    assert_eq!(changed.changed(wanted, at(70)).unwrap(), changed, "the same split is no change");
}

#[test]
fn a_new_split_of_a_draft_corrects_its_one_epoch() {
    let wanted = ExperimentDraft { holdout_percentage: Some(20.0), ..unchanged(&draft()) };
    assert_eq!(draft().changed(wanted, at(60)).unwrap().epochs, [split(1, 2_000, at(60))]);
}

#[test]
fn splits_have_a_limit() {
    let mut running = created(seed());
    for n in 2..=EPOCHS_MAX {
        let wanted =
            ExperimentDraft { holdout_percentage: Some(n as f64 / 100.0), ..unchanged(&running) };
        running = running.changed(wanted, at(60)).unwrap();
    }
    assert_eq!(running.epochs.len(), EPOCHS_MAX);
    let wanted = ExperimentDraft { holdout_percentage: Some(50.0), ..unchanged(&running) };
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
    let wanted = ExperimentDraft { holdout_percentage: Some(1.0), ..unchanged(&concluded) };
    assert!(matches!(concluded.changed(wanted, at(6)), Err(ChangeError::WrongState(_))));
    assert_eq!(concluded.changed(unchanged(&concluded), at(6)), Ok(concluded.clone()));
}

#[test]
fn a_holdout_of_all_or_none_is_warned_of() {
    let warnings = |percent| {
        created(ExperimentDraft { holdout_percentage: Some(percent), ..seed() }).warnings()
    };
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

#[test]
fn a_share_that_is_left_out_is_refused_on_create_and_kept_on_change() {
    let silent = ExperimentDraft { holdout_percentage: None, ..seed() };
    let faults = Experiment::create(silent, "random", at(0)).unwrap_err();
    let message = "is required: the share held out, 0 to 100; write 0 for none";
    assert_eq!(faults, [("holdout_percentage", message.to_owned())]);
    let running = created(seed());
    let wanted = ExperimentDraft { holdout_percentage: None, ..unchanged(&running) };
    assert_eq!(running.changed(wanted, at(1)), Ok(running));
}

#[test]
fn an_outcome_window_and_the_customers_expected_have_bounds() {
    let refused = |draft: ExperimentDraft| {
        fields(&Experiment::create(draft, "random", at(0)).unwrap_err()).join(" ")
    };
    for days in [-1, 0, 366] {
        let draft = ExperimentDraft { outcome_window_days: Some(days), ..seed() };
        assert_eq!(refused(draft), "outcome_window_days", "{days}");
    }
    for expected_customers in [-1, 99, 1_000_000_001] {
        let draft = ExperimentDraft { expected_customers, ..seed() };
        assert_eq!(refused(draft), "expected_customers", "{expected_customers}");
    }
    for (days, customers) in [(1, 100), (365, 1_000_000_000)] {
        let (outcome_window_days, expected_customers) = (Some(days), customers);
        created(ExperimentDraft { outcome_window_days, expected_customers, ..seed() });
    }
    let plain = created(seed());
    assert_eq!((plain.outcome_window_days, plain.expected_customers), (None, 5_000));
}

#[test]
fn the_end_of_the_figures_is_the_planned_end_plus_the_window() {
    let windowed = created(ExperimentDraft { outcome_window_days: Some(14), ..seed() });
    assert_eq!(windowed.end(), Some(at(2) + TimeDelta::days(104)));
    assert_eq!(created(seed()).end(), created(seed()).planned_end);
    assert_eq!(draft().end(), None);
}

#[test]
fn no_metric_is_measured_twice() {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let check = |secondary: &[&str], guardrails: &[&str], expected: &[(&str, &str)]| {
        let draft = ExperimentDraft {
            secondary_metrics: texts(secondary),
            guardrail_metrics: texts(guardrails),
            ..seed()
        };
        let faults = Experiment::create(draft, "random", at(0)).err().unwrap_or_default();
        let faults: Vec<_> = faults.iter().map(|(field, why)| (*field, why.as_str())).collect();
        assert_eq!(faults, expected, "{secondary:?} {guardrails:?}");
    };
    check(&["conversion_rate", "outcome:click"], &["outcome:complaint"], &[]);
    let primary = "`revenue_per_customer` is the primary metric already";
    check(&["revenue_per_customer"], &[], &[("secondary_metrics", primary)]);
    check(&["count:a", "count:a"], &[], &[("secondary_metrics", "names `count:a` twice")]);
    let other = "`count:a` is a primary or secondary metric already";
    check(&["count:a"], &["count:a"], &[("guardrail_metrics", other)]);
    let up_and_down = ["count:b up", "count:b down"];
    check(&[], &up_and_down, &[("guardrail_metrics", "names `count:b` twice")]);
    let eleven: Vec<String> = (0..11).map(|n| format!("count:m{n}")).collect();
    let eleven: Vec<&str> = eleven.iter().map(String::as_str).collect();
    let many = "has 11 metrics, which exceeds the maximum 10";
    check(&eleven, &[], &[("secondary_metrics", many)]);
    check(&eleven[1..], &[], &[]);
}

#[test]
fn guardrails_are_opt_outs_and_complaints_unless_they_are_measured_already() {
    let guardrails = |secondary: &[&str]| {
        let secondary_metrics = secondary.iter().map(|name| (*name).to_owned()).collect();
        let experiment = created(ExperimentDraft { secondary_metrics, ..seed() });
        experiment.metrics.guardrails.iter().map(guardrail_text).collect::<Vec<_>>()
    };
    assert_eq!(guardrails(&[]), ["outcome:opt_out", "outcome:complaint"]);
    assert_eq!(guardrails(&["outcome:complaint"]), ["outcome:opt_out"]);
}

#[test]
fn every_experiment_counts_its_metrics_and_conversions_and_revenue() {
    let all = created(ExperimentDraft { primary_metric: "count:visit".to_owned(), ..seed() });
    let expected = [
        "count:visit",
        "outcome:opt_out",
        "outcome:complaint",
        "conversion_rate",
        "revenue_per_customer",
    ];
    assert_eq!(names(&all.metrics.all()), expected);
}

/// What decides which outcomes count, and when, is fixed before anyone sees a figure.
#[test]
fn window_customers_and_covariate_of_a_running_experiment_are_fixed() {
    let running = created(ExperimentDraft { outcome_window_days: Some(14), ..seed() });
    let check = |wanted: ExperimentDraft, field: &str| {
        let expected = format!("`{field}` can only change in a draft; the experiment is running");
        assert_eq!(running.changed(wanted, at(1)), Err(ChangeError::WrongState(expected)));
    };
    let unchanged = || unchanged(&running);
    let outcome_window_days = Some(7);
    check(ExperimentDraft { outcome_window_days, ..unchanged() }, "outcome_window_days");
    check(ExperimentDraft { expected_customers: 6_000, ..unchanged() }, "expected_customers");
    let covariate = "revenue_before:28".to_owned();
    check(ExperimentDraft { covariate, ..unchanged() }, "covariate");
    let silent =
        ExperimentDraft { outcome_window_days: None, expected_customers: 0, ..unchanged() };
    assert_eq!(running.changed(silent, at(1)), Ok(running.clone()));
}

#[test]
fn secondary_metrics_change_while_it_runs_and_not_after_its_conclusion() {
    let running = created(seed());
    let secondary_metrics = vec!["outcome:click".to_owned()];
    let wanted = |of: &Experiment| ExperimentDraft {
        secondary_metrics: secondary_metrics.clone(),
        ..unchanged(of)
    };
    let changed = running.changed(wanted(&running), at(1)).unwrap();
    assert_eq!(names(&changed.metrics.secondary), secondary_metrics);
    let concluded = running.concluded(false, at(5)).unwrap();
    let refused = concluded.changed(wanted(&concluded), at(6));
    assert!(matches!(refused, Err(ChangeError::WrongState(_))), "{refused:?}");
}

#[test]
fn an_external_experiment_has_no_flow_one_split_and_an_end_that_may_be_past() {
    let bare = ExperimentDraft { source: Source::External, flow: String::new(), ..seed() };
    let with_flow = ExperimentDraft { flow: "f".to_owned(), ..bare.clone() };
    let faults = Experiment::create(with_flow, "random", at(0)).unwrap_err();
    assert_eq!(fields(&faults), ["flow_id"]);
    let starts_at = Some(at(-900 * 86_400));
    let external = created(ExperimentDraft { starts_at, ..bare });
    assert!(external.planned_end < Some(at(0)));
    let wanted = ExperimentDraft { holdout_percentage: Some(20.0), ..unchanged(&external) };
    let refused = external.changed(wanted, at(1));
    assert!(matches!(refused, Err(ChangeError::WrongState(_))), "{refused:?}");
    let wanted = ExperimentDraft { source: Source::Flow, ..unchanged(&external) };
    let Err(ChangeError::Invalid(faults)) = external.changed(wanted, at(1)) else {
        panic!("accepted")
    };
    assert_eq!(fields(&faults), ["flow_id", "assignment_source"]);
}

#[test]
fn only_an_external_experiment_has_an_imported_covariate() {
    let draft = |covariate: &str, source, flow: &str| ExperimentDraft {
        covariate: covariate.to_owned(),
        source,
        flow: flow.to_owned(),
        starts_at: Some(at(0)),
        ..seed()
    };
    let refused = Experiment::create(draft("history", Source::Flow, "f"), "random", at(0));
    assert_eq!(fields(&refused.unwrap_err()), ["covariate"]);
    let external = created(draft("history", Source::External, ""));
    assert_eq!(external.covariate, Some(Covariate::Imported("history".to_owned())));
    let own = created(draft("revenue_before:28", Source::Flow, "f"));
    assert_eq!(own.covariate, Some(Covariate::RevenueBefore { days: 28 }));
}

#[test]
fn a_star_is_a_universal_holdout() {
    let universal = created(ExperimentDraft { flow: "*".to_owned(), ..seed() });
    assert!(universal.is_universal() && !created(seed()).is_universal());
}

#[test]
fn an_external_experiment_runs_only_with_a_start() {
    let external = ExperimentDraft { source: Source::External, flow: String::new(), ..seed() };
    let without = ExperimentDraft { starts_at: None, ..external };
    let refused = Experiment::create(without.clone(), "random", at(0)).unwrap_err();
    assert_eq!(fields(&refused), ["starts_at"]);
    assert!(refused[0].1.starts_with("is required: when the test that ran elsewhere began"));
    let draft = created(ExperimentDraft { status: Some(Status::Draft), ..without.clone() });
    let started = ExperimentDraft { status: Some(Status::Running), ..without.clone() };
    assert!(matches!(draft.changed(started, at(1)), Err(ChangeError::Invalid(_))));
    let began = Some(at(-100 * 86_400));
    let finished = created(ExperimentDraft { starts_at: began, ..without });
    assert!(finished.planned_end.is_some_and(|end| end < at(0)));
}
