//! Experiments and the flows they run on, which decision-svc keeps.

use proffer_proto::{
    experiment::v1::{self as proto, ExperimentStatus as Stage},
    values::v1::Reference,
};
use testkit::WrittenLog;
use tonic::Code;

use super::suite::{Suite, on_both, on_flow};

const FLOW: &str = "decision_flow";

/// A suite whose neighbor has one flow.
async fn with_flow(suite: &Suite) -> WrittenLog {
    let flows = WrittenLog::of(&[(FLOW, "flow_winback", "Winback")]);
    suite.app.follow(std::sync::Arc::new(flows.clone()));
    flows
}

fn bound(named: &str, id: &str) -> Reference {
    Reference { kind: FLOW.to_owned(), named: named.to_owned(), id: id.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_experiment_on_an_unknown_flow_is_refused_with_the_nearest_one() {
    on_both(async |suite| {
        with_flow(&suite).await;
        let refused = suite.create(on_flow("Typo", "Winbak")).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
        let message = "decision flow `Winbak` not found; did you mean `Winback`?";
        assert_eq!(refused.message(), message);
        let draft = proto::Experiment { status: Stage::Draft.into(), ..on_flow("Typo", "Winbak") };
        let kept = suite.create(draft).await.unwrap();
        assert!(kept.warnings.iter().any(|warning| warning.contains("`Winback`?")), "{kept:?}");
        let patch = proto::Experiment { status: Stage::Running.into(), ..Default::default() };
        let started = suite.patch("Typo", patch, &["status"]).await.unwrap_err();
        assert_eq!(started.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_keeps_its_flow_through_a_rename_and_a_new_flow_inherits_nothing() {
    on_both(async |suite| {
        let flows = with_flow(&suite).await;
        let first = suite.create(on_flow("First", "winBACK")).await.unwrap();
        assert_eq!(first.references, [bound("winBACK", "flow_winback")]);
        assert_eq!(first.warnings, [""; 0]);
        flows.write(FLOW, "flow_winback", "Winback two", Vec::new());
        flows.write(FLOW, "flow_winback_2", "Winback", Vec::new());
        let patch = proto::Experiment { description: "Still".into(), ..Default::default() };
        let again = suite.patch("First", patch, &["description"]).await.unwrap();
        assert_eq!((again.references, again.warnings), (first.references, Vec::new()));
        // The new flow is free, the old one taken, however it is named.
        let second = suite.create(on_flow("Second", "Winback")).await.unwrap();
        assert_eq!(second.references, [bound("Winback", "flow_winback_2")]);
        let third = suite.create(on_flow("Third", "winback two")).await.unwrap_err();
        assert_eq!(third.code(), Code::FailedPrecondition);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_posted_just_before_its_experiment_is_found() {
    on_both(async |suite| {
        let flows = with_flow(&suite).await;
        suite.create(on_flow("First", "Winback")).await.unwrap();
        flows.write(FLOW, "flow_next", "Next", Vec::new());
        let next = suite.create(on_flow("Second", "Next")).await.unwrap();
        assert_eq!(next.references, [bound("Next", "flow_next")]);
    })
    .await;
}
