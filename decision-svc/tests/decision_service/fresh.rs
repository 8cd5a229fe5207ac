//! Decisions read what was written before they were asked, or say that they could not.

use std::time::Duration;

use database::Location;
use proffer_proto::values::v1::ReasonCode;

use super::{
    neighbours::Fakes,
    suite::{Suite, lapsed, on_both, question},
};

/// The write never arrives. The decision is made with what there is, and says so; slots are
/// reserved once.
#[tokio::test]
async fn a_decision_by_older_policies_than_there_are_says_so() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "ann", "apparel", "2026-07-01");
        lapsed(&suite.fakes, "bea", "nothing", "2026-07-01");
        let fresh = suite.recommend(question("ann")).await.unwrap();
        assert_eq!((fresh.decisions.len(), fresh.degraded), (1, vec![]));
        suite.fakes.script.lock().unwrap().policy_unseen = 1;
        let stale = suite.recommend(question("ann")).await.unwrap();
        assert_eq!((stale.decisions.len(), stale.degraded), (1, vec!["snapshot_stale".to_owned()]));
        let script = suite.fakes.script.lock().unwrap();
        let revisions = script.reserves.iter().map(|it| it.question.as_ref().unwrap());
        let revisions: Vec<_> = revisions.map(|it| it.policy_revision.is_some()).collect();
        assert_eq!((revisions, script.grants.len()), (vec![true, true, false], 2));
    })
    .await;
}

/// Where nothing is to be judged the head is asked for; when it cannot be read, the decision says
/// that it may be stale.
#[tokio::test]
async fn a_decision_without_candidates_asks_for_the_newest_policies() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "bea", "nothing", "2026-07-01");
        let ask = async || {
            let decision = suite.recommend(question("bea")).await.unwrap();
            assert_eq!(decision.reason_code(), ReasonCode::NothingQualified);
            decision.degraded
        };
        assert_eq!(ask().await, [""; 0]);
        suite.fakes.script.lock().unwrap().policy_unseen = 1;
        assert_eq!(ask().await, ["snapshot_stale"]);
        suite.fakes.script.lock().unwrap().policy_unseen = 0;
        assert_eq!(ask().await, [""; 0]);
        suite.fakes.script.lock().unwrap().policy_away = true;
        assert_eq!(ask().await, ["snapshot_stale"]);
    })
    .await;
}

/// experiment-svc is silent for longer than an experiment waits before it starts.
#[tokio::test]
async fn a_decision_that_may_not_know_an_experiment_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut fakes = Fakes::new();
    fakes.experiments_silence_max = Duration::ZERO;
    let suite = Suite::start(&Location::Folder(folder.path().to_owned()), fakes).await;
    let decision = suite.recommend(question("cust_lapsed_1")).await.unwrap();
    assert_eq!((decision.decisions.len(), decision.degraded.len()), (1, 1));
    assert_eq!(decision.degraded, ["experiments_stale"]);
}
