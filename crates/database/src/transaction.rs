//! A write transaction on either database.

use std::{
    ops::{Deref, DerefMut},
    pin::pin,
};

use sqlx::{
    AssertSqlSafe, PgConnection, Postgres, Sqlite, SqliteConnection,
    Transaction as SqlxTransaction, pool::PoolConnection,
};

use crate::{
    Database, DatabaseError, Link,
    measure::{Measured, StoreName, Waiting},
};

/// A write transaction. Dropped without [`Transaction::commit`] it is rolled back.
#[derive(Debug)]
pub enum Transaction {
    /// Holds the only writing connection.
    Sqlite(Held),
    /// READ COMMITTED: each statement sees what was committed before it, so a lock comes first,
    /// then the read.
    Postgres(Linked),
}

/// A transaction on a file.
#[derive(Debug)]
pub struct Held {
    inner: SqlxTransaction<'static, Sqlite>,
    store: StoreName,
}

impl Deref for Held {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.inner
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.inner
    }
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
        let measured = Measured::begin(self.name(), "begin");
        measured.end(self.begun().await)
    }

    async fn begun(&self) -> Result<Transaction, DatabaseError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => {
                let store = self.name();
                let waiting = Waiting::new(&store);
                let inner = writer.begin_with("BEGIN IMMEDIATE").await?;
                drop(waiting);
                Transaction::Sqlite(Held { inner, store })
            }
            Self::Postgres(link) => {
                // Taken first, so that no transaction begins while the server is away.
                let connection: PoolConnection<Postgres> = link.acquire().await?;
                let inner =
                    link.unless_away(pin!(SqlxTransaction::begin(connection, None))).await?;
                Transaction::Postgres(Linked { inner, link: link.clone() })
            }
        })
    }
}

impl Transaction {
    /// Makes the writes durable.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        let store = match &self {
            Self::Sqlite(held) => held.store.clone(),
            Self::Postgres(linked) => linked.link.name(),
        };
        let measured = Measured::begin(store, "commit");
        let committed = match self {
            Self::Sqlite(Held { inner, .. }) => inner.commit().await,
            Self::Postgres(Linked { inner, link }) => link.unless_away(pin!(inner.commit())).await,
        };
        measured.end(committed.map_err(DatabaseError::from))
    }

    /// Takes back what was written.
    pub async fn rollback(self) -> Result<(), DatabaseError> {
        match self {
            Self::Sqlite(Held { inner, .. }) => inner.rollback().await?,
            Self::Postgres(Linked { inner, link }) => {
                link.unless_away(pin!(inner.rollback())).await?
            }
        }
        Ok(())
    }

    /// `select` with row locks. SQLite needs none: its writer is alone.
    pub fn locking(&self, select: &'static str) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.dialect().locking(select))
    }
}
