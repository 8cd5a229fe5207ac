//! decision-svc follows the experiments by what is stored, so that must be complete.

use futures::StreamExt as _;
use proffer_proto::experiment::v1::{self as proto, ExperimentStatus as Stage};
use prost::Message as _;

use super::suite::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_learns_the_split_the_salt_and_the_end() {
    on_both(async |suite| {
        let created = suite.create(seed()).await.unwrap();
        let request = proto::WatchExperimentsRequest { after_revision: 0 };
        let mut pages = suite.ledger.clone().watch_experiments(request).await.unwrap().into_inner();
        let first = pages.next().await.unwrap().unwrap();
        assert_eq!(first.head_revision, 1);
        let change = &first.changes[0];
        assert_eq!(
            (change.kind.as_str(), change.id.as_str(), change.deleted),
            ("experiment", SEED, false)
        );
        let stored = proto::Experiment::decode(change.resource.as_slice()).unwrap();
        assert_eq!(stored.status(), Stage::Running);
        assert_eq!(
            (&stored.flow_id, &stored.salt, &stored.epochs),
            (&created.flow_id, &created.salt, &created.epochs)
        );
        assert_eq!(
            (stored.starts_at, stored.planned_end),
            (created.starts_at, created.planned_end)
        );

        suite.conclude(SEED, true).await.unwrap();
        let second = pages.next().await.unwrap().unwrap();
        let stored = proto::Experiment::decode(second.changes[0].resource.as_slice()).unwrap();
        assert_eq!(
            (stored.status(), stored.shipped, second.head_revision),
            (Stage::Concluded, Some(true), 2)
        );
        suite.delete(SEED).await.unwrap();
        assert!(pages.next().await.unwrap().unwrap().changes[0].deleted);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_where_it_was() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        suite.create(on_flow("Other", "other")).await.unwrap();
        let watch = async |after_revision| {
            let request = proto::WatchExperimentsRequest { after_revision };
            suite.ledger.clone().watch_experiments(request).await.map(tonic::Response::into_inner)
        };
        let page = watch(1).await.unwrap().next().await.unwrap().unwrap();
        assert_eq!((page.changes.len(), page.changes[0].id.as_str()), (1, "exp_other"));
        let page = watch(2).await.unwrap().next().await.unwrap().unwrap();
        assert_eq!(
            (page.changes.len(), page.head_revision),
            (0, 2),
            "the first page comes at once, even when empty"
        );
        assert_eq!(shown(&watch(-1).await.unwrap_err()), invalid(&["after_revision"]));
    })
    .await;
}
