//! Up to which instant experiment-svc may count, over all processes and after a restart.

use std::time::Duration;

use database::Location;
use proffer_proto::{
    decision::v1 as proto,
    experiment::v1::{OutcomeEntry, ledger_entry::Entry},
    values::v1::{Value, value::Kind},
};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{
    neighbours::Fakes,
    suite::{NOW_US, Suite, holdout, on_both, report},
};

/// Returns once `is_so`; looks again all the time.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    while !is_so().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn counted_through(fakes: &Fakes) -> i64 {
    fakes.script.lock().unwrap().counted_through
}

/// One process has received an outcome and not recorded it; the other delivers meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_is_open_in_one_process_holds_back_what_another_one_tells() {
    let url = testkit::fresh_database_url().await;
    let fakes = Fakes::new();
    let one = Suite::start(&Location::Url(url.clone()), fakes.clone()).await;
    let two = Suite::start(&Location::Url(url.clone()), fakes.clone()).await;
    one.respond(report("held", "click", "k0")).await.unwrap();
    fakes.delivered(2).await;
    // A process that records something about this customer waits.
    let mut locking = PgConnection::connect(&url).await.unwrap();
    let mut watching = PgConnection::connect(&url).await.unwrap();
    let mut lock = locking.begin().await.unwrap();
    let select = "select 1 from proffer_decision.customer where customer_id = 'held' for update";
    lock.execute(select).await.unwrap();
    two.clock.set(serve::from_micros(NOW_US + 5_000_000));
    let mut outcomes = two.outcomes.clone();
    let request = proto::RespondRequest { outcome: Some(report("held", "click", "k1")) };
    let held = tokio::spawn(async move { outcomes.respond(request).await });
    let mut waits = async || {
        let query = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let (count,): (i64,) = sqlx::query_as(query).fetch_one(&mut watching).await.unwrap();
        count > 0
    };
    until(&mut waits).await;
    let received_us = NOW_US + 5_000_000;
    for suite in [&one, &two] {
        suite.clock.set(serve::from_micros(received_us + 10_000_000));
    }
    // The first process delivers, again and again, until the second one has noted that it is only
    // as far as the receipt.
    let mut number = 0;
    let mut tell = async || {
        number += 1;
        one.respond(report("free", "click", &format!("k{number}"))).await.unwrap();
        fakes.delivered(2 + 2 * number).await;
        let through = counted_through(&fakes);
        assert!(through < received_us, "{through} is past a receipt of {received_us}");
        through == received_us - 1
    };
    until(&mut tell).await;
    lock.rollback().await.unwrap();
    held.await.unwrap().unwrap();
    // The last delivery may have been made before the receipt was closed; further ones follow.
    let mut number = 1_000;
    let mut is_told = async || {
        number += 1;
        one.respond(report("free", "click", &format!("k{number}"))).await.unwrap();
        counted_through(&fakes) == received_us + 9_999_999
    };
    until(&mut is_told).await;
}

/// A process that starts knows of no delivery, and experiments wait all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_an_experiment_is_told_of_after_a_restart() {
    let location = Location::Url(testkit::fresh_database_url().await);
    let fakes = Fakes::new();
    let suite = Suite::start(&location, fakes.clone()).await;
    fakes.write_experiment(&holdout(50));
    suite.respond(report("ann", "click", "k1")).await.unwrap();
    fakes.delivered(2).await;
    drop(suite);
    fakes.script.lock().unwrap().counted_through = 0;
    let _suite = Suite::start(&location, fakes.clone()).await;
    until(async || counted_through(&fakes) == NOW_US - 1).await;
}

/// Experiments end while nothing happens, and their verdicts wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_an_experiment_is_told_of_while_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().to_owned());
    let suite = Suite::start(&location, Fakes::new()).await;
    suite.fakes.write_experiment(&holdout(50));
    suite.respond(report("ann", "click", "k1")).await.unwrap();
    for second in [0, 1] {
        let now_us = NOW_US + second * 1_000_000;
        suite.clock.set(serve::from_micros(now_us));
        until(async || counted_through(&suite.fakes) == now_us - 1).await;
    }
}

/// A refund is negative, and a conversion without an amount has none: neither is 0.
#[tokio::test(flavor = "multi_thread")]
async fn an_amount_reaches_experiments_as_it_was_reported_or_not_at_all() {
    on_both(async |suite| {
        let amounts = [None, Some("0"), Some("-19.9"), Some("19.9001")];
        for (number, amount) in amounts.into_iter().enumerate() {
            let value = amount.map(|text| Kind::DecimalValue(text.to_owned()));
            let value = value.map(|kind| Value { kind: Some(kind) });
            let sale = report("c", "conversion", &format!("order-{number}"));
            suite.respond(proto::OutcomeReport { value, ..sale }).await.unwrap();
        }
        suite.fakes.delivered(2 * amounts.len()).await;
        let script = suite.fakes.script.lock().unwrap();
        let sent = script.entries.iter().filter_map(|entry| match &entry.entry {
            Some(Entry::Outcome(OutcomeEntry { value_e4, .. })) => Some(*value_e4),
            _ => None,
        });
        let sent: Vec<_> = sent.collect();
        assert_eq!(sent, [None, Some(0), Some(-199_000), Some(199_001)]);
    })
    .await;
}

/// Somebody showed what was withheld: the experiments that held the customer out hear of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_impression_on_a_held_out_decision_names_the_experiments() {
    on_both(async |suite| {
        let revision = suite.fakes.write_experiment(&holdout(100));
        let asked = proto::RecommendRequest {
            min_revision: vec![format!("experiment:{revision}")],
            ..super::suite::question("cust_lapsed_1")
        };
        let decision_id = suite.recommend(asked).await.unwrap().decision_id.unwrap();
        for (key, outcome) in [("k1", "impression"), ("k2", "click")] {
            let shown = proto::OutcomeReport {
                decision_id: decision_id.clone(),
                ..report("cust_lapsed_1", outcome, key)
            };
            suite.respond(shown).await.unwrap();
        }
        suite.fakes.delivered(2 + 4).await;
        let script = suite.fakes.script.lock().unwrap();
        let named = script.entries.iter().filter_map(|entry| match &entry.entry {
            Some(Entry::Outcome(outcome)) => Some((&*outcome.key, outcome.held_out_of.join(","))),
            _ => None,
        });
        let named: Vec<_> = named.collect();
        assert_eq!(named, [("impression", "exp_1".to_owned()), ("click", String::new())]);
        assert!(script.outcomes.iter().all(|fact| fact.flow_id == "flow_winback"));
    })
    .await;
}
