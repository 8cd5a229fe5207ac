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

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_store_is_whole_in_its_one_file_though_a_reader_was_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    write(&database).await;
    let reader = rusqlite::Connection::open(folder.path().join("notes.sqlite")).unwrap();
    reader.execute_batch("select count(*) from note").unwrap();
    assert!(length(folder.path()) > 0);
    database.close().await;
    assert_eq!(length(folder.path()), 0);
    let copy = folder.path().join("copy.sqlite");
    std::fs::copy(folder.path().join("notes.sqlite"), &copy).unwrap();
    let copy = rusqlite::Connection::open(copy).unwrap();
    let count: i64 = copy.query_row("select count(*) from note", [], |row| row.get(0)).unwrap();
    assert_eq!(count.unsigned_abs(), WRITTEN / MIB);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_may_read_what_is_created() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data").join("here");
    let database = open(&folder).await;
    write(&database).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(folder.parent().unwrap())), (0o700, 0o700));
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    database.close().await;
    drop(database);
    // What an operator has set stays.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o750)).unwrap();
    open(&folder).await.close().await;
    assert_eq!(mode(&folder), 0o750);
}
