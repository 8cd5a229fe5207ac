//! The services with a role that owns nothing, on tables that `proffer migrate` made.

use conformance::{
    door::{Door, DoorKind},
    play::play,
    process::Process,
    scenario,
    suite::{Shape, Suite},
};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Scenarios that read and write the tables of every service.
const PLAYED: [&str; 4] = ["winback", "experiment", "budget", "history-and-audit"];

async fn migrate(url: &str, more: &[&str]) -> (Option<i32>, String, Vec<String>) {
    let mut arguments = vec!["migrate", "--database-url", url];
    arguments.extend(more);
    let process = Process::start("proffer", &arguments, &[]).unwrap();
    process.ended_with_output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_service_runs_with_a_role_that_cannot_change_a_table() {
    let url = testkit::fresh_database_url().await;
    let role = format!("proffer_app_{}", std::process::id());
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let create = format!("create role {role} login");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut owner).await.unwrap();
    let app_url = url.replace("//postgres@", &format!("//{role}@"));

    // Nothing is there yet, and the services may not create it.
    let place =
        || ["--database-url", app_url.as_str(), "--migrate", "off"].map(str::to_owned).to_vec();
    let refused = Suite::start_at(Shape::AllInOne, place()).await.unwrap_err();
    assert!(format!("{refused:#}").contains("Run `proffer migrate`"), "{refused:#}");

    let (code, log, said) = migrate(&url, &["--app-role", &role]).await;
    assert_eq!(code, Some(0), "{log}");
    for service in ["catalog", "policy", "decision", "experiment"] {
        assert!(said.contains(&format!("{service}: `{role}` may read and write rows")), "{said:?}");
    }
    let (code, _, said) = migrate(&url, &["--app-role", &role]).await;
    assert_eq!(code, Some(0));
    assert_eq!(said.iter().filter(|line| line.ends_with(": up to date")).count(), 4, "{said:?}");

    for (shape, names) in [(Shape::FiveProcesses, &PLAYED[..2]), (Shape::AllInOne, &PLAYED[2..])] {
        for name in names {
            let mut suite = Suite::start_at(shape, place()).await.unwrap();
            let door = Door::open(DoorKind::Grpc, &suite).unwrap();
            let scenario = scenario::load(name).unwrap();
            play(&scenario, &door).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            suite.is_alive().unwrap();
            drop(suite);
            empty(&mut owner).await;
        }
    }

    let mut app = PgConnection::connect(&app_url).await.unwrap();
    for table in tables(&mut owner).await {
        for change in ["drop table", "truncate"] {
            let change = format!("{change} {table}");
            let refused = sqlx::raw_sql(AssertSqlSafe(change)).execute(&mut app).await.unwrap_err();
            let code = refused.as_database_error().and_then(|error| error.code()).unwrap();
            assert_eq!(code, "42501", "{table}");
        }
    }
    let drop_role = format!("drop owned by {role}; drop role {role}");
    app.close().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(drop_role)).execute(&mut owner).await.unwrap();
}

/// Every table of every service, except those that list the steps.
async fn tables(owner: &mut PgConnection) -> Vec<String> {
    let names = "select format('%I.%I', schemaname, tablename) from pg_tables
                 where schemaname like 'proffer\\_%'
                   and tablename not in ('_sqlx_migrations', 'schema_step')";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(owner).await.unwrap();
    assert!(names.len() > 15, "{names:?}");
    names
}

/// Removes all rows, so that the next scenario finds a store without any.
async fn empty(owner: &mut PgConnection) {
    let truncate = format!("truncate {}", tables(owner).await.join(", "));
    sqlx::raw_sql(AssertSqlSafe(truncate)).execute(owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_cannot_be_done_ends_with_one_and_says_why() {
    let nowhere = "postgres://me:secret@127.0.0.1:1/proffer";
    let (code, log, said) = migrate(nowhere, &[]).await;
    assert_eq!((code, said.len()), (Some(1), 0));
    assert!(
        log.contains("the store of catalog was not migrated: PostgreSQL at 127.0.0.1:1"),
        "{log}"
    );
    assert!(!log.contains("secret"), "{log}");
}
