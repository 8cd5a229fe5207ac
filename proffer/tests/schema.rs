//! The schema of the first version is N-1: its programs go on working beside every later step that
//! expands. What they read and write stays as it was.

#![allow(clippy::unwrap_used)]

use std::{borrow::Cow, collections::BTreeMap};

use database::{Database, Location, Migrations, Schema};
use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

fn schemas() -> [Schema; 4] {
    [catalog_svc::schema(), policy_svc::schema(), decision_svc::schema(), experiment_svc::schema()]
}

/// The steps of `schema` whose names are chosen.
fn only(schema: &Schema, is_chosen: fn(&str) -> bool) -> Schema {
    let chosen = |migrator: &'static Migrator| -> &'static Migrator {
        let steps = migrator.iter().filter(|step| is_chosen(&step.description)).cloned();
        Box::leak(Box::new(Migrator { migrations: steps.collect(), ..Migrator::DEFAULT }))
    };
    let both = |one: &Migrations| Migrations {
        sqlite: chosen(one.sqlite),
        postgres: chosen(one.postgres),
    };
    Schema { service: schema.service, steps: schema.steps.iter().map(both).collect() }
}

fn is_first(name: &str) -> bool {
    !name.starts_with("expand ") && !name.starts_with("contract ")
}

fn is_no_contract(name: &str) -> bool {
    !name.starts_with("contract ")
}

/// What a program relies on when it reads and writes rows.
#[derive(Debug, Default, PartialEq)]
struct Shape {
    /// By table and column: its type, and whether a row may leave it out.
    columns: BTreeMap<(String, String), (String, bool)>,
    /// Table and name of every unique index.
    unique: Vec<(String, String)>,
}

async fn shape(database: &Database, service: &str) -> Shape {
    type Column = (String, String, String, bool);
    let (columns, unique): (Vec<Column>, _) = match database {
        Database::Sqlite { writer, .. } => {
            let columns = "select held.name, its.name, its.type,
                                  its.\"notnull\" = 0 or its.dflt_value is not null
                           from sqlite_master held join pragma_table_info(held.name) its
                           where held.type = 'table'";
            let unique = "select tbl_name, name from sqlite_master
                          where type = 'index' and lower(sql) like 'create unique%'";
            (
                sqlx::query_as(columns).fetch_all(writer).await.unwrap(),
                sqlx::query_as(unique).fetch_all(writer).await.unwrap(),
            )
        }
        Database::Postgres(link) => {
            let columns = "select table_name::text, column_name::text, data_type::text,
                                  is_nullable = 'YES' or column_default is not null
                           from information_schema.columns where table_schema = $1";
            let unique = "select tablename::text, indexname::text from pg_indexes
                          where schemaname = $1 and indexdef like 'CREATE UNIQUE%'";
            let schema = format!("proffer_{service}");
            (
                sqlx::query_as(columns).bind(&schema).fetch_all(link.direct()).await.unwrap(),
                sqlx::query_as(unique).bind(&schema).fetch_all(link.direct()).await.unwrap(),
            )
        }
    };
    let columns = columns.into_iter();
    let columns = columns.map(|(table, column, kind, free)| ((table, column), (kind, free)));
    Shape { columns: columns.collect(), unique }
}

/// What breaks a program of `before` on `after`.
fn broken(before: &Shape, after: &Shape) -> Vec<String> {
    let mut found = Vec::new();
    for ((table, column), (kind, is_free)) in &before.columns {
        match after.columns.get(&(table.clone(), column.clone())) {
            None => found.push(format!("{table}.{column} is gone")),
            Some((now, _)) if now != kind => found.push(format!("{table}.{column} is {now} now")),
            Some((_, now)) if *is_free && !now => {
                found.push(format!("{table}.{column} must not be left out any more"));
            }
            Some(_) => {}
        }
    }
    let is_old = |table: &str| before.columns.keys().any(|(known, _)| known == table);
    for ((table, column), (_, is_free)) in &after.columns {
        let is_new = !before.columns.contains_key(&(table.clone(), column.clone()));
        if is_old(table) && is_new && !is_free {
            found.push(format!("{table}.{column} is new and must not be left out"));
        }
    }
    for (table, index) in &after.unique {
        if is_old(table) && !before.unique.contains(&(table.clone(), index.clone())) {
            found.push(format!("{index} is new and refuses rows of {table}"));
        }
    }
    found
}

/// What the expanding steps of `schema` break for programs of the first version.
async fn broken_by(schema: &Schema, location: &Location) -> Vec<String> {
    let mut shapes = Vec::new();
    for steps in [only(schema, is_first), only(schema, is_no_contract)] {
        let database = steps.open(location).await.unwrap();
        shapes.push(shape(&database, schema.service).await);
        database.close().await;
    }
    let [before, after] = shapes.as_slice() else { panic!("there are two shapes") };
    assert!(!before.columns.is_empty());
    broken(before, after)
}

#[tokio::test]
async fn what_programs_of_the_previous_version_read_and_write_stays() {
    let folder = tempfile::tempdir().unwrap();
    for location in
        [Location::Folder(folder.path().into()), Location::Url(testkit::fresh_database_url().await)]
    {
        for schema in schemas() {
            assert_eq!(broken_by(&schema, &location).await, [""; 0], "{}", schema.service);
        }
    }
}

/// The check above sees what would break.
#[tokio::test]
async fn an_expansion_that_breaks_the_previous_version_is_found() {
    const FIRST: &str = "create table note (number bigint, text varchar(9))";
    for (step, expected) in [
        ("create table other (number bigint not null)", ""),
        ("alter table note add column free varchar(9)", ""),
        ("alter table note add column full_ varchar(9) not null default 'x'", ""),
        ("create index note_by_number on note (number)", ""),
        ("alter table note drop column text", "note.text is gone"),
        ("create unique index note_once on note (number)", "note_once is new"),
        (
            "drop table note;
             create table note (number bigint, text varchar(9), more bigint not null)",
            "note.more is new and must not be left out",
        ),
        (
            "drop table note; create table note (number varchar(9), text varchar(9))",
            "note.number is ",
        ),
        (
            "drop table note; create table note (number bigint not null, text varchar(9))",
            "note.number must not be left out any more",
        ),
    ] {
        let made = |number: i64, name: &'static str, text: &'static str| {
            let (name, kind) = (Cow::Borrowed(name), MigrationType::Simple);
            Migration::new(number, name, kind, text.into_sql_str(), false)
        };
        let migrations = vec![made(100, "notes", FIRST), made(101, "expand note", step)].into();
        let steps: &Migrator = Box::leak(Box::new(Migrator { migrations, ..Migrator::DEFAULT }));
        let steps = vec![Migrations { sqlite: steps, postgres: steps }];
        let schema = Schema { service: "notes", steps };
        let folder = tempfile::tempdir().unwrap();
        for location in [
            Location::Folder(folder.path().into()),
            Location::Url(testkit::fresh_database_url().await),
        ] {
            let found = broken_by(&schema, &location).await.join("; ");
            let is_found = !expected.is_empty();
            assert!(found.contains(expected) && is_found != found.is_empty(), "{step}: {found}");
        }
    }
}
