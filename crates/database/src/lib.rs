//! Opens the store of one service: an SQLite file or a PostgreSQL schema, guarded, migrated and
//! limited.
//!
//! Both speak `$1` parameters and upserts, so a query is written once and run on either by
//! [`Select`] and [`within!`]; what differs (locks, transactions) is here. It knows no table.

mod backup;
mod bound;
mod cell;
mod dialect;
mod link;
mod measure;
mod open;
mod presence;
pub mod private;
mod readers;
mod rows;
mod select;
mod statement;
mod texts;
mod told;
mod transaction;
mod write_ahead;

pub use backup::{BackupError, Snapshots, file_name};
pub use bound::Bound;
pub use cell::Cell;
pub use dialect::{Columns, Count, Dialect, Kind};
pub use link::Link;
pub use measure::describe;
pub use open::{
    Database, Location, PoolSizes, check_url, migrate::Schema, patience::Patience, step::Migrations,
};
pub use presence::Presence;
pub use readers::Readers;
pub use rows::{BindRows, Rows};
pub use select::{Row, Select, Source};
pub use statement::Statement;
pub use texts::Texts;
pub use transaction::{Held, Linked, Transaction};

/// Why a store cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Away, overloaded or timed out; trying again may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// A constraint of this name refused the write.
    #[error("constraint `{0}` refused the write")]
    Conflict(String),
    /// A fault of the program ended the work; whether it was done is unknown.
    #[error("the work on the store panicked")]
    Panicked,
    /// Stored data do not have the shape they were written with.
    #[error("stored data are corrupt: {0}")]
    Corrupt(String),
}

impl DatabaseError {
    /// True when the store was closed, because the process ends.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Unavailable(sqlx::Error::PoolClosed))
    }

    /// True when PostgreSQL ended a transaction because others stood in its way; nothing of it was
    /// written.
    pub fn is_aborted(&self) -> bool {
        let Self::Unavailable(sqlx::Error::Database(error)) = self else { return false };
        // serialization_failure, deadlock_detected
        matches!(error.code().as_deref(), Some("40001" | "40P01"))
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => {
                Self::Conflict(inner.constraint().unwrap_or_else(|| inner.message()).to_owned())
            }
            sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_) => Self::Corrupt(error.to_string()),
            other => Self::Unavailable(other),
        }
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error;
        match error {
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnIndex(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => Self::Corrupt(error.to_string()),
            other => Self::Unavailable(sqlx::Error::Io(std::io::Error::other(other))),
        }
    }
}

/// What a statement without rows did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Rows it touched.
    pub rows: u64,
}

impl From<sqlx::sqlite::SqliteQueryResult> for Done {
    fn from(result: sqlx::sqlite::SqliteQueryResult) -> Self {
        Self { rows: result.rows_affected() }
    }
}

impl From<sqlx::postgres::PgQueryResult> for Done {
    fn from(result: sqlx::postgres::PgQueryResult) -> Self {
        Self { rows: result.rows_affected() }
    }
}

/// Runs one statement without rows inside a transaction and says how many it touched.
#[macro_export]
macro_rules! execute {
    ($transaction:expr, $query:expr) => {
        match $transaction {
            $crate::Transaction::Sqlite(inner) => {
                $query.execute(&mut **inner).await.map($crate::Done::from)
            }
            $crate::Transaction::Postgres(inner) => {
                let link = inner.link();
                link.unless_away(::std::pin::pin!($query.execute(&mut **inner)))
                    .await
                    .map($crate::Done::from)
            }
        }
        .map_err($crate::DatabaseError::from)
    };
}

/// Deletes one row for each key, in one transaction, and says how many were there: `delete_each!(
/// database, keys, (customer_id, id) => sqlx::query(…).bind(customer_id).bind(id))`. The keys are
/// taken in their order, so that two processes that delete cannot wait for each other.
#[macro_export]
macro_rules! delete_each {
    ($database:expr, $keys:expr, $key:pat => $query:expr) => {{
        let mut keys = $keys;
        keys.sort();
        let mut rows = 0;
        if !keys.is_empty() {
            let mut transaction = $database.begin().await?;
            for $key in &keys {
                rows += $crate::execute!(&mut transaction, $query)?.rows;
            }
            transaction.commit().await?;
        }
        Ok(rows)
    }};
}

/// Reads inside a transaction: `within!(transaction, connection =>
/// sqlx::query_as(…).fetch_all(connection))`.
#[macro_export]
macro_rules! within {
    ($transaction:expr, $connection:ident => $query:expr) => {
        match $transaction {
            $crate::Transaction::Sqlite(inner) => {
                let $connection = &mut **inner;
                $query.await
            }
            $crate::Transaction::Postgres(inner) => {
                let link = inner.link();
                let $connection = &mut **inner;
                link.unless_away(::std::pin::pin!($query)).await
            }
        }
        .map_err($crate::DatabaseError::from)
    };
}
