//! The write-ahead log of an SQLite file has a bound.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use database::{Database, Location, PoolSizes, execute};

/// One mebibyte.
const MIB: u64 = 1 << 20;
/// More than the log may be long.
const WRITTEN: u64 = 80 * MIB;

async fn open(folder: &Path) -> Database {
    let location = Location::Folder(folder.to_owned());
    let database = Database::open(&location, "notes", PoolSizes::default(), &[]).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    let create = "create table if not exists note (number integer primary key, text blob)";
    execute!(&mut transaction, sqlx::query(create)).unwrap();
    transaction.commit().await.unwrap();
    database
}

async fn write(database: &Database) {
    for _ in 0..WRITTEN / MIB {
        let mut transaction = database.begin().await.unwrap();
        let insert = "insert into note (text) values (randomblob(1048576))";
        execute!(&mut transaction, sqlx::query(insert)).unwrap();
        transaction.commit().await.unwrap();
    }
}

fn length(folder: &Path) -> u64 {
    std::fs::metadata(folder.join("notes.sqlite-wal")).unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_short_while_much_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    write(&database).await;
    assert!(length(folder.path()) < 8 * MIB, "{}", length(folder.path()));
    database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_read_kept_open_is_cut_once_the_read_ends() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let reader = rusqlite::Connection::open(folder.path().join("notes.sqlite")).unwrap();
    let begin = "begin; select count(*) from note";
    reader.execute_batch(begin).unwrap();
    write(&database).await;
    let location = Location::Folder(folder.path().to_owned());
    Database::cut_log(&location, "notes").await.unwrap();
    assert!(length(folder.path()) > WRITTEN, "the read needs it");
    reader.execute_batch("commit").unwrap();
    Database::cut_log(&location, "notes").await.unwrap();
    assert_eq!(length(folder.path()), 0);
    database.close().await;
}
