//! A write transaction on either database.

use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction as SqlxTransaction};

use crate::{Database, DatabaseError};

/// A write transaction. Dropped without [`Transaction::commit`] it is rolled back.
#[derive(Debug)]
pub enum Transaction {
    /// Holds the only writing connection.
    Sqlite(SqlxTransaction<'static, Sqlite>),
    /// READ COMMITTED: each statement sees what was committed before it, so a lock comes first,
    /// then the read.
    Postgres(SqlxTransaction<'static, Postgres>),
}

impl Database {
    /// Begins a write transaction. SQLite takes the write lock at once.
    pub async fn begin(&self) -> Result<Transaction, DatabaseError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                Transaction::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }
}

impl Transaction {
    /// Makes the writes durable.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(inner) => inner.commit().await?,
            Self::Postgres(inner) => inner.commit().await?,
        }
        Ok(())
    }

    /// Takes back what was written.
    pub async fn rollback(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(inner) => inner.rollback().await?,
            Self::Postgres(inner) => inner.rollback().await?,
        }
        Ok(())
    }

    /// `select` with row locks. SQLite needs none: its writer is alone.
    pub fn locking(&self, select: &'static str) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.dialect().locking(select))
    }
}
