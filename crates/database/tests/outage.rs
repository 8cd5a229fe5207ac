//! What callers of a store see while its server is away, dead or hung, and when it is back.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{net::SocketAddr, time::Duration};

use database::{Database, Location, PoolSizes, Select};
use futures::FutureExt as _;
use testkit::Postgres;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A wait that no test would end: what ends it is the news that the server is away.
const ENDLESS: Duration = Duration::from_secs(24 * 60 * 60);

async fn open(url: &str) -> Database {
    let sizes = PoolSizes { connections_max: 2, acquire_timeout: ENDLESS };
    Database::open(&Location::Url(url.to_owned()), "outage", sizes, &[]).await.unwrap()
}

async fn reads(database: &Database) -> bool {
    Select::new("select 1::bigint").one::<(i64,)>(database).await.is_ok()
}

async fn becomes(database: &Database, is_here: bool) {
    let mut presence = database.presence();
    while presence.is_here() != is_here {
        presence.changed().await;
    }
}

/// After the first call every call fails without any wait, however many there are.
async fn fails_at_once(database: &Database) {
    for _ in 0..16 {
        assert_eq!(reads(database).now_or_never(), Some(false));
        assert!(database.begin().now_or_never().unwrap().is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_fail_at_once_while_a_dead_server_is_away_and_work_again_when_it_is_back() {
    let mut server = Postgres::start().unwrap();
    let database = open(&server.url).await;
    assert!(reads(&database).await);
    let mut open_transaction = database.begin().await.unwrap();
    server.crash().unwrap();
    // The first call finds out; it does not wait for a connection until its time is up.
    while reads(&database).await {}
    becomes(&database, false).await;
    fails_at_once(&database).await;
    let within = Select::new("select 1::bigint").one::<(i64,)>(&mut open_transaction).await;
    assert!(within.is_err());
    drop(open_transaction);
    tokio::task::block_in_place(|| server.start_again()).unwrap();
    becomes(&database, true).await;
    while !reads(&database).await {}
    database.begin().await.unwrap().commit().await.unwrap();
}

/// Forwards connections to the server, or keeps silent while `is_silent`.
async fn forward(listener: TcpListener, server: SocketAddr, is_silent: watch::Receiver<bool>) {
    while let Ok((mut caller, _)) = listener.accept().await {
        let mut is_silent = is_silent.clone();
        tokio::spawn(async move {
            let mut server = TcpStream::connect(server).await.unwrap();
            loop {
                let speaks = is_silent.wait_for(|is_silent| !is_silent).await.is_ok();
                if !speaks {
                    return;
                }
                // Silence comes first: nothing that is sent after it passes.
                tokio::select! {
                    biased;
                    _ = is_silent.wait_for(|is_silent| *is_silent) => {}
                    _ = copy_bidirectional(&mut caller, &mut server) => return,
                }
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_away_also_for_calls_that_wait_for_its_answer() {
    let url = testkit::fresh_database_url().await;
    let (head, rest) = url.split_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let between = format!("{head}@{}/{name}", listener.local_addr().unwrap());
    let silence = watch::Sender::new(false);
    tokio::spawn(forward(listener, address.parse().unwrap(), silence.subscribe()));

    let database = open(&between).await;
    assert!(reads(&database).await);
    let mut held = database.begin().await.unwrap();
    let locked = Select::new("select 1::bigint").one::<(i64,)>(&mut held).await.unwrap();
    assert_eq!(locked, (1,));
    silence.send_replace(true);
    // One waits for an answer, one for the commit, one for a connection: all are answered.
    let (read, committed, begun) = tokio::join!(reads(&database), held.commit(), database.begin());
    assert!(!read && committed.is_err() && begun.is_err());
    becomes(&database, false).await;
    fails_at_once(&database).await;
    silence.send_replace(false);
    becomes(&database, true).await;
    while !reads(&database).await {}
}

#[tokio::test]
async fn a_file_is_never_away() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().to_owned());
    let database = Database::open(&location, "outage", PoolSizes::default(), &[]).await.unwrap();
    let mut presence = database.presence();
    assert!(presence.is_here());
    assert!(presence.changed().now_or_never().is_none());
}
