//! A write transaction on either database.

use std::ops::{Deref, DerefMut};

use sqlx::{
    AssertSqlSafe, PgConnection, Postgres, Sqlite, Transaction as SqlxTransaction,
    pool::PoolConnection,
};

use crate::{Database, DatabaseError, Link};

/// A write transaction. Dropped without [`Transaction::commit`] it is rolled back.
#[derive(Debug)]
pub enum Transaction {
    /// Holds the only writing connection.
    Sqlite(SqlxTransaction<'static, Sqlite>),
    /// READ COMMITTED: each statement sees what was committed before it, so a lock comes first,
    /// then the read.
    Postgres(Linked),
}

/// A transaction on a server that may go away.
#[derive(Debug)]
pub struct Linked {
    inner: SqlxTransaction<'static, Postgres>,
    link: Link,
}

impl Linked {
    /// The link to its server.
    pub fn link(&self) -> Link {
        self.link.clone()
    }
}

impl Deref for Linked {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Linked {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

impl Database {
    /// Begins a write transaction. SQLite takes the write lock at once.
    pub async fn begin(&self) -> Result<Transaction, DatabaseError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                Transaction::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
            Self::Postgres(link) => {
                // Taken first, so that no transaction begins while the server is away.
                let connection: PoolConnection<Postgres> = link.acquire().await?;
                let inner = link.unless_away(SqlxTransaction::begin(connection, None)).await?;
                Transaction::Postgres(Linked { inner, link: link.clone() })
            }
        })
    }
}

impl Transaction {
    /// Makes the writes durable.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(inner) => inner.commit().await?,
            Self::Postgres(Linked { inner, link }) => link.unless_away(inner.commit()).await?,
        }
        Ok(())
    }

    /// Takes back what was written.
    pub async fn rollback(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(inner) => inner.rollback().await?,
            Self::Postgres(Linked { inner, link }) => link.unless_away(inner.rollback()).await?,
        }
        Ok(())
    }

    /// `select` with row locks. SQLite needs none: its writer is alone.
    pub fn locking(&self, select: &'static str) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.dialect().locking(select))
    }
}
