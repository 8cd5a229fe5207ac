//! Killed under load, started again on the same data: what was acknowledged is there.

use conformance::{
    acknowledged::Acknowledgments,
    campaign,
    http::Client,
    suite::{Shape, Store, Suite},
};

const WRITERS: usize = 8;
const KILLS: usize = 3;
/// Acknowledgments between two kills.
const LEAST_ACKNOWLEDGED: usize = 300;

/// Writes about one customer after the other, until the server is gone.
async fn write(client: Client, done: Acknowledgments, name: String) {
    for turn in 0.. {
        if done.write(&client, format!("{name}-{turn}"), turn).await.is_err() {
            return;
        }
    }
}

async fn check(store: Store) {
    let mut suite = Suite::start(Shape::AllInOne, store).await.unwrap();
    campaign::configure(&suite.base).await.unwrap();
    let done = Acknowledgments::default();
    for round in 1..=KILLS {
        let before = done.count();
        let writer = |writer| {
            tokio::spawn(write(suite.client(), done.clone(), format!("w{writer}-r{round}")))
        };
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        while done.count() < before + LEAST_ACKNOWLEDGED {
            suite.is_alive().unwrap();
            tokio::task::yield_now().await;
        }
        suite.processes[0].kill().unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
        suite.restart().await.unwrap();
        println!("kill {round}: {} acknowledged since the last", done.count() - before);
    }
    let client = suite.client();
    let mut lost = Vec::new();
    for one in done.all() {
        if !one.is_there(&client).await {
            lost.push(one);
        }
    }
    println!("{store:?}: {} acknowledged, {} lost", done.count(), lost.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(done.count() >= KILLS * LEAST_ACKNOWLEDGED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_on_sqlite() {
    check(Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_on_postgres() {
    check(Store::Postgres).await;
}
