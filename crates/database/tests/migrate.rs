//! Steps that later versions add: which versions run beside which steps, who may apply them, and
//! what the traffic notices.

#![allow(clippy::unwrap_used)]

use std::{borrow::Cow, cell::Cell, time::Duration};

use database::{Database, Location, Migrations, Patience, PoolSizes, Schema, Select};
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// A step: its number, its name and its text. A text that begins with `create index concurrently`
/// runs outside a transaction.
type Step = (i64, &'static str, &'static str);

const FIRST: Step = (100, "notes", "create table note (number bigint, text varchar(9))");
const EXPAND: Step = (101, "expand author", "alter table note add column author varchar(9)");
const CONTRACT: Step = (102, "contract needs 0101 drop text", "alter table note drop column text");

fn schema(all: &[Step]) -> Schema {
    let step = |(number, name, text): &Step| {
        let is_alone = text.starts_with("create index concurrently");
        let (name, kind) = (Cow::Borrowed(*name), MigrationType::Simple);
        Migration::new(*number, name, kind, text.into_sql_str(), is_alone)
    };
    let migrations = all.iter().map(step).collect::<Vec<_>>().into();
    let migrator: &Migrator = Box::leak(Box::new(Migrator { migrations, ..Migrator::DEFAULT }));
    Schema { service: "notes", steps: vec![Migrations { sqlite: migrator, postgres: migrator }] }
}

/// How many notes a version that knows `steps` sees, or why it refuses the store.
async fn opened(location: &Location, steps: &[Step]) -> Result<i64, String> {
    match schema(steps).open(location).await {
        Ok(database) => {
            let notes = Select::new("select count(*) from note").one(&database).await;
            let (notes,): (i64,) = notes.unwrap();
            database.close().await;
            Ok(notes)
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

async fn both() -> (tempfile::TempDir, [Location; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let places = [
        Location::Folder(folder.path().into()),
        Location::Url(testkit::fresh_database_url().await),
    ];
    (folder, places)
}

#[tokio::test]
async fn an_older_version_runs_beside_an_expanded_schema_and_not_beside_a_contracted_one() {
    let (_folder, places) = both().await;
    for location in &places {
        assert_eq!(opened(location, &[FIRST]).await, Ok(0));
        assert_eq!(opened(location, &[FIRST, EXPAND]).await, Ok(0));
        assert_eq!(opened(location, &[FIRST]).await, Ok(0), "N-1 beside N");
        assert_eq!(opened(location, &[FIRST, EXPAND, CONTRACT]).await, Ok(0));
        assert_eq!(opened(location, &[FIRST, EXPAND]).await, Ok(0), "N beside N+1");
        let refusal = opened(location, &[FIRST]).await.unwrap_err();
        assert!(refusal.contains("newer than this version of Proffer can use"), "{refusal}");
        assert!(refusal.contains("`0102 contract needs 0101 drop text`"), "{refusal}");
        assert!(refusal.contains("Start a newer version"), "{refusal}");
    }
}

/// Programs of the first version know one table of steps, and refuse what they do not know in it.
#[tokio::test]
async fn later_steps_are_kept_where_the_first_version_does_not_look() {
    let (_folder, places) = both().await;
    for location in &places {
        let database = schema(&[FIRST, EXPAND]).open(location).await.unwrap();
        for (table, expected) in [("_sqlx_migrations", 100), ("schema_step", 101)] {
            let rows = format!("select version from {table}");
            let rows: Vec<(i64,)> = match &database {
                Database::Sqlite { writer, .. } => {
                    sqlx::query_as(AssertSqlSafe(rows)).fetch_all(writer).await.unwrap()
                }
                Database::Postgres(link) => {
                    sqlx::query_as(AssertSqlSafe(rows)).fetch_all(link.direct()).await.unwrap()
                }
            };
            assert_eq!(rows, [(expected,)], "{table}");
        }
        database.close().await;
    }
}

#[tokio::test]
async fn a_service_that_does_not_migrate_names_the_command_and_changes_nothing() {
    let (folder, places) = both().await;
    for location in places {
        let migrated = Location::Migrated(Box::new(location.clone()));
        let command = match &location {
            Location::Folder(_) => {
                format!("Run `proffer migrate --data {}`", folder.path().display())
            }
            _ => "Run `proffer migrate` with the database URL of the schema's owner".to_owned(),
        };
        for (known, missing) in
            [(&[FIRST][..], "0100 notes"), (&[FIRST, EXPAND], "0101 expand author")]
        {
            let refusal = opened(&migrated, known).await.unwrap_err();
            let older = "is older than this version of Proffer needs";
            assert!(refusal.contains(older) && refusal.contains(missing), "{refusal}");
            assert!(refusal.contains(&command), "{refusal}");
            let applied = schema(known).migrate(&location).await.unwrap();
            assert_eq!(applied, [missing]);
            assert_eq!(opened(&migrated, known).await, Ok(0));
            assert_eq!(schema(known).migrate(&location).await.unwrap(), [""; 0], "idempotent");
        }
    }
}

/// An index built beside traffic waits for every open statement, also for that of a migrator which
/// waits its turn.
#[tokio::test]
async fn several_migrators_at_once_apply_each_step_once() {
    let location = Location::Url(testkit::fresh_database_url().await);
    let steps: &[Step] = &[
        FIRST,
        (101, "expand row", "insert into note (number) values (1)"),
        (102, "expand index", "create index concurrently note_by_number on note (number)"),
        (103, "expand other row", "insert into note (number) values (2)"),
    ];
    let schemas: Vec<_> = std::iter::repeat_with(|| schema(steps)).take(6).collect();
    let migrators = schemas.iter().map(|schema| schema.migrate(&location));
    futures::future::try_join_all(migrators).await.unwrap();
    assert_eq!(opened(&location, steps).await, Ok(2));
    let url = url_of(&location);
    let mut connection = PgConnection::connect(url).await.unwrap();
    let invalid = "select count(*) from pg_index where not indisvalid";
    let invalid: i64 = sqlx::query_scalar(invalid).fetch_one(&mut connection).await.unwrap();
    assert_eq!(invalid, 0);
}

/// As it is when the machine of a migrator dies while it builds an index.
#[tokio::test]
async fn an_index_whose_building_was_interrupted_is_built_again() {
    let location = Location::Url(testkit::fresh_database_url().await);
    let index: Step = (101, "expand index", "create index concurrently note_once on note (number)");
    assert_eq!(opened(&location, &[FIRST]).await, Ok(0));
    let mut owner = PgConnection::connect(url_of(&location)).await.unwrap();
    let twice = "insert into proffer_notes.note (number) values (1), (1)";
    sqlx::raw_sql(twice).execute(&mut owner).await.unwrap();
    let broken = "create unique index concurrently note_once on proffer_notes.note (number)";
    sqlx::raw_sql(broken).execute(&mut owner).await.unwrap_err();
    let schema = schema(&[FIRST, index]);
    assert_eq!(schema.migrate(&location).await.unwrap(), ["0101 expand index"]);
    let valid = "select indisvalid and not indisunique from pg_index
                 where indexrelid = 'proffer_notes.note_once'::regclass";
    assert!(sqlx::query_scalar::<_, bool>(valid).fetch_one(&mut owner).await.unwrap());
}

fn url_of(location: &Location) -> &str {
    let Location::Url(url) = location else { panic!("a URL is PostgreSQL") };
    url
}

fn brief(attempts_max: u32) -> Patience {
    let lock_timeout = Duration::from_millis(100);
    Patience { lock_timeout, pause: Duration::from_millis(20), attempts_max }
}

/// A reader of `note` that keeps its transaction open, as a report does.
async fn reader(url: &str) -> PgConnection {
    let mut reader = PgConnection::connect(url).await.unwrap();
    let begin = "begin; select * from proffer_notes.note";
    sqlx::raw_sql(begin).execute(&mut reader).await.unwrap();
    reader
}

#[tokio::test]
async fn a_migration_gives_up_its_wait_for_a_lock_so_that_calls_go_on() {
    let location = Location::Url(testkit::fresh_database_url().await);
    let url = url_of(&location).to_owned();
    assert_eq!(opened(&location, &[FIRST]).await, Ok(0));
    let mut report = reader(&url).await;
    let mut caller = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("set statement_timeout = '20s'").execute(&mut caller).await.unwrap();
    let waits = "select exists (select 1 from pg_locks
                 where relation = 'proffer_notes.note'::regclass and not granted)";
    let is_done = Cell::new(false);
    let steps = schema(&[FIRST, EXPAND]);
    let migration = async {
        let migrated = steps.migrate_with(&location, &brief(10_000)).await;
        is_done.set(true);
        migrated
    };
    let calls = async {
        let mut met = 0;
        while met < 3 {
            let is_waiting: bool = sqlx::query_scalar(waits).fetch_one(&mut caller).await.unwrap();
            // Behind the migration's wait; it would last as long as the report without the timeout.
            sqlx::raw_sql("select * from proffer_notes.note").execute(&mut caller).await.unwrap();
            met += u32::from(is_waiting);
            assert!(!is_done.get());
        }
        sqlx::raw_sql("commit").execute(&mut report).await.unwrap();
    };
    let (migrated, ()) = tokio::join!(migration, calls);
    assert_eq!(migrated.unwrap(), ["0101 expand author"]);
    assert_eq!(opened(&location, &[FIRST, EXPAND]).await, Ok(0));
}

#[tokio::test]
async fn a_migration_that_never_gets_its_lock_fails_with_the_remedy_and_can_be_repeated() {
    let location = Location::Url(testkit::fresh_database_url().await);
    assert_eq!(opened(&location, &[FIRST]).await, Ok(0));
    let report = reader(url_of(&location)).await;
    let steps = schema(&[FIRST, EXPAND]);
    let error = steps.migrate_with(&location, &brief(2)).await.unwrap_err().to_string();
    assert!(error.starts_with("the schema proffer_notes could not be migrated in 2 attempts: "));
    assert!(error.contains("lock timeout") && error.contains("pg_stat_activity"), "{error}");
    assert!(error.ends_with("then run `proffer migrate` again"), "{error}");
    report.close().await.unwrap();
    assert_eq!(steps.migrate(&location).await.unwrap(), ["0101 expand author"]);
}

#[tokio::test]
async fn an_app_role_reads_and_writes_rows_and_changes_no_table() {
    let location = Location::Url(testkit::fresh_database_url().await);
    let role = format!("app \"{}", std::process::id());
    let quoted = format!("\"{}\"", role.replace('"', "\"\""));
    let url = url_of(&location).to_owned();
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    let unknown = schema(&[FIRST]);
    unknown.migrate(&location).await.unwrap();
    let error = unknown.grant(&location, &role).await.unwrap_err().to_string();
    assert!(error.contains(&format!("create role {quoted} login")), "{error}");
    let error = unknown.grant(&location, "postgres").await.unwrap_err().to_string();
    assert!(error.contains("name a role that owns nothing"), "{error}");

    run(format!("create role {quoted} login")).execute(&mut owner).await.unwrap();
    unknown.grant(&location, &role).await.unwrap();
    let other: Step = (101, "expand other", "create table other (number bigint)");
    schema(&[FIRST, other]).migrate(&location).await.unwrap();

    let app = url.replace("//postgres@", "//app%20%22APP@").replace("APP", &role[5..]);
    let app = Location::Url(app);
    assert_eq!(opened(&app, &[FIRST, other]).await, Ok(0), "it migrates nothing and starts");
    let refusal = opened(&app, &[FIRST, other, (102, EXPAND.1, EXPAND.2)]).await.unwrap_err();
    assert!(refusal.contains("may not change it. Run `proffer migrate`"), "{refusal}");
    let sizes = PoolSizes::default();
    let database = Database::open(&app, "notes", sizes, &schema(&[FIRST, other]).steps).await;
    let database = database.unwrap();
    let Database::Postgres(link) = &database else { panic!("a URL is PostgreSQL") };
    let pool = link.direct();
    for allowed in [
        "insert into note (number) values (1)",
        "insert into other (number) values (1)",
        "update note set number = 2",
        "select * from note for update",
        "delete from note",
    ] {
        run(allowed.to_owned()).execute(pool).await.unwrap();
    }
    for forbidden in [
        "drop table note",
        "alter table note add column more text",
        "truncate note",
        "create table more (number bigint)",
        "create schema more",
        "drop schema proffer_notes cascade",
        "delete from schema_step",
        "update _sqlx_migrations set version = 7",
    ] {
        let refused = run(forbidden.to_owned()).execute(pool).await.unwrap_err();
        let code = refused.as_database_error().and_then(|error| error.code()).unwrap();
        assert_eq!(code, "42501", "{forbidden}");
    }
    database.close().await;
    run(format!("drop owned by {quoted}; drop role {quoted}")).execute(&mut owner).await.unwrap();
}
