//! Which version of an experiment's sums is served, whatever replicas do meanwhile.

use std::collections::BTreeMap;

use database::Location;
use proffer_proto::experiment::v1::{self as proto, Arm, ledger_entry::Entry};
use sqlx::AssertSqlSafe;

use super::suite::*;

/// Runs statements that another replica, or a process of another version, could have sent.
async fn as_another(suite: &Suite, statements: &[&str]) {
    let database = suite.app.store().database();
    for statement in statements {
        let mut transaction = database.begin().await.unwrap();
        database::execute!(&mut transaction, sqlx::query(AssertSqlSafe((*statement).to_owned())))
            .unwrap();
        transaction.commit().await.unwrap();
    }
}

/// So many treated customers who bought for 1 and half as many held out.
async fn deliver_customers(suite: &Suite, treated: usize) {
    let mut entries = Vec::new();
    for number in 0..treated {
        let (who, other) = (format!("c{number:04}"), format!("h{number:04}"));
        entries.push(assigned(&who, Arm::Treatment, hour(1)));
        entries.push(Entry::Outcome(bought(&who, &who, 1, hour(2))));
        if number % 2 == 0 {
            entries.push(assigned(&other, Arm::Holdout, hour(1)));
        }
    }
    for batch in entries.chunks(500) {
        suite.deliver(batch.iter().cloned()).await.unwrap();
    }
}

/// Customers and conversions of both arms.
async fn shown_arms(suite: &Suite) -> Vec<(i64, i64)> {
    let arms = suite.results(SEED, "").await.unwrap().arms;
    arms.iter().map(|arm| (arm.n, arm.events.unwrap_or_default())).collect()
}

async fn plan(suite: &Suite) -> experiment_svc::domain::tally::Plan {
    experiment_svc::grpc::plan_of(&suite.get(SEED).await.unwrap()).unwrap()
}

async fn is_counting(suite: &Suite) -> bool {
    let plan = plan(suite).await;
    let metric = plan.metrics[0].clone();
    suite.app.store().read("default", &plan, metric).await.unwrap().computed_at.is_some()
}

fn clicks() -> proto::Experiment {
    proto::Experiment { secondary_metrics: vec!["outcome:click".to_owned()], ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_a_finished_experiment_stay_when_it_is_concluded_or_measures_more() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        deliver_customers(&suite, 20).await;
        suite.deliver_through([], Some(day(100))).await.unwrap();
        suite.clock.set(day(100));
        suite.patch(SEED, clicks(), &["secondary_metrics"]).await.unwrap();
        suite.app.count_again().await.unwrap();
        assert_eq!(shown_arms(&suite).await, [(20, 20), (10, 0)]);
        suite.conclude(SEED, false).await.unwrap();
        for _ in 0..2 {
            suite.app.count_again().await.unwrap();
            assert_eq!(shown_arms(&suite).await, [(20, 20), (10, 0)]);
            assert!(!is_counting(&suite).await);
        }
        assert_eq!(suite.app.store().open_experiments().await.unwrap().len(), 0, "and it closes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_closed_before_it_was_counted_is_counted_before_it_is_served() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        deliver_customers(&suite, 20).await;
        suite.clock.set(day(40));
        suite.patch(SEED, clicks(), &["secondary_metrics"]).await.unwrap();
        as_another(&suite, &["update counting set is_closed = true"]).await;
        assert_eq!(suite.app.count_again().await.unwrap(), 1);
        assert!(!is_counting(&suite).await);
        assert_eq!(shown_arms(&suite).await, [(20, 20), (10, 0)]);
    })
    .await;
}

/// A trigger closes the experiment as soon as its first customers are counted, as a process of
/// another version did that found it finished.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_another_replica_closed_midway_is_not_served_before_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let suite = Suite::start(Location::Folder(folder.path().to_owned())).await;
    suite.create(running()).await.unwrap();
    deliver_customers(&suite, 300).await;
    suite.clock.set(day(40));
    suite.patch(SEED, clicks(), &["secondary_metrics"]).await.unwrap();
    let trigger = "create trigger midway after update on tally
                   begin update counting set is_closed = true; end";
    as_another(&suite, &[trigger]).await;
    for _ in 0..2 {
        assert_eq!(suite.app.count_again().await.unwrap(), 1);
        assert!(is_counting(&suite).await, "it is not complete");
        assert_eq!(shown_arms(&suite).await, [(300, 300), (150, 0)], "the figures of before");
    }
    as_another(&suite, &["drop trigger midway"]).await;
    assert_eq!(suite.app.count_again().await.unwrap(), 1);
    assert!(!is_counting(&suite).await);
    assert_eq!(shown_arms(&suite).await, [(300, 300), (150, 0)]);
}

/// The process of another version knows nothing of plans, so that the stored one stays as it was.
#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_that_a_process_of_another_version_concludes_is_cut_without_a_restart() {
    on_both(async |suite| {
        let window = proto::Experiment { outcome_window_days: Some(7), ..running() };
        suite.create(window).await.unwrap();
        suite
            .deliver([
                assigned("ann", Arm::Treatment, day(1)),
                assigned("bob", Arm::Treatment, day(54)),
            ])
            .await
            .unwrap();
        suite.deliver_through([], Some(day(70))).await.unwrap();
        let mut adopted = BTreeMap::new();
        suite.app.adopt(&mut adopted).await.unwrap();
        suite.clock.set(day(56));
        suite.conclude(SEED, false).await.unwrap();
        as_another(&suite, &["update counting set plan = served_plan, version = served_version"])
            .await;
        assert!(is_counting(&suite).await, "the sums are those of another plan");
        suite.app.adopt(&mut adopted).await.unwrap();
        assert_eq!(suite.app.count_again().await.unwrap(), 1);
        assert_eq!(shown_arms(&suite).await[0].0, 1, "the window of the other was cut");
        assert!(!is_counting(&suite).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_plan_never_replaces_one_that_was_written_in_between() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let store = suite.app.store();
        as_another(&suite, &["update counting set plan = 'of another version'"]).await;
        let seen = store.plans("default").await.unwrap();
        let uncut = plan(&suite).await;
        suite.clock.set(day(40));
        suite.conclude(SEED, false).await.unwrap();
        for seen in [seen.get(SEED), None] {
            store.adopt("default", &uncut, seen, day(40)).await.unwrap();
            let (stored, _) = store.plans("default").await.unwrap()[SEED].clone();
            assert_eq!(stored, plan(&suite).await.text());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_out_while_versions_change_is_of_one_version() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        deliver_customers(&suite, 20).await;
        let plan = plan(&suite).await;
        let metric = plan.metrics[0].clone();
        let versions = async {
            for number in 0..25 {
                let secondary_metrics = vec![format!("outcome:k{number}")];
                let patch = proto::Experiment { secondary_metrics, ..Default::default() };
                suite.patch(SEED, patch, &["secondary_metrics"]).await.unwrap();
                suite.app.count_again().await.unwrap();
            }
        };
        let done = std::sync::atomic::AtomicBool::new(false);
        let reads = async {
            let order = std::sync::atomic::Ordering::SeqCst;
            while !done.load(order) {
                let read = suite.app.store().read("default", &plan, metric.clone()).await.unwrap();
                let everyone: u64 = read.assigned.iter().map(|(_, _, n)| n).sum();
                assert_eq!(everyone, 30);
                let sizes = suite.app.store().sizes("default", SEED).await.unwrap();
                assert_eq!(sizes.iter().map(|(_, _, n)| n).sum::<u64>(), 30);
            }
        };
        let versions = async {
            versions.await;
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        };
        tokio::join!(versions, reads);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metric_that_is_being_counted_is_left_out_and_the_read_out_says_so() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        deliver_customers(&suite, 20).await;
        suite.clock.set(day(40));
        suite.patch(SEED, clicks(), &["secondary_metrics"]).await.unwrap();
        let meanwhile = suite.results(SEED, "").await.unwrap();
        assert_eq!((meanwhile.secondary.len(), meanwhile.arms[0].n), (0, 20));
        let why = meanwhile.absent.get("outcome:click").cloned().unwrap_or_default();
        assert!(why.starts_with("is being counted"), "{:?}", meanwhile.absent);
        suite.app.count_again().await.unwrap();
        let counted = suite.results(SEED, "").await.unwrap();
        assert_eq!((counted.secondary.len(), counted.absent.get("outcome:click")), (1, None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_one_experiment_keeps_no_other_from_being_counted() {
    on_both(async |suite| {
        let first = suite.create(on_flow("A first", "first")).await.unwrap().id;
        suite.create(running()).await.unwrap();
        deliver_customers(&suite, 20).await;
        let Entry::Assignment(mine) = assigned("ann", Arm::Treatment, hour(1)) else {
            panic!("no assignment")
        };
        let other = proto::AssignmentEntry { experiment_id: first.clone(), ..mine };
        suite.deliver([Entry::Assignment(other)]).await.unwrap();
        let broken = "update assignment set epoch = 99999999999 where customer_id = 'ann'";
        as_another(&suite, &[broken]).await;
        suite.clock.set(day(40));
        for id in [first.as_str(), SEED] {
            suite.patch(id, clicks(), &["secondary_metrics"]).await.unwrap();
        }
        assert!(suite.app.count_again().await.is_err(), "the failure is told");
        assert!(!is_counting(&suite).await);
        let unknown = "update tally set tally = replace(tally, '10000', '20000')
                       where customer_id = 'c0001'";
        as_another(&suite, &[unknown, "delete from tally where customer_id = 'c0002'"]).await;
        assert!(suite.app.recount().await.is_err());
        assert_ne!(shown_arms(&suite).await, [(20, 20), (10, 0)], "it went on to the second");
    })
    .await;
}
