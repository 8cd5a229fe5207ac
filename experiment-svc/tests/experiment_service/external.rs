//! Experiments that ran elsewhere: arms and covariates are imported.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use experiment_svc::domain::measure::Metric;
use history::timestamp;
use proffer_proto::{
    experiment::v1::{self as proto, Arm, ExperimentStatus as Stage, ledger_entry::Entry},
    values::v1::{Value, value::Kind},
};
use tonic::{Code, Status};

use super::suite::*;

/// Ran for two weeks, years ago.
fn external() -> proto::Experiment {
    proto::Experiment {
        name: "Elsewhere".to_owned(),
        assignment_source: proto::AssignmentSource::External.into(),
        holdout_percentage: Some(50.0),
        primary_metric: "revenue_per_customer".to_owned(),
        starts_at: Some(timestamp(day(-900))),
        duration: "14 days".to_owned(),
        covariate: "history".to_owned(),
        ..Default::default()
    }
}

const ID: &str = "exp_elsewhere";

fn row(who: &str, arm: Arm, at: DateTime<Utc>, history: f64) -> proto::ImportedAssignment {
    let value = |kind| Value { kind: Some(kind) };
    proto::ImportedAssignment {
        customer_id: who.to_owned(),
        arm: arm.into(),
        assigned_at: Some(timestamp(at)),
        covariates: BTreeMap::from([
            ("history".to_owned(), value(Kind::DoubleValue(history))),
            ("zip".to_owned(), value(Kind::StringValue("Urban".to_owned()))),
        ]),
    }
}

async fn import(
    suite: &Suite,
    id: &str,
    assignments: Vec<proto::ImportedAssignment>,
) -> Result<proto::ImportAssignmentsResponse, Status> {
    let request =
        proto::ImportAssignmentsRequest { id: id.to_owned(), assignments, ..Default::default() };
    Ok(suite.experiments.clone().import_assignments(request).await?.into_inner())
}

fn faults(answer: &proto::ImportAssignmentsResponse) -> Vec<(i32, &str, &str)> {
    let faults = answer.faults.iter();
    faults.map(|it| (it.index, it.customer_id.as_str(), it.field.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_test_is_imported_and_read_out() {
    on_both(async |suite| {
        let created = suite.create(external()).await.unwrap();
        assert_eq!((created.status(), created.flow_id.as_str()), (Stage::Running, ""));
        assert!(created.warnings.is_empty() && created.planning.is_empty(), "{created:?}");
        let at = day(-899);
        let rows = vec![
            row("ann", Arm::Treatment, at, 142.44),
            row("bob", Arm::Holdout, at, 1.0),
            row("cas", Arm::Holdout, at, 2.5),
        ];
        let answer = import(&suite, ID, rows).await.unwrap();
        assert_eq!((answer.accepted, answer.refused), (3, 0));
        // Outcomes come years after they happened.
        let told = |id: &str, who: &str, value, at| {
            let received_at = Some(timestamp(hour(1)));
            Entry::Outcome(proto::OutcomeEntry { received_at, ..bought(id, who, value, at) })
        };
        suite
            .deliver([
                told("o1", "ann", 7, day(-890)),
                told("o2", "bob", 5, day(-887)),
                told("o3", "bob", 1, day(-880)),
            ])
            .await
            .unwrap();
        let results = suite.results(ID, "").await.unwrap();
        let arms: Vec<_> = results.arms.iter().map(|arm| (arm.n, arm.total())).collect();
        assert_eq!(arms, [(1, 7.0), (2, 5.0)], "until the end of its fortnight");
        let found = suite.assignment(ID, "bob").await.unwrap();
        assert_eq!((found.arm(), found.assigned_at), (Arm::Holdout, Some(timestamp(at))));
        let plan = experiment_svc::grpc::plan_of(&created).unwrap();
        let metric = || Metric::parse("revenue_per_customer").unwrap();
        let read = suite.app.store().read("default", &plan, metric()).await.unwrap();
        assert_eq!(read.counts.covariate.as_deref(), Some("history"));
        let shown = format!("{:?}", read.counts);
        assert!(shown.contains("1424400") && shown.contains("35000"), "covariates: {shown}");
        let rows = suite.app.store().read_rows("default", &plan, metric()).await.unwrap();
        assert_eq!(shown, format!("{:?}", rows.counts));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_says_otherwise_than_the_stored_one_is_refused_and_the_others_are_stored() {
    on_both(async |suite| {
        suite.create(external()).await.unwrap();
        let at = day(-899);
        import(&suite, ID, vec![row("ann", Arm::Treatment, at, 1.0)]).await.unwrap();
        let rows = vec![
            row("ann", Arm::Treatment, at, 1.0),
            row("ann", Arm::Holdout, at, 1.0),
            row("ann", Arm::Treatment, day(-898), 1.0),
            row("ann", Arm::Treatment, at, 2.0),
            row("bob", Arm::Holdout, at, 3.0),
            row("bob", Arm::Treatment, at, 3.0),
        ];
        let answer = import(&suite, ID, rows).await.unwrap();
        assert_eq!((answer.accepted, answer.refused), (2, 4));
        let expected = [
            (1, "ann", "arm"),
            (2, "ann", "assignedAt"),
            (3, "ann", "covariates"),
            (5, "bob", "arm"),
        ];
        assert_eq!(faults(&answer), expected);
        assert_eq!(suite.assignment(ID, "ann").await.unwrap().arm(), Arm::Treatment);
        assert_eq!(suite.assignment(ID, "bob").await.unwrap().arm(), Arm::Holdout);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_row_is_refused_with_its_fields() {
    on_both(async |suite| {
        suite.create(external()).await.unwrap();
        let value = |kind| Value { kind: Some(kind) };
        let nothing = proto::ImportedAssignment::default();
        let text = proto::ImportedAssignment {
            covariates: BTreeMap::from([(
                "history".to_owned(),
                value(Kind::StringValue("much".to_owned())),
            )]),
            ..row("cas", Arm::Holdout, day(-899), 0.0)
        };
        let many = proto::ImportedAssignment {
            covariates: (0..51).map(|n| (format!("n{n}"), value(Kind::IntegerValue(n)))).collect(),
            ..row("dot", Arm::Holdout, day(-899), 0.0)
        };
        let good = row("eve", Arm::Holdout, day(-899), 0.0);
        let answer = import(&suite, ID, vec![nothing, text, many, good]).await.unwrap();
        assert_eq!((answer.accepted, answer.refused), (1, 3));
        let expected = [
            (0, "", "customerId"),
            (0, "", "arm"),
            (0, "", "assignedAt"),
            (1, "cas", "covariates.history"),
            (2, "dot", "covariates"),
        ];
        assert_eq!(faults(&answer), expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_rows_are_taken_and_one_more_is_refused() {
    on_both(async |suite| {
        suite.create(external()).await.unwrap();
        let rows = |count: usize| {
            (0..count).map(|n| row(&format!("c{n}"), Arm::Holdout, day(-899), 1.0)).collect()
        };
        let (code, reason, fields) = shown(&import(&suite, ID, rows(1_001)).await.unwrap_err());
        assert_eq!(
            (code, reason.as_str(), fields),
            (Code::InvalidArgument, "LIMIT_EXCEEDED", vec!["assignments".to_owned()])
        );
        assert_eq!(import(&suite, ID, rows(1_000)).await.unwrap().accepted, 1_000);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_external_experiment_that_is_not_concluded_takes_arms() {
    on_both(async |suite| {
        suite.create(external()).await.unwrap();
        suite.create(running()).await.unwrap();
        let rows = || vec![row("ann", Arm::Holdout, day(-899), 1.0)];
        let status = import(&suite, SEED, rows()).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        assert_eq!(import(&suite, "nope", rows()).await.unwrap_err().code(), Code::NotFound);
        suite.conclude(ID, false).await.unwrap();
        let status = import(&suite, ID, rows()).await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::FailedPrecondition, "WRONG_STATE"));
        assert!(status.message().contains("its arms are final"), "{}", status.message());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_experiment_takes_no_flow_and_leaves_flows_alone() {
    on_both(async |suite| {
        let with_flow = proto::Experiment { flow_id: "f".to_owned(), ..external() };
        let status = suite.create(with_flow).await.unwrap_err();
        assert_eq!(shown(&status), invalid(&["experiment.flow_id"]));
        suite.create(external()).await.unwrap();
        let another = proto::Experiment { name: "Another".to_owned(), ..external() };
        suite.create(another).await.unwrap();
        suite.create(seed()).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_at_or_after_the_planned_end_is_refused_on_import() {
    on_both(async |suite| {
        suite.create(external()).await.unwrap();
        let end = day(-886);
        let second = end + (hour(0) - hour(1)) / 3_600;
        let rows = vec![
            row("ann", Arm::Treatment, second, 1.0),
            row("bob", Arm::Holdout, end, 1.0),
            row("cas", Arm::Holdout, day(-1), 1.0),
        ];
        let answer = import(&suite, ID, rows).await.unwrap();
        assert_eq!((answer.accepted, answer.refused), (1, 2));
        assert_eq!(faults(&answer), [(1, "bob", "assignedAt"), (2, "cas", "assignedAt")]);
        let said = &answer.faults[0].message;
        assert!(said.contains("planned end") && said.contains("`duration`"), "{said}");
    })
    .await;
}
