//! Connections that only read an SQLite file. sqlx's own pool asks a connection twice whether it is still there for every
//! statement, at the start and at the end; to a file inside this process the question says nothing, and costs as much as
//! a small statement.

use std::time::Duration;

use deadpool::{
    Runtime,
    managed::{BuildError, Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleResult},
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::DatabaseError;

/// Connections that only read; opened when first needed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers(Pool<Opener>);

/// A connection that goes back when dropped, if its last statement ended well. One whose caller left in the middle is
/// closed when that statement is done: the next caller would wait for it.
#[derive(Debug)]
pub struct Reader {
    connection: Option<Object<Opener>>,
    is_free: bool,
}

impl Reader {
    /// The connection, for one statement.
    pub fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.is_free = false;
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Takes note of how the statement ended.
    pub fn ended<T>(&mut self, result: &Result<T, sqlx::Error>) {
        self.is_free = matches!(result, Ok(_) | Err(sqlx::Error::Database(_) | sqlx::Error::RowNotFound));
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| !self.is_free) {
            drop(Object::take(connection));
        }
    }
}

/// Opens connections.
#[derive(Debug)]
pub struct Opener(SqliteConnectOptions);

impl Manager for Opener {
    type Type = SqliteConnection;
    type Error = sqlx::Error;

    async fn create(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.0.connect().await
    }

    async fn recycle(&self, _: &mut SqliteConnection, _: &Metrics) -> RecycleResult<sqlx::Error> {
        Ok(())
    }
}

impl Readers {
    pub(crate) fn new(options: SqliteConnectOptions, max: usize, wait: Duration) -> Result<Self, BuildError> {
        // The one used last has its statements and pages at hand.
        let pool = Pool::builder(Opener(options)).max_size(max).queue_mode(QueueMode::Lifo);
        Ok(Self(pool.wait_timeout(Some(wait)).runtime(Runtime::Tokio1).build()?))
    }

    /// A free connection.
    pub async fn get(&self) -> Result<Reader, DatabaseError> {
        match self.0.get().await {
            Ok(connection) => Ok(Reader { connection: Some(connection), is_free: true }),
            Err(error) => Err(DatabaseError::Unavailable(match error {
                PoolError::Backend(error) => error,
                PoolError::Closed => sqlx::Error::PoolClosed,
                _ => sqlx::Error::PoolTimedOut,
            })),
        }
    }

    /// Closes those that are idle, and the others as they come back.
    pub(crate) async fn close(&self) {
        let idle = self.0.retain(|_, _| false).removed;
        self.0.close();
        for connection in idle {
            // It only read.
            drop(connection.close().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::pin, task::Poll};

    use crate::{Database, DatabaseError, Location, PoolSizes, read};

    async fn open(folder: &std::path::Path) -> Database {
        let sizes = PoolSizes { connections_max: 1, ..PoolSizes::default() };
        Database::open(&Location::Folder(folder.to_owned()), "readers", sizes, &[]).await.unwrap()
    }

    async fn ask(database: &Database, sql: &'static str) -> Result<Vec<(i64,)>, DatabaseError> {
        read!(database, pool => sqlx::query_as(sql).fetch_all(pool))
    }

    /// Temporary tables belong to a connection: who sees one has the same.
    const MARK: &str = "create temp table mark (number integer)";

    async fn is_marked(database: &Database) -> bool {
        ask(database, "select number from mark").await.is_ok()
    }

    #[tokio::test]
    async fn a_connection_is_used_again_also_after_a_refused_statement() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        assert!(!is_marked(&database).await);
        ask(&database, MARK).await.unwrap();
        assert!(is_marked(&database).await);
        ask(&database, "select nothing").await.unwrap_err();
        assert!(is_marked(&database).await);
    }

    #[tokio::test]
    async fn a_connection_whose_caller_left_is_not_given_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let database = open(folder.path()).await;
        ask(&database, MARK).await.unwrap();
        {
            let count = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)
                select count(*) from n";
            let mut slow = pin!(ask(&database, count));
            poll_fn(|context| {
                assert!(slow.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        assert!(!is_marked(&database).await);
    }
}
