//! One new database per test on the test server.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::postgres::SERVER_VARIABLE;

/// Databases of ended test processes dropped by each call, so that cleaning never holds up one test
/// for long.
const DROPS_PER_CALL: usize = 4;

/// A new, empty database on the test server. Databases of test processes that have ended are
/// dropped on the way.
///
/// # Panics
/// Without a server, with the command that starts one.
pub async fn fresh_database_url() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var(SERVER_VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{SERVER_VARIABLE} is not set: run the tests with `cargo xtask test`, which starts a \
             private server"
        )
    });
    let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server).await.expect("the test server answers");
    drop_abandoned(&mut connection).await;
    // An ended process may have had the same number.
    run(&mut connection, format!("drop database if exists {name} with (force)"))
        .await
        .expect("a free name");
    run(&mut connection, format!("create database {name} template template0"))
        .await
        .expect("a new database");
    let base = server.rsplit_once('/').map_or(server.as_str(), |(base, _)| base);
    format!("{base}/{name}")
}

async fn drop_abandoned(connection: &mut PgConnection) {
    let select = "select datname from pg_database where datname like 'test\\_%' order by oid";
    let names: Vec<String> =
        sqlx::query_scalar(select).fetch_all(&mut *connection).await.unwrap_or_default();
    for name in names.iter().filter(|name| is_abandoned(name)).take(DROPS_PER_CALL) {
        // Another test process may be dropping it as well; the loser's error means nothing.
        drop(run(connection, format!("drop database if exists {name} with (force)")).await);
    }
}

fn is_abandoned(name: &str) -> bool {
    let Some(process) = name.strip_prefix("test_").and_then(|rest| rest.split('_').next()) else {
        return false;
    };
    process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists()
}

async fn run(connection: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_databases_of_ended_test_processes_are_abandoned() {
        let own = format!("test_{}_0", std::process::id());
        assert!(!is_abandoned(&own));
        assert!(!is_abandoned("postgres"));
        assert!(!is_abandoned("test_of_something"));
        assert!(is_abandoned("test_4294967295_7"));
    }
}
