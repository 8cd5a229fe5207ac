//! A store of another version is refused with the way out, and left as it is.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;

use database::{Database, Location, Migrations, PoolSizes, Select};
use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// Steps of a service, each a number and its text.
fn steps(all: &[(i64, &'static str)]) -> [Migrations; 1] {
    let step = |(number, text): &(i64, &'static str)| {
        let (name, kind) = (Cow::Borrowed("step"), MigrationType::Simple);
        Migration::new(*number, name, kind, text.into_sql_str(), false)
    };
    let migrations = all.iter().map(step).collect::<Vec<_>>().into();
    let migrator: &Migrator = Box::leak(Box::new(Migrator { migrations, ..Migrator::DEFAULT }));
    [Migrations { sqlite: migrator, postgres: migrator }]
}

async fn another_version_is_refused(location: &Location, says: &[&str]) {
    let open = async |all: &[(i64, &'static str)]| {
        let opened = Database::open(location, "notes", PoolSizes::default(), &steps(all)).await;
        match opened {
            Ok(database) => {
                let notes = Select::new("select number from note").all(&database).await;
                let notes: Vec<(i64,)> = notes.unwrap();
                database.close().await;
                Ok(notes.len())
            }
            Err(error) => Err(format!("{error:#}")),
        }
    };
    let first = (100, "create table note (number bigint)");
    let second = (101, "insert into note values (1)");
    assert_eq!(open(&[first]).await, Ok(0));
    assert_eq!(open(&[first, second]).await, Ok(1));
    let other = (100, "create table note (number bigint, text varchar(9))");
    for steps in [vec![first], vec![other, second], vec![other], vec![(102, second.1)]] {
        let message = open(&steps).await.unwrap_err();
        assert!(says.iter().all(|part| message.contains(part)), "{message}");
        assert!(!message.contains("migrat"), "{message}");
    }
    assert_eq!(open(&[first, second]).await, Ok(1));
}

#[tokio::test]
async fn a_file_of_another_version_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let (file, remedy) = (format!("{path}/notes.sqlite"), format!("remove the folder {path}"));
    let location = Location::Folder(folder.path().to_owned());
    another_version_is_refused(&location, &[&file, "another version", &remedy]).await;
}

#[tokio::test]
async fn a_schema_of_another_version_is_refused_with_the_way_out() {
    let says = ["the schema proffer_notes", "another version", "cascade"];
    another_version_is_refused(&Location::Url(testkit::fresh_database_url().await), &says).await;
}
