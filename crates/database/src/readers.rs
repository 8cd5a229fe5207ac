//! Read connections to an SQLite file. A brief statement runs on the calling thread, because waking
//! another thread costs several times the read. If it turns out to be long, it stops and runs again
//! on a thread that may block, like all other statements.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::Semaphore;

use crate::{
    DatabaseError,
    measure::{self, StoreName},
};

/// Prepared statements that a connection caches.
const STATEMENTS_MAX: usize = 256;
/// Steps of SQLite's virtual machine between two checks whether to go on. On the calling thread a
/// query is interrupted after one to two times as many, less than a millisecond.
const STEPS: i32 = 10_000;
/// How long a thread that may block waits for a locked file.
const BUSY: Duration = Duration::from_secs(5);

/// Read-only connections, opened when first needed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    /// The name of the store in metrics.
    name: StoreName,
    /// Idle connections, the one used last at the end: its caches are warm. None once closed.
    idle: Mutex<Option<Vec<Reader>>>,
    /// Idle connections kept, and concurrent queries on threads that may block.
    max: usize,
    turns: Arc<Semaphore>,
    wait: Duration,
}

#[derive(Debug)]
struct Reader {
    connection: Connection,
    question: Arc<Question>,
}

/// The query that runs on a connection.
#[derive(Debug, Default)]
struct Question {
    /// Counts the queries of the connection.
    number: AtomicU64,
    /// Checks left until the query is interrupted.
    looks_left: AtomicI64,
    /// The number of the query whose caller disconnected.
    left: AtomicU64,
}

impl Question {
    /// Begins the next query and returns its number.
    fn next(&self, is_brief: bool) -> u64 {
        // The first check may come right after the beginning: SQLite counts the steps of a
        // statement over all its runs.
        self.looks_left.store(if is_brief { 2 } else { i64::MAX }, Ordering::Relaxed);
        self.number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// True when the query is to be interrupted.
    fn look(&self) -> bool {
        let is_last = self.looks_left.fetch_sub(1, Ordering::Relaxed) <= 1;
        is_last || self.left.load(Ordering::Relaxed) == self.number.load(Ordering::Relaxed)
    }
}

/// Interrupts a query when its caller disconnects.
struct Caller {
    question: Arc<Question>,
    number: u64,
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.question.left.store(self.number, Ordering::Relaxed);
    }
}

impl Readers {
    pub(crate) fn new(file: PathBuf, max: usize, wait: Duration) -> Self {
        let (idle, turns) = (Mutex::new(Some(Vec::new())), Arc::new(Semaphore::new(max)));
        let name = measure::of_file(&file);
        Self(Arc::new(Shared { file, name, idle, max, turns, wait }))
    }

    /// Opens as many as are kept. So reading needs no further file handle when there are none left.
    pub(crate) async fn fill(&self) -> Result<(), DatabaseError> {
        let shared = self.0.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let opened: rusqlite::Result<Vec<_>> = (0..shared.max).map(|_| shared.open()).collect();
            opened.map(|opened| opened.into_iter().for_each(|reader| shared.give_back(reader)))
        });
        Ok(opened.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
    }

    /// The file they read.
    pub(crate) fn file(&self) -> &std::path::Path {
        &self.0.file
    }

    /// The name of the store in metrics.
    pub(crate) fn name(&self) -> StoreName {
        self.0.name.clone()
    }

    /// Queries on this thread; `None` when that would take long.
    pub(crate) fn ask_briefly<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, DatabaseError> {
        let reader = self.0.take()?;
        reader.question.next(true);
        let answer = ask(&reader.connection);
        self.0.give_back(reader);
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_given_up(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Queries on a thread that may block. The query is interrupted when the caller disconnects.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let turn = tokio::time::timeout(self.0.wait, self.0.turns.clone().acquire_owned()).await;
        let turn =
            turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let reader = self.0.take()?;
        let (question, number) = (reader.question.clone(), reader.question.next(false));
        let _caller = Caller { question, number };
        let shared = self.0.clone();
        let asked = tokio::task::spawn_blocking(move || {
            reader.connection.busy_timeout(BUSY)?;
            let answer = ask(&reader.connection);
            reader.connection.busy_timeout(Duration::ZERO)?;
            shared.give_back(reader);
            drop(turn);
            answer
        });
        Ok(asked.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
    }

    /// Closes idle connections now, and the others as they are returned.
    pub(crate) fn close(&self) {
        self.0.turns.close();
        drop(self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// True when a query was interrupted, or found the file locked.
fn is_given_up(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::OperationInterrupted | ErrorCode::DatabaseBusy)
    )
}

impl Shared {
    fn take(&self) -> Result<Reader, DatabaseError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(Vec::pop);
        match kept {
            Some(Some(reader)) => Ok(reader),
            Some(None) => Ok(self.open()?),
            None => Err(sqlx::Error::PoolClosed.into()),
        }
    }

    fn open(&self) -> rusqlite::Result<Reader> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.file, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let question = Arc::new(Question::default());
        let watched = question.clone();
        connection.progress_handler(STEPS, Some(move || watched.look()))?;
        Ok(Reader { connection, question })
    }

    fn give_back(&self, reader: Reader) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = idle.as_mut().filter(|idle| idle.len() < self.max) {
            idle.push(reader);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, path::Path, pin::pin, task::Poll};

    use super::*;

    /// One connection to a new file; the wait for a permit ends at once.
    fn open(folder: &Path) -> Readers {
        let file = folder.join("some.sqlite");
        drop(Connection::open(&file).unwrap());
        Readers::new(file, 1, Duration::ZERO)
    }

    fn number(sql: &'static str) -> impl FnOnce(&Connection) -> rusqlite::Result<i64> {
        move |connection| connection.prepare_cached(sql)?.query_one([], |row| row.get(0))
    }

    /// Some 10 steps for each of so many numbers.
    const SHORT: &str = "with recursive n(i) as (
        select 1 union all select i + 1 from n where i < 100) select sum(i) from n";
    const LONG: &str = "with recursive n(i) as (
        select 1 union all select i + 1 from n where i < 9000) select sum(i) from n";
    const ENDLESS: &str =
        "with recursive n(i) as (select 1 union all select i + 1 from n) select sum(i) from n";

    #[test]
    fn a_connection_is_used_again_also_after_a_refused_statement() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        // Temporary tables belong to a connection: a visible one proves that it is the same.
        let is_marked = || readers.ask_briefly(number("select count(*) from mark")).is_ok();
        assert!(!is_marked());
        readers
            .ask_briefly(|connection| {
                connection.execute_batch("create temp table mark (number integer)")
            })
            .unwrap();
        assert!(is_marked());
        readers.ask_briefly(number("select nothing")).unwrap_err();
        assert!(is_marked());
    }

    #[tokio::test]
    async fn what_takes_long_is_given_up_on_the_calling_thread_and_what_does_not_never_is() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        // SQLite checks after so many steps of a statement over all its runs; many short runs are
        // not a long one.
        for _ in 0..1_000 {
            assert_eq!(readers.ask_briefly(number(SHORT)).unwrap(), Some(5_050));
        }
        for _ in 0..10 {
            assert_eq!(readers.ask_briefly(number(LONG)).unwrap(), None);
        }
        assert_eq!(readers.ask_briefly(number(ENDLESS)).unwrap(), None);
        assert_eq!(readers.ask(number(LONG)).await.unwrap(), 40_504_500);
        assert_eq!(readers.ask_briefly(number(SHORT)).unwrap(), Some(5_050));
    }

    #[tokio::test]
    async fn a_question_whose_caller_left_is_given_up_and_its_turn_free() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        {
            let mut left = pin!(readers.ask(number(ENDLESS)));
            poll_fn(|context| {
                assert!(left.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            let waited = readers.ask(number("select 1")).await;
            assert!(
                matches!(waited, Err(DatabaseError::Unavailable(sqlx::Error::PoolTimedOut))),
                "{waited:?}"
            );
            assert_eq!(readers.ask_briefly(number("select 1")).unwrap(), Some(1));
        }
        drop(readers.0.turns.acquire().await.unwrap());
        assert_eq!(readers.ask(number("select 2")).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn on_the_calling_thread_a_locked_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        let writer = Connection::open(folder.path().join("some.sqlite")).unwrap();
        writer.execute_batch("create table some (number integer); begin exclusive").unwrap();
        assert_eq!(readers.ask_briefly(number("select count(*) from some")).unwrap(), None);
        writer.execute_batch("commit").unwrap();
        assert_eq!(readers.ask_briefly(number("select count(*) from some")).unwrap(), Some(0));
    }

    #[test]
    fn a_statement_whose_limit_is_a_parameter_alone_is_compiled_for_every_execution() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        let compiled_again = |sql: &'static str| {
            let ask = |connection: &Connection| {
                let mut statement = connection.prepare(sql)?;
                for limit in 1..=5 {
                    statement.query_one([limit], |row| row.get::<_, i64>(0))?;
                }
                Ok(statement.get_status(rusqlite::StatementStatus::RePrepare))
            };
            readers.ask_briefly(ask).unwrap().unwrap()
        };
        assert_eq!(compiled_again("select 1 from sqlite_schema union all select 2 limit $1"), 5);
        assert_eq!(
            compiled_again("select 1 from sqlite_schema union all select 2 limit $1 + 0"),
            0
        );
    }

    #[tokio::test]
    async fn a_closed_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let readers = open(folder.path());
        assert_eq!(readers.ask_briefly(number("select 1")).unwrap(), Some(1));
        readers.close();
        readers.ask_briefly(number("select 1")).unwrap_err();
        readers.ask(number("select 1")).await.unwrap_err();
    }
}
