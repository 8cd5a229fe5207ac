//! Connections that only read an SQLite file. A statement that finds a few rows is run on the thread that asks: to wake
//! another and be woken by it costs several times the reading. Others run on threads that may wait for the disk.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::DatabaseError;

/// Statements that a connection keeps ready.
const STATEMENTS_MAX: usize = 256;

/// Connections that only read; opened when first needed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    /// Those nobody uses, the one used last at the end: it has its statements and pages at hand. None once closed.
    idle: Mutex<Option<Vec<Connection>>>,
    /// Connections kept, and statements at once on threads that may wait.
    max: usize,
    turns: Arc<Semaphore>,
    wait: Duration,
}

impl Readers {
    pub(crate) fn new(file: PathBuf, max: usize, wait: Duration) -> Self {
        let (idle, turns) = (Mutex::new(Some(Vec::new())), Arc::new(Semaphore::new(max)));
        Self(Arc::new(Shared { file, idle, max, turns, wait }))
    }

    /// Asks on this thread.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, DatabaseError> {
        let connection = self.0.take()?;
        let answer = question(&connection);
        self.0.give_back(connection);
        Ok(answer?)
    }

    /// Asks on a thread that may wait. A caller who leaves does not end the question, and keeps the turn until it is done.
    pub(crate) async fn ask_aside<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let turn = tokio::time::timeout(self.0.wait, self.0.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let readers = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let answer = readers.ask(question);
            drop(turn);
            answer
        });
        asked.await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }

    /// Closes those that are idle, and the others as they come back.
    pub(crate) fn close(&self) {
        self.0.turns.close();
        drop(self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Shared {
    fn take(&self) -> Result<Connection, DatabaseError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(Vec::pop);
        match kept {
            Some(Some(connection)) => Ok(connection),
            Some(None) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.file, flags)?;
                connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
                Ok(connection)
            }
            None => Err(sqlx::Error::PoolClosed.into()),
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut().filter(|idle| idle.len() < self.max) {
            idle.push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, path::Path, pin::pin, task::Poll};

    use super::*;

    /// One connection to a new file; whoever waits for a turn gives up at once.
    fn open(folder: &Path) -> Readers {
        let file = folder.join("some.sqlite");
        drop(Connection::open(&file).unwrap());
        Readers::new(file, 1, Duration::ZERO)
    }

    fn number(sql: &'static str) -> impl FnOnce(&Connection) -> rusqlite::Result<i64> {
        move |connection| connection.query_one(sql, [], |row| row.get(0))
    }

    #[test]
    fn a_connection_is_used_again_also_after_a_refused_statement() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        // Temporary tables belong to a connection: who sees one has the same.
        let is_marked = || readers.ask(number("select count(*) from mark")).is_ok();
        assert!(!is_marked());
        readers.ask(|connection| connection.execute_batch("create temp table mark (number integer)")).unwrap();
        assert!(is_marked());
        readers.ask(number("select nothing")).unwrap_err();
        assert!(is_marked());
    }

    #[tokio::test]
    async fn a_question_whose_caller_left_keeps_its_turn_and_one_on_the_calling_thread_needs_none() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        let (ends, ended) = std::sync::mpsc::channel::<()>();
        {
            let mut left = pin!(readers.ask_aside(move |_| Ok(ended.recv())));
            poll_fn(|context| {
                assert!(left.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        let waited = readers.ask_aside(number("select 1")).await;
        assert!(matches!(waited, Err(DatabaseError::Unavailable(sqlx::Error::PoolTimedOut))), "{waited:?}");
        assert_eq!(readers.ask(number("select 1")).unwrap(), 1);
        drop(ends);
        let turn = readers.0.turns.acquire().await;
        drop(turn);
        assert_eq!(readers.ask_aside(number("select 2")).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_closed_file_answers_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        assert_eq!(readers.ask(number("select 1")).unwrap(), 1);
        readers.close();
        readers.ask(number("select 1")).unwrap_err();
        readers.ask_aside(number("select 1")).await.unwrap_err();
    }
}
