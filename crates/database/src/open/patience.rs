//! Applies steps on PostgreSQL while others use the tables.
//!
//! A statement that changes a table needs an exclusive lock on it. While it waits, all later
//! calls wait behind it. So it waits briefly, gives up, and tries again. An index that is built
//! beside traffic blocks no call, so it may wait.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool,
    migrate::{MigrateError, Migrator},
};

use super::step::is_beside_traffic;

/// How long a migration waits for locks.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Longest wait of one statement for a lock; later calls wait as long.
    pub lock_timeout: Duration,
    /// Pause between two attempts.
    pub pause: Duration,
    /// Attempts after which the migration fails.
    pub attempts_max: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_millis(500),
            pause: Duration::from_secs(1),
            attempts_max: 400,
        }
    }
}

/// Runs `migrators` on `schema`; one process at a time, the others wait.
pub async fn run(
    pool: &PgPool,
    schema: &str,
    migrators: &[Migrator],
    patience: &Patience,
) -> anyhow::Result<()> {
    // Closed at the end, which also frees the advisory lock.
    let mut connection = pool.acquire().await?.detach();
    let unlimited = "set statement_timeout = 0";
    sqlx::raw_sql(unlimited).execute(&mut connection).await?;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let done = if is_alone(&mut connection, schema).await? {
            apply(&mut connection, schema, migrators, patience).await
        } else {
            Err(Failed::Later("another process migrates it".to_owned()))
        };
        match done {
            Ok(()) => break,
            Err(Failed::Later(reason)) if attempt >= patience.attempts_max => {
                return Err(anyhow!(
                    "the schema {schema} could not be migrated in {attempt} attempts: {reason}. \
                     End the transactions that hold its tables (see pg_stat_activity), then run \
                     `proffer migrate` again"
                ));
            }
            Err(Failed::Later(reason)) => {
                tracing::info!(schema, attempt, reason, "the migration waits for a lock");
                tokio::time::sleep(patience.pause).await;
            }
            Err(Failed::Finally(error)) => {
                return Err(error).with_context(|| format!("migrate the schema {schema}"));
            }
        }
    }
    connection.close().await.context("end the migration")
}

enum Failed {
    /// A lock was not free; another attempt may succeed.
    Later(String),
    Finally(sqlx::Error),
}

/// Takes the advisory lock of the schema, or returns false. It is asked for and not waited for: an
/// index that is built beside traffic waits for every open statement, and would never end.
async fn is_alone(connection: &mut PgConnection, schema: &str) -> sqlx::Result<bool> {
    let lock = "select pg_try_advisory_lock(hashtext('proffer migrate'), hashtext($1))";
    sqlx::query_scalar(lock).bind(schema).fetch_one(connection).await
}

async fn apply(
    connection: &mut PgConnection,
    schema: &str,
    migrators: &[Migrator],
    patience: &Patience,
) -> Result<(), Failed> {
    remove_unfinished(connection, schema).await?;
    for migrator in migrators {
        let lock_ms = match is_beside_traffic(migrator) {
            true => 0,
            false => patience.lock_timeout.as_millis(),
        };
        let limit = format!("set lock_timeout = '{lock_ms}ms'");
        sqlx::raw_sql(AssertSqlSafe(limit)).execute(&mut *connection).await?;
        match migrator.run(&mut *connection).await {
            Ok(()) => {}
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                return Err(error.into());
            }
            Err(other) => return Err(sqlx::Error::from(other).into()),
        }
    }
    Ok(())
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        if is_lock(&error) { Self::Later(error.to_string()) } else { Self::Finally(error) }
    }
}

/// Removes what is left of an index whose building was interrupted; its step is repeated.
async fn remove_unfinished(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    let unfinished = "select format('%I.%I', nspname, relname) from pg_index
        join pg_class on pg_class.oid = indexrelid
        join pg_namespace on pg_namespace.oid = relnamespace
        where not indisvalid and nspname = $1";
    let names: Vec<String> =
        sqlx::query_scalar(unfinished).bind(schema).fetch_all(&mut *connection).await?;
    for name in names {
        let remove = format!("drop index concurrently if exists {name}");
        sqlx::raw_sql(AssertSqlSafe(remove)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// True when a lock was not free in time, or two waited for each other.
fn is_lock(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    // lock_not_available, deadlock_detected
    matches!(error.code().as_deref(), Some("55P03" | "40P01"))
}
