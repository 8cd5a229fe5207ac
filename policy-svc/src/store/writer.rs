//! Group commit without a timer. A writer takes all that queued during its last commit, judges it
//! together and commits it together. A single caller never waits, and many callers share one flush.
//!
//! On PostgreSQL a write without locks succeeds only for customers that nobody changed since they
//! were read. A request that loses such a race is judged again under the locks of the customers'
//! rows, taken in the order of their ids.

use std::{collections::BTreeSet, sync::Arc};

use database::{
    BindRows as _, Columns, Database, DatabaseError, Dialect, Kind, Rows, Source, Transaction,
};
use serve::Clock;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{
    Store,
    budget::Budgets,
    change::{self, Change, Target},
    known::{self, Known, Wanted},
};

/// Most customers of one commit.
pub(super) const BATCH_MAX: usize = 256;
/// Writers of one process: while one waits for the disk the other judges.
pub(super) const WRITERS: usize = 2;
/// Entries that may wait for the writer; beyond, callers wait to queue.
pub(super) const QUEUE_MAX: usize = 4 * BATCH_MAX;

/// Something to be judged and written about one customer.
pub(super) struct Pending {
    wanted: Wanted,
    work: Box<dyn Work>,
}

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
        let (change, found) = match (self.judge)(known) {
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
    /// Judges by what is known of a customer and writes what follows; returns once it is durable.
    /// Of one customer only one entry of this process is under way, so no commit holds two.
    pub async fn write<T, E, F>(&self, wanted: Wanted, judge: F) -> Result<T, E>
    where
        T: Send + Sync + 'static,
        E: From<DatabaseError> + Send + Sync + 'static,
        F: FnMut(Known) -> Result<(Option<Change>, T), E> + Send + Sync + 'static,
    {
        let _turn = self.turn(&wanted.tenant, &wanted.customer_id).await;
        let (done, answer) = oneshot::channel();
        let gone = || DatabaseError::Unavailable(sqlx::Error::WorkerCrashed);
        let entry = Pending { wanted, work: Box::new(Job { judge, found: None, done }) };
        self.writer.send(entry).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Works through the queue until every store is gone.
pub(super) async fn run(
    database: Database,
    clock: Clock,
    queue: Arc<Mutex<mpsc::Receiver<Pending>>>,
) {
    let mut writer = Writer { database, clock, held: None };
    let mut entries = Vec::with_capacity(BATCH_MAX);
    while queue.lock().await.recv_many(&mut entries, BATCH_MAX).await > 0 {
        entries.sort_by(|a, b| a.key().cmp(&b.key()));
        writer.together(std::mem::take(&mut entries)).await;
    }
}

impl Pending {
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
    /// Judges and writes all; who loses is tried again under locks.
    async fn together(&mut self, entries: Vec<Pending>) {
        let entries = match self.optimistically(entries).await {
            Ok(lost) => lost,
            Err((error, entries)) if !is_of_one(&error) => return refuse(&error, entries),
            Err((_, entries)) => entries,
        };
        if entries.is_empty() {
            return;
        }
        match self.locked(entries).await {
            Ok(()) => {}
            // One bad entry must not spoil its companions: each is tried alone.
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

    /// Without locks; gives back those of whom somebody else wrote meanwhile. SQLite has one
    /// writer: nothing is gained.
    async fn optimistically(
        &mut self,
        entries: Vec<Pending>,
    ) -> Result<Vec<Pending>, (DatabaseError, Vec<Pending>)> {
        let Database::Postgres(pool) = &self.database else { return Ok(entries) };
        // What all customers share is looked at under locks only.
        let (bound, entries): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.wanted.budgets.is_some());
        if entries.is_empty() {
            return Ok(bound);
        }
        let held = self.held.take();
        let (mut connection, known) = match self.read(pool, held, &entries).await {
            Ok(read) => read,
            Err(error) => return Err((error, joined(bound, entries))),
        };
        let judged = judge(entries, known, &mut Budgets::default());
        match change::write(Target::Alone(&mut connection), &of(&judged)).await {
            // After a fault the connection goes back to the pool, which looks at it first.
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
        pool: &PgPool,
        held: Option<PoolConnection<Postgres>>,
        entries: &[Pending],
    ) -> Result<(PoolConnection<Postgres>, Vec<Known>), DatabaseError> {
        let mut connection = match held {
            Some(connection) => connection,
            None => pool.acquire().await?,
        };
        let source = &mut Source::Alone(&mut connection);
        let known =
            known::read(source, entries.iter().map(|entry| &entry.wanted), &self.clock).await?;
        Ok((connection, known))
    }

    /// Under the locks of all.
    async fn locked(&mut self, entries: Vec<Pending>) -> Result<(), (DatabaseError, Vec<Pending>)> {
        let (mut transaction, known, mut budgets) = match self.lock(&entries).await {
            Ok(locked) => locked,
            Err(error) => return Err((error, entries)),
        };
        let judged = judge(entries, known, &mut budgets);
        let committed = async {
            let won = change::write(Target::Within(&mut transaction), &of(&judged)).await?;
            budgets.write(&mut transaction).await?;
            transaction.commit().await.map(|()| won)
        };
        match committed.await {
            Err(error) => Err((error, judged.into_iter().map(|(entry, _)| entry).collect())),
            Ok(won) => {
                // INVARIANT: nobody writes to a customer without the lock that is held here.
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
        lock(&mut transaction, &wanted).await?;
        let source = &mut Source::Within(&mut transaction);
        let known = known::read(source, wanted.iter().copied(), &self.clock).await?;
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

/// True for a fault that one entry may bring upon all: a constraint, or locks that waited for each
/// other.
fn is_of_one(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Conflict(_)) || error.is_aborted()
}

/// Judges one after the other: what one takes of a budget the next does not find.
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

fn of(judged: &[(Pending, Change)]) -> Vec<(&Wanted, &Change)> {
    judged.iter().map(|(entry, change)| (&entry.wanted, change)).collect()
}

/// Answers those who were written to; gives the others back.
fn answer(judged: Vec<(Pending, Change)>, won: &BTreeSet<usize>) -> Vec<Pending> {
    let mut lost = Vec::new();
    metrics::counter!("proffer.policy.commit").increment(u64::from(!won.is_empty()));
    metrics::counter!("proffer.policy.commit.customer").increment(won.len() as u64);
    for (place, (entry, change)) in judged.into_iter().enumerate() {
        if won.contains(&place) {
            for contact in change.contacts.iter().filter(|contact| contact.is_unreserved) {
                metrics::counter!("proffer.policy.contact.unreserved").increment(1);
                tracing::info!(contact.id = %contact.contact_id, "contact reported without a live reservation");
            }
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
            DatabaseError::Unavailable(error) => {
                DatabaseError::Unavailable(sqlx::Error::Protocol(error.to_string()))
            }
        };
        entry.work.answer(Err(same));
    }
}

const CUSTOMER: Columns =
    &[("place", Kind::Integer), ("tenant_id", Kind::Text), ("customer_id", Kind::Text)];

/// Takes the customers' rows, creating those that are missing, and keeps them locked until the
/// transaction ends. Two writers take the same rows in the same order, so neither waits for one who
/// waits for it.
async fn lock(transaction: &mut Transaction, wanted: &[&Wanted]) -> Result<(), DatabaseError> {
    let Transaction::Postgres(inner) = transaction else { return Ok(()) };
    let connection: &mut PgConnection = inner;
    let mut ids = Rows::new(CUSTOMER);
    for (place, wanted) in wanted.iter().enumerate() {
        ids.push([place.into(), (&wanted.tenant).into(), (&wanted.customer_id).into()]);
    }
    let asked = ids.table(Dialect::Postgres, 1);
    // The first inserts; whoever comes meanwhile waits for it here and finds the row below.
    sqlx::query(AssertSqlSafe(format!(
        "insert into customer (tenant_id, customer_id, version, ledger_us, applied_seq)
         select tenant_id, customer_id, 1, 0, 0 from {asked} asked order by place
         on conflict (tenant_id, customer_id) do nothing"
    )))
    .bind_rows(&ids)
    .execute(&mut *connection)
    .await?;
    sqlx::query(AssertSqlSafe(format!(
        "select 1 from {asked} asked
         join customer c on c.tenant_id = asked.tenant_id and c.customer_id = asked.customer_id
         order by place for update of c"
    )))
    .bind_rows(&ids)
    .execute(&mut *connection)
    .await?;
    Ok(())
}
