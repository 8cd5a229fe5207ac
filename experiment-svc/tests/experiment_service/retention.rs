//! Which outcomes are deleted by age: those that no read-out counts.

use proffer_proto::experiment::v1::{self as proto, Arm, ledger_entry::Entry};
use serve::{Deleted, Pace, RetentionSettings};

use super::suite::*;

/// What is deleted so many days after the start by these limits.
async fn deleted_after(suite: &Suite, days: i64, limits: &[&str]) -> Deleted {
    suite.clock.set(day(days));
    let limits = limits.iter().map(|limit| serve::retention_limit(limit).unwrap()).collect();
    let app = suite.app.clone().with_retention(RetentionSettings { limits });
    let mut deleted = app.delete_old_rows(Pace::Full).await.unwrap();
    deleted.retain(|_, rows| *rows > 0);
    deleted
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_stays_while_an_experiment_counts_it() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let entries = [
            assigned("ann", Arm::Treatment, hour(2)),
            Entry::Outcome(bought("before", "ann", 5, hour(1))),
            Entry::Outcome(bought("counted", "ann", 7, hour(3))),
            Entry::Outcome(bought("without_arm", "bob", 9, hour(3))),
        ];
        suite.deliver_through(entries, Some(hour(4))).await.unwrap();
        let results = async || {
            let arms = suite.results(SEED, "").await.unwrap().arms;
            arms.iter().map(|arm| (arm.n, arm.mean().to_string())).collect::<Vec<_>>()
        };
        suite.clock.set(day(60));
        let before = results().await;
        assert_eq!(deleted_after(&suite, 60, &[]).await, Deleted::new());
        assert_eq!(deleted_after(&suite, 60, &["outcomes=70"]).await, Deleted::new());
        let gone = Deleted::from([("outcome", 2)]);
        assert_eq!(deleted_after(&suite, 60, &["outcomes=50"]).await, gone);
        assert_eq!(results().await, before);
        assert_eq!(deleted_after(&suite, 4_000, &["outcomes=50"]).await, Deleted::new());
    })
    .await;
}

/// What an experiment counts may change after it was closed, and then its covariates count again.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_closed_experiments_covariate_looks_back_to_stays() {
    on_both(async |suite| {
        let experiment =
            proto::Experiment { covariate: "revenue_before:3".to_owned(), ..running() };
        suite.create(experiment).await.unwrap();
        let entries = [
            assigned("ann", Arm::Treatment, day(5)),
            Entry::Outcome(bought("before", "ann", 5, day(4))),
            Entry::Outcome(bought("far_before", "ann", 5, day(1))),
        ];
        suite.deliver_through(entries, Some(day(200))).await.unwrap();
        suite.app.count_again().await.unwrap();
        assert_eq!(suite.app.store().open_experiments().await.unwrap().len(), 0);
        let gone = Deleted::from([("outcome", 1)]);
        assert_eq!(deleted_after(&suite, 300, &["outcomes=50"]).await, gone);
    })
    .await;
}
