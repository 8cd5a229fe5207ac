//! Group commit without a timer. A writer takes all that queued during its last commit, judges it
//! together and commits it together. A single caller never waits, and many callers share one flush.
//!
//! On PostgreSQL a write without locks succeeds only for customers that nobody changed since they
//! were read. A request that loses such a race is judged again under the locks of the customers'
//! rows, taken in the order of their ids. Questions of one call that a budget binds are judged in
//! the order of the call, under locks.

use std::{collections::BTreeSet, pin::pin, sync::Arc};

use database::{Database, DatabaseError, Link, Source, Transaction};
use serve::{Clock, TracedCall};
use sqlx::{Postgres, pool::PoolConnection};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    Store,
    budget::Budgets,
    change::Change,
    known::{self, Known, Wanted},
    write::{self, Written},
};
use crate::telemetry;

/// Most customers of one commit.
pub(super) const BATCH_MAX: usize = 256;
/// Writers of one process: while one waits for the disk the other judges.
pub(super) const WRITERS: usize = 2;
/// Entries that may wait for the writer; beyond, callers wait to queue.
pub(super) const QUEUE_MAX: usize = 4 * BATCH_MAX;

/// A write about one customer that waits to be judged.
pub(super) struct Pending {
    wanted: Wanted,
    /// False for a judgment that writes nothing: its customer is not locked.
    is_writing: bool,
    work: Box<dyn Work>,
    traced: Option<TracedCall>,
}

/// What waits in the queue.
#[expect(clippy::large_enum_variant, reason = "nearly all that waits is the large one")]
pub(super) enum Queued {
    /// One write.
    One(Pending),
    /// Writes about different customers that are judged in this order, under locks.
    InOrder(Vec<Pending>),
}

/// What is judged, and perhaps written, about one customer.
pub struct Entry<T, E> {
    /// What must be known.
    pub wanted: Wanted,
    /// False when it never writes.
    pub is_writing: bool,
    /// What to write, given the rows, and what to answer. Called again when another writer was
    /// first.
    pub judge: Judge<T, E>,
}

/// Judges what is known of a customer.
pub type Judge<T, E> = Box<dyn FnMut(Known) -> Result<(Option<Change>, T), E> + Send + Sync>;

/// The work of a caller that waits.
trait Work: Send + Sync {
    /// What to write, given the rows; `None` writes nothing. Called again when another writer was
    /// first.
    fn judge(&mut self, known: Known) -> Option<Change>;
    /// Answers the caller: the last judgment was written, or the error.
    fn answer(self: Box<Self>, written: Result<(), DatabaseError>);
}

struct Job<T, E, F> {
    judge: F,
    found: Option<Result<T, E>>,
    done: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Work for Job<T, E, F>
where
    T: Send + Sync,
    E: From<DatabaseError> + Send + Sync,
    F: FnMut(Known) -> Result<(Option<Change>, T), E> + Send + Sync,
{
    fn judge(&mut self, known: Known) -> Option<Change> {
        // The others that are committed together must not suffer from a fault of one.
        let judged = serve::caught_now(|| (self.judge)(known));
        let (change, found) = match judged.unwrap_or_else(|_| Err(DatabaseError::Panicked.into())) {
            Ok((change, found)) => (change, Ok(found)),
            Err(error) => (None, Err(error)),
        };
        self.found = Some(found);
        change
    }

    fn answer(self: Box<Self>, written: Result<(), DatabaseError>) {
        let lost = || Err(DatabaseError::Corrupt("a write without a judgment".to_owned()).into());
        let Self { found, done, .. } = *self;
        let answer = match written {
            Ok(()) => found.unwrap_or_else(lost),
            Err(error) => Err(error.into()),
        };
        // The caller may have left.
        drop(done.send(answer));
    }
}

impl Store {
    /// Reads a customer, judges and writes; returns once it is durable. Only one write about a
    /// customer is under way in this process, so no commit holds two.
    pub async fn write<T, E, F>(&self, wanted: Wanted, judge: F) -> Result<T, E>
    where
        T: Send + Sync + 'static,
        E: From<DatabaseError> + Send + Sync + 'static,
        F: FnMut(Known) -> Result<(Option<Change>, T), E> + Send + Sync + 'static,
    {
        let _turn = self.turn(&wanted.tenant, &wanted.customer_id).await;
        let (entry, answer) = Pending::new(wanted, true, judge);
        self.writer.send(Queued::One(entry)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Judges and writes about different customers in one transaction, in the order given: each
    /// sees what the ones before it took of the budgets. One answer per entry, in their order.
    pub async fn write_in_order<T, E>(&self, entries: Vec<Entry<T, E>>) -> Vec<Result<T, E>>
    where
        T: Send + Sync + 'static,
        E: From<DatabaseError> + Send + Sync + 'static,
    {
        let writing = entries.iter().filter(|entry| entry.is_writing).map(|entry| &entry.wanted);
        let _turns =
            self.turns(writing.map(|wanted| (&*wanted.tenant, &*wanted.customer_id))).await;
        let (mut pending, mut answers) = (Vec::new(), Vec::new());
        for Entry { wanted, is_writing, judge } in entries {
            let (entry, answer) = Pending::new(wanted, is_writing, judge);
            pending.push(entry);
            answers.push(answer);
        }
        // Without a writer the answers never come, and each says so.
        drop(self.writer.send(Queued::InOrder(pending)).await);
        let mut found = Vec::with_capacity(answers.len());
        for answer in answers {
            found.push(answer.await.unwrap_or_else(|_| Err(gone().into())));
        }
        found
    }
}

fn gone() -> DatabaseError {
    DatabaseError::Unavailable(sqlx::Error::WorkerCrashed)
}

/// Works through the queue until every store is gone.
pub(super) async fn run(
    database: Database,
    clock: Clock,
    queue: Arc<Mutex<mpsc::Receiver<Queued>>>,
) {
    let begin = || Writer { database: database.clone(), clock: clock.clone(), held: None };
    let (mut writer, mut queued) = (begin(), Vec::with_capacity(BATCH_MAX));
    while queue.lock().await.recv_many(&mut queued, BATCH_MAX).await > 0 {
        let (mut together, mut in_order) = (Vec::new(), Vec::new());
        for queued in queued.drain(..) {
            match queued {
                Queued::One(entry) => together.push(entry),
                Queued::InOrder(entries) => in_order.push(entries),
            }
        }
        if !together.is_empty() {
            together.sort_by(|a, b| a.key().cmp(&b.key()));
            let written = TracedCall::carry(noted(&together), writer.together(together));
            // A fault refuses the writes of this commit; the next has a writer without a past.
            if serve::caught(written).await.is_err() {
                writer = begin();
            }
        }
        for entries in in_order {
            let written = TracedCall::carry(noted(&entries), writer.under_locks(entries));
            if serve::caught(written).await.is_err() {
                writer = begin();
            }
        }
    }
}

/// Counts the entries of a commit. It serves many calls; a traced one among them shows its
/// statements.
fn noted(entries: &[Pending]) -> Option<TracedCall> {
    metrics::histogram!("proffer.commit.batch.size", "store" => "policy")
        .record(entries.len() as f64);
    entries.iter().find_map(|entry| entry.traced.clone())
}

impl Pending {
    /// An entry, and where its answer comes.
    fn new<T, E, F>(
        wanted: Wanted,
        is_writing: bool,
        judge: F,
    ) -> (Self, oneshot::Receiver<Result<T, E>>)
    where
        T: Send + Sync + 'static,
        E: From<DatabaseError> + Send + Sync + 'static,
        F: FnMut(Known) -> Result<(Option<Change>, T), E> + Send + Sync + 'static,
    {
        let (done, answer) = oneshot::channel();
        let work = Box::new(Job { judge, found: None, done });
        (Self { wanted, is_writing, work, traced: TracedCall::current() }, answer)
    }

    fn key(&self) -> (&str, &str) {
        (&self.wanted.tenant, &self.wanted.customer_id)
    }
}

struct Writer {
    database: Database,
    clock: Clock,
    /// Kept between commits: to take one from the pool is a round trip of its own.
    held: Option<PoolConnection<Postgres>>,
}

impl Writer {
    /// Judges and writes all; those that were overtaken are tried again under locks.
    async fn together(&mut self, entries: Vec<Pending>) {
        let entries = match self.optimistically(entries).await {
            Ok(lost) => lost,
            Err((error, entries)) if !is_of_one(&error) => return refuse(&error, entries),
            Err((_, entries)) => entries,
        };
        if !entries.is_empty() {
            self.under_locks(entries).await;
        }
    }

    /// Judges and writes all under locks, in their order.
    async fn under_locks(&mut self, entries: Vec<Pending>) {
        match self.locked(entries).await {
            Ok(()) => {}
            // One bad entry must not fail the others: each is tried alone.
            Err((error, entries)) if is_of_one(&error) && entries.len() > 1 => {
                for entry in entries {
                    if let Err((error, entries)) = self.locked(vec![entry]).await {
                        refuse(&error, entries);
                    }
                }
            }
            Err((error, entries)) => refuse(&error, entries),
        }
    }

    /// Without locks; returns the entries that another writer overtook. SQLite has one writer, so
    /// nothing is gained there.
    async fn optimistically(
        &mut self,
        entries: Vec<Pending>,
    ) -> Result<Vec<Pending>, (DatabaseError, Vec<Pending>)> {
        let Database::Postgres(link) = &self.database else { return Ok(entries) };
        // Budgets are shared by all customers and are judged under locks only.
        let (bound, entries): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.wanted.budgets.is_some());
        if entries.is_empty() {
            return Ok(bound);
        }
        let held = self.held.take();
        let read = link.unless_away(pin!(self.read(link, held, &entries))).await;
        let (mut connection, known) = match read {
            Ok(read) => read,
            Err(error) => return Err((error, joined(bound, entries))),
        };
        let judged = judge(entries, known, &mut Budgets::default());
        let written = link.unless_away(pin!(write::alone(&mut connection, &of(&judged)))).await;
        match written {
            // After a fault the connection goes back to the pool, which checks it.
            Err(error) => {
                Err((error, joined(bound, judged.into_iter().map(|(entry, _)| entry).collect())))
            }
            Ok(won) => {
                self.held = Some(connection);
                Ok(joined(bound, answer(judged, &won)))
            }
        }
    }

    /// What is known of the customers, on the connection that is kept or a new one.
    async fn read(
        &self,
        link: &Link,
        held: Option<PoolConnection<Postgres>>,
        entries: &[Pending],
    ) -> Result<(PoolConnection<Postgres>, Vec<Known>), DatabaseError> {
        let mut connection = match held {
            Some(connection) => connection,
            None => link.acquire().await?,
        };
        let source = &mut Source::Alone(&mut connection);
        let wanted: Vec<_> = entries.iter().map(|entry| &entry.wanted).collect();
        let known = known::read(source, &wanted, &self.clock).await?;
        Ok((connection, known))
    }

    /// With the rows of all locked.
    async fn locked(&mut self, entries: Vec<Pending>) -> Result<(), (DatabaseError, Vec<Pending>)> {
        let (mut transaction, known, mut budgets) = match self.lock(&entries).await {
            Ok(locked) => locked,
            Err(error) => return Err((error, entries)),
        };
        let judged = judge(entries, known, &mut budgets);
        let committed = async {
            let won = write::within(&mut transaction, &of(&judged)).await?;
            budgets.write(&mut transaction).await?;
            transaction.commit().await.map(|()| won)
        };
        match committed.await {
            Err(error) => Err((error, judged.into_iter().map(|(entry, _)| entry).collect())),
            Ok(won) => {
                // INVARIANT: no other writer changes a customer whose row is locked here.
                let lost = answer(judged, &won);
                refuse(
                    &DatabaseError::Corrupt("a customer changed under its lock".to_owned()),
                    lost,
                );
                Ok(())
            }
        }
    }

    /// Takes the locks, and then reads.
    async fn lock(
        &self,
        entries: &[Pending],
    ) -> Result<(Transaction, Vec<Known>, Budgets), DatabaseError> {
        let wanted: Vec<_> = entries.iter().map(|entry| &entry.wanted).collect();
        let mut transaction = self.database.begin().await?;
        // Whatever the order of judging, rows are taken in the order of ids.
        let mut writing: Vec<_> = entries.iter().filter(|entry| entry.is_writing).collect();
        writing.sort_by(|a, b| a.key().cmp(&b.key()));
        let writing: Vec<_> = writing.into_iter().map(|entry| &entry.wanted).collect();
        write::lock(&mut transaction, &writing).await?;
        let source = &mut Source::Within(&mut transaction);
        let known = known::read(source, &wanted, &self.clock).await?;
        let budgets = Budgets::hold(&mut transaction, &wanted, &known, &self.clock).await?;
        Ok((transaction, known, budgets))
    }
}

/// Both, in the order of ids.
fn joined(mut some: Vec<Pending>, others: Vec<Pending>) -> Vec<Pending> {
    some.extend(others);
    some.sort_by(|a, b| a.key().cmp(&b.key()));
    some
}

/// True for a fault that one entry may cause for all: a constraint, or a deadlock.
fn is_of_one(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Conflict(_)) || error.is_aborted()
}

/// Judges one after the other, so that each sees what the ones before took of a budget.
fn judge(
    entries: Vec<Pending>,
    known: Vec<Known>,
    budgets: &mut Budgets,
) -> Vec<(Pending, Change)> {
    let mut judged = Vec::with_capacity(entries.len());
    for (mut entry, mut known) in entries.into_iter().zip(known) {
        known.budgets = budgets.used(&entry.wanted.tenant);
        match entry.work.judge(known) {
            Some(change) => {
                budgets.note(&entry.wanted.tenant, &change.contacts);
                judged.push((entry, change));
            }
            None => entry.work.answer(Ok(())),
        }
    }
    judged
}

fn of(judged: &[(Pending, Change)]) -> Vec<Written<'_>> {
    judged.iter().map(|(entry, change)| (&entry.wanted, change)).collect()
}

/// Answers the entries that were written; returns the others.
fn answer(judged: Vec<(Pending, Change)>, won: &BTreeSet<usize>) -> Vec<Pending> {
    let mut lost = Vec::new();
    for (place, (entry, change)) in judged.into_iter().enumerate() {
        if won.contains(&place) {
            telemetry::count_slots(&change.contacts);
            entry.work.answer(Ok(()));
        } else {
            lost.push(entry);
        }
    }
    lost
}

fn refuse(error: &DatabaseError, entries: Vec<Pending>) {
    for entry in entries {
        let same = match error {
            DatabaseError::Corrupt(text) => DatabaseError::Corrupt(text.clone()),
            DatabaseError::Conflict(name) => DatabaseError::Conflict(name.clone()),
            DatabaseError::Panicked => DatabaseError::Panicked,
            DatabaseError::Unavailable(error) => {
                DatabaseError::Unavailable(sqlx::Error::Protocol(error.to_string()))
            }
        };
        entry.work.answer(Err(same));
    }
}

#[cfg(test)]
mod tests;
