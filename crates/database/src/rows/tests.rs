//! Rows arrive as they were sent.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{Database, Location, PoolSizes, Select};

const COLUMNS: Columns = &[
    ("place", Kind::Integer),
    ("word", Kind::Text),
    ("number", Kind::Integer),
    ("truth", Kind::Boolean),
    ("bytes", Kind::Bytes),
];

type Sent = (Option<&'static str>, Option<i64>, Option<bool>, Option<&'static [u8]>);
type Found = (Option<String>, Option<i64>, Option<i64>, Option<Vec<u8>>);

const ROWS: [Sent; 4] = [
    (Some("o'clock \"\u{ff}\" \\ \u{1f550}"), Some(i64::MAX), Some(true), Some(&[0, 255, 34])),
    (Some(""), Some(i64::MIN), Some(false), Some(&[])),
    (None, None, None, None),
    (Some("null"), Some(0), Some(true), Some(b"[]")),
];

/// Sends rows between other parameters and takes them back.
async fn arrive(database: &Database, sent: &[Sent]) {
    let mut rows = Rows::new(COLUMNS);
    for (place, (word, number, truth, bytes)) in sent.iter().enumerate() {
        rows.push([
            place.into(),
            (*word).into(),
            (*number).into(),
            Cell::Boolean(*truth),
            Cell::Bytes(*bytes),
        ]);
    }
    let dialect = database.dialect();
    let sql = format!(
        "select word, number,
           cast(case when truth then 1 when not truth then 0 end as bigint), bytes
         from {} asked where $1 = 'first' and ${} = 'last' order by place",
        rows.table(dialect, 2),
        2 + dialect.parameters(COLUMNS, rows.count()),
    );
    let select = || Select::new(sql.as_str()).bind("first").bind_rows(&rows).bind("last");
    let (found, briefly): (Vec<Found>, Vec<Found>) =
        (select().all(database).await.unwrap(), select().brief().all(database).await.unwrap());
    assert_eq!(found, briefly);
    let found = found.iter().map(|(word, number, truth, bytes)| {
        (word.as_deref(), *number, truth.map(|truth| truth == 1), bytes.as_deref())
    });
    assert_eq!(found.collect::<Vec<_>>(), sent);
}

async fn all_arrive(location: Location) {
    let database = Database::open(&location, "rows", PoolSizes::default(), &[]).await.unwrap();
    arrive(&database, &[]).await;
    arrive(&database, &ROWS).await;
    for row in ROWS {
        arrive(&database, &[row]).await;
    }
}

#[tokio::test]
async fn none_one_or_many_arrive_as_they_were_sent_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    all_arrive(Location::Folder(folder.path().to_owned())).await;
}

#[tokio::test]
async fn none_one_or_many_arrive_as_they_were_sent_on_postgres() {
    all_arrive(Location::Url(testkit::fresh_database_url().await)).await;
}
