//! The contact ledger. Promises:
//!
//! - Writes about a customer are serialized. A write whose rows have changed since it was judged is
//!   judged again. So no cap is exceeded and no withdrawal overtaken, under any interleaving and
//!   with any number of replicas.
//! - The ledger instant of a customer never runs backwards: it is the later of the clock and the
//!   last one stored on the customer's row.
//! - A contact that happened has a position among those of its tenant, and a reader who goes on
//!   after the last position that it has seen misses none.
//! - An answer that granted something is kept for retries of the same request for
//!   [`REQUEST_KEPT`].
//!
//! It knows rows and SQL, and no rules.

mod budget;
mod budget_entry;
mod change;
mod change_row;
mod consent;
mod contact;
mod ended;
mod feed;
mod known;
mod reconciliation;
mod request;
mod retention;
mod row;
mod statements;
mod write;
mod writer;

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Migrations, Schema, Source};
use serve::Clock;
use tokio::sync::{Mutex, MutexGuard, mpsc};

pub use change::{AnswerChange, Change};
pub use ended::minute_of;
pub use feed::Fed;
pub use known::{Known, Wanted};
pub use reconciliation::Drift;
pub use request::{Earlier, REQUEST_KEPT};
pub use statements::statements;
pub use writer::{Entry, Judge};

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The service's tables; run them after the log's.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// The store of the service: the tables of its log, then its own.
pub fn schema() -> Schema {
    Schema { service: "policy", steps: vec![history::migrations(), migrations()] }
}

/// Contacts in the window that are read. One more than the highest cap, so that a global cap would
/// refuse a customer with more of them anyway.
pub const CONTACTS_MAX: usize = 10_001;
/// Outcomes that are read, newest first.
pub const OUTCOMES_MAX: usize = 10_000;

/// Queues for the writes of this process, by customer.
const QUEUES: usize = 4_096;

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    clock: Clock,
    queues: Arc<Vec<Mutex<()>>>,
    writer: mpsc::Sender<writer::Queued>,
}

impl Store {
    /// The ledger kept in `database`. Starts the writers that commit what queues together.
    pub fn new(database: Database, clock: Clock) -> Self {
        let queues = std::iter::repeat_with(Mutex::default).take(QUEUES).collect();
        let (writer, queue) = mpsc::channel(writer::QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..writer::WRITERS {
            tokio::spawn(writer::run(database.clone(), clock.clone(), queue.clone()));
        }
        Self { database, clock, queues: Arc::new(queues), writer }
    }

    /// The instant by the clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Waits until no other write of this process about the customer is under way.
    async fn turn(&self, tenant: &str, customer_id: &str) -> Option<MutexGuard<'_, ()>> {
        Some(self.queues.get(queue_of(tenant, customer_id))?.lock().await)
    }

    /// The same for several customers. Queues are taken in order, so that two callers cannot wait
    /// for each other.
    async fn turns<'a>(
        &self,
        customers: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Vec<MutexGuard<'_, ()>> {
        let indexes: BTreeSet<_> = customers.map(|(tenant, id)| queue_of(tenant, id)).collect();
        let mut turns = Vec::with_capacity(indexes.len());
        for queue in indexes.into_iter().filter_map(|index| self.queues.get(index)) {
            turns.push(queue.lock().await);
        }
        turns
    }

    /// The rows of one customer, with the budgets.
    pub async fn known(&self, wanted: &Wanted) -> Result<Known, DatabaseError> {
        let mut known = self.known_of_all(std::slice::from_ref(wanted)).await?;
        known.pop().ok_or_else(|| DatabaseError::Corrupt("a customer without an answer".to_owned()))
    }

    /// The rows of several customers of one tenant, read together, with the budgets of the first.
    pub async fn known_of_all(&self, wanted: &[Wanted]) -> Result<Vec<Known>, DatabaseError> {
        let Some(first) = wanted.first() else { return Ok(Vec::new()) };
        let source = &mut Source::Outside(&self.database);
        let all: Vec<_> = wanted.iter().collect();
        let mut known = known::read(source, &all, &self.clock).await?;
        if let Some(configuration) = &first.budgets {
            let has_pending = wanted.iter().any(|wanted| wanted.has_pending);
            let asked = (&**configuration, has_pending);
            let budgets = budget::read(source, &first.tenant, asked, &self.clock).await?;
            known.iter_mut().for_each(|known| known.budgets.clone_from(&budgets));
        }
        Ok(known)
    }
}

/// The queue of a customer's writes.
fn queue_of(tenant: &str, customer_id: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    (tenant, customer_id).hash(&mut hasher);
    usize::try_from(hasher.finish() % QUEUES as u64).unwrap_or_default()
}
