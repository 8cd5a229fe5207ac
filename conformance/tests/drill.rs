//! The drills at one twentieth of their size. The full size is `cargo xtask drill policy`,
//! `cargo xtask drill decision` and `cargo xtask rehearse`.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use conformance::{
    drill::{
        Order, Report, Size, Time, attack, cap, idempotency, kill, rehearse, replay, soak, upgrade,
        withdrawal,
    },
    process,
    suite::Store,
};

const SEED: u64 = 20_261_125;

async fn check(store: Store, run: impl AsyncFn(&Order) -> anyhow::Result<Report>) {
    // A busy machine does less of it in this time; the report says how much.
    check_within(Duration::from_secs(75), store, run).await;
}

async fn check_within(
    most: Duration,
    store: Store,
    run: impl AsyncFn(&Order) -> anyhow::Result<Report>,
) {
    let folder = tempfile::tempdir().unwrap();
    let time = Time::of(most);
    let order = Order {
        seed: SEED,
        size: Size::FULL.part(20),
        store,
        folder: folder.path().to_owned(),
        time,
    };
    run(&order).await.unwrap().judged().unwrap();
}

/// Two replicas and the server are killed; the naive ways overshoot on the same server.
#[tokio::test(flavor = "multi_thread")]
async fn no_cap_is_passed_and_no_acknowledgement_lost_while_policy_and_postgres_are_killed() {
    check(Store::Postgres, cap::run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cap_is_passed_and_no_acknowledgement_lost_while_policy_on_sqlite_is_killed() {
    check(Store::Sqlite, cap::run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_begins_after_an_answered_withdrawal_makes_contact() {
    check(Store::Postgres, withdrawal::run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_sent_sixty_four_times_at_once_takes_one_set_of_slots() {
    check(Store::Postgres, idempotency::run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_on_sqlite_come_out_the_same_after_every_edit_and_a_restart() {
    check(Store::Sqlite, replay::run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_on_postgres_come_out_the_same_after_every_edit_and_a_restart() {
    check(Store::Postgres, replay::run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_rolled_killed_and_added_and_no_call_fails_and_no_cap_is_passed() {
    check(Store::Postgres, rehearse::run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_while_every_service_and_postgres_are_killed() {
    check(Store::Postgres, kill::run).await;
}

/// Seconds instead of half an hour: the rig alone, whose long read must keep a log open. That a log
/// has a bound shows in the tests of `database`, with more written.
#[tokio::test(flavor = "multi_thread")]
async fn while_it_writes_and_reads_last_long_logs_keep_their_bound_and_nothing_is_lost() {
    check_within(Duration::from_secs(6), Store::Sqlite, soak::run).await;
}

/// The rig alone: both versions are this one. `cargo xtask drill upgrade` builds the one before.
#[tokio::test(flavor = "multi_thread")]
async fn two_versions_serve_the_same_postgres_and_each_makes_the_decisions_of_the_other() {
    let proffer = process::program("proffer").unwrap();
    check(Store::Postgres, async |order: &Order| upgrade::run(order, &proffer, &proffer).await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_callers_take_neither_memory_nor_the_turns_of_an_honest_one() {
    check_within(Duration::from_secs(30), Store::Sqlite, attack::run).await;
}
