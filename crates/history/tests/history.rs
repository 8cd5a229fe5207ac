//! The log's promises, on both stores.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use database::{Database, Location, PoolSizes};
use futures::StreamExt as _;
use history::{AsOf, Change, Heartbeat, History, HistoryError, IdChoice, Present, Write};

async fn on_both(check: impl AsyncFn(History)) {
    let folder = tempfile::tempdir().unwrap();
    check(open(&Location::Folder(folder.path().to_owned())).await).await;
    check(open(&Location::Url(testkit::fresh_database_url().await)).await).await;
}

async fn open(location: &Location) -> History {
    History::new(
        Database::open(location, "history", PoolSizes::default(), &[history::migrations()])
            .await
            .unwrap(),
    )
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

async fn write(history: &History, second: i64, write: Write) -> Result<Present, HistoryError> {
    history.write(Change { tenant: "t", actor: "ann", at: at(second), kind: "offer", write }).await
}

fn create(name: &str) -> Write {
    Write::Create {
        id: IdChoice::FromName { prefix: "off" },
        name: name.into(),
        payload: name.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_appends_and_the_present_follows() {
    on_both(async |history| {
        let created = write(&history, 1, create("Apparel")).await.unwrap();
        assert_eq!((created.id.as_str(), created.revision), ("off_apparel", 1));
        let update = |expected: &str| Write::Update {
            id: "off_apparel".into(),
            name: "Apparel".into(),
            payload: b"new".to_vec(),
            expected: Some(expected.into()),
        };
        let updated = write(&history, 2, update(&created.etag)).await.unwrap();
        assert_eq!((updated.revision, updated.created_at, updated.updated_at), (2, at(1), at(2)));
        assert!(matches!(
            write(&history, 3, update(&created.etag)).await,
            Err(HistoryError::StaleEtag { .. })
        ));
        assert_eq!(history.find("t", "offer", "APPAREL").await.unwrap().payload, b"new");
        assert_eq!(history.head("t").await.unwrap(), 2);
        assert_eq!(history.head("other").await.unwrap(), 0);
        let before =
            history.as_of("t", "offer", "off_apparel", AsOf::Revision(1)).await.unwrap().unwrap();
        assert_eq!(before.payload, Some(b"Apparel".to_vec()));
        assert_eq!(
            history.as_of("t", "offer", "off_apparel", AsOf::Time(at(0))).await.unwrap(),
            None
        );
        assert_eq!(history.verify("t").await.unwrap().first_bad, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_never_used_again_and_a_name_is_free_after_a_delete() {
    on_both(async |history| {
        write(&history, 1, create("Home")).await.unwrap();
        assert!(matches!(
            write(&history, 1, create("home")).await,
            Err(HistoryError::AlreadyExists { attribute: "name", .. })
        ));
        write(&history, 2, Write::Delete { id: "off_home".into(), expected: None }).await.unwrap();
        assert!(matches!(
            history.find("t", "offer", "off_home").await,
            Err(HistoryError::NotFound { .. })
        ));
        assert_eq!(write(&history, 3, create("Home")).await.unwrap().id, "off_home_2");
        let given = Write::Create {
            id: IdChoice::Given("off_home".into()),
            name: "X".into(),
            payload: Vec::new(),
        };
        assert!(matches!(
            write(&history, 4, given).await,
            Err(HistoryError::AlreadyExists { attribute: "id", .. })
        ));
        assert!(matches!(
            write(&history, 5, Write::Delete { id: "off_home".into(), expected: None }).await,
            Err(HistoryError::NotFound { .. })
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_deleted_resource_can_be_revived() {
    on_both(async |history| {
        let revive = || Write::Revive {
            id: "off_home".into(),
            name: "Home".into(),
            payload: b"again".to_vec(),
        };
        assert!(matches!(write(&history, 1, revive()).await, Err(HistoryError::NotFound { .. })));
        write(&history, 1, create("Home")).await.unwrap();
        assert!(matches!(
            write(&history, 2, revive()).await,
            Err(HistoryError::AlreadyExists { attribute: "id", .. })
        ));
        write(&history, 3, Write::Delete { id: "off_home".into(), expected: None }).await.unwrap();
        let revived = write(&history, 4, revive()).await.unwrap();
        assert_eq!((revived.revision, revived.created_at, revived.updated_at), (3, at(1), at(4)));
        assert_eq!(history.find("t", "offer", "home").await.unwrap().payload, b"again");
        let past = history.past("t", "offer", "off_home", i64::MAX, 2).await.unwrap();
        let past: Vec<_> =
            past.iter().map(|entry| (entry.revision, entry.payload.is_some())).collect();
        assert_eq!(past, [(3, true), (2, false)]);
        assert_eq!(history.past("t", "offer", "off_home", 2, 2).await.unwrap().len(), 1);
        assert_eq!(history.verify("t").await.unwrap().first_bad, None);
    })
    .await;
}

/// PostgreSQL refuses such text; that is no fault of the store.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_named_with_a_null_character() {
    on_both(async |history| {
        assert!(matches!(
            history.find("t", "offer", "a\0b").await,
            Err(HistoryError::NotFound { .. })
        ));
    })
    .await;
}

/// Without the lock on the head two writers would read the same head and fork the chain.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_writers_leave_no_gap_and_no_fork() {
    on_both(async |history| {
        let writers = (0..32).map(|writer| {
            let history = history.clone();
            tokio::spawn(async move {
                for n in 0..8 {
                    write(&history, n, create(&format!("Offer {writer} {n}"))).await.unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let revisions: BTreeSet<_> = history
            .entries("t", 0, 1_000)
            .await
            .unwrap()
            .iter()
            .map(|entry| entry.revision)
            .collect();
        assert_eq!(revisions, (1..=256).collect());
        let verified = history.verify("t").await.unwrap();
        assert_eq!((verified.entries, verified.first_bad), (256, None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_what_was_and_what_comes() {
    on_both(async |history| {
        let mut empty = Box::pin(history.watch("t".into(), 0, Heartbeat::None));
        assert_eq!(empty.next().await.unwrap().unwrap(), (Vec::new(), 0));
        write(&history, 1, create("A")).await.unwrap();
        let (changes, head) = empty.next().await.unwrap().unwrap();
        assert_eq!((changes.len(), changes[0].name.as_str(), head), (1, "A", 1));
        write(&history, 2, Write::Delete { id: "off_a".into(), expected: None }).await.unwrap();
        let (changes, head) = empty.next().await.unwrap().unwrap();
        assert_eq!((changes[0].deleted, head), (true, 2));
        let mut late = Box::pin(history.watch("t".into(), 1, Heartbeat::None));
        assert_eq!(late.next().await.unwrap().unwrap().0.len(), 1);
    })
    .await;
}

/// Nothing changes, and the watch still yields: it is alive.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_with_a_heartbeat_yields_while_nothing_changes() {
    on_both(async |history| {
        let mut watch = Box::pin(history.watch("t".into(), 0, Heartbeat::Every600Ms));
        for _ in 0..3 {
            assert_eq!(watch.next().await.unwrap().unwrap(), (Vec::new(), 0));
        }
        write(&history, 1, create("A")).await.unwrap();
        let (changes, head) = watch.next().await.unwrap().unwrap();
        assert_eq!((changes.len(), head), (1, 1));
        assert_eq!(watch.next().await.unwrap().unwrap(), (Vec::new(), 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_inside_a_transaction_stands_or_falls_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let places = [
        Location::Folder(folder.path().to_owned()),
        Location::Url(testkit::fresh_database_url().await),
    ];
    for place in places {
        let steps = [history::migrations()];
        let database =
            Database::open(&place, "history", PoolSizes::default(), &steps).await.unwrap();
        let history = History::new(database.clone());
        let change = || Change {
            tenant: "t",
            actor: "ann",
            at: at(1),
            kind: "offer",
            write: create("Home"),
        };
        let mut dropped = database.begin().await.unwrap();
        history.write_in(&mut dropped, change()).await.unwrap();
        drop(dropped);
        assert_eq!(history.head("t").await.unwrap(), 0);
        let mut committed = database.begin().await.unwrap();
        assert_eq!(history.write_in(&mut committed, change()).await.unwrap().id, "off_home");
        committed.commit().await.unwrap();
        history.ring();
        assert_eq!(history.find("t", "offer", "home").await.unwrap().revision, 1);
    }
}
