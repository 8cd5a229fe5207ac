//! The contact ledger. Promises:
//!
//! - Whatever writes about a customer holds the lock on the customer's row from its first read to its commit, so no cap
//!   is passed and no withdrawal overtaken, under any interleaving and number of replicas. Batches lock in id order.
//! - Caps, commits and expiry are judged at the ledger instant: the later of the clock and the last one stored on that
//!   row, read under the lock.
//! - An outcome is applied once, in the customer's order, whether it is delivered or comes along inside a question.
//! - What [`Store::reserve`] granted is answered again to a repeat of the same request for [`REQUEST_KEPT`].

mod consent;
mod contact;
mod customer;
mod gate;
mod outcome;
mod request;

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use database::{Database, DatabaseError, Migrations, Transaction};
use serve::Clock;
use tokio::sync::{Mutex, MutexGuard};

pub use consent::{NewConsent, PutConsent};
pub use contact::CONTACTS_MAX;
pub use gate::{Call, Committed, Grant, Order, ReserveAnswer, Reserved};
pub use outcome::OUTCOMES_MAX;
pub use request::REQUEST_KEPT;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The service's tables; run them after the log's.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// Why the ledger does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The decision reserved before, for another request.
    #[error("decision `{0}` has reserved before")]
    DecisionUsed(String),
    /// The contact of that decision and rank is about another offer or channel.
    #[error("the contact is about offer `{offer_id}` on channel `{channel}`")]
    OtherContact {
        /// Its offer.
        offer_id: String,
        /// Its channel.
        channel: String,
    },
}

/// Queues in which writers about one customer wait before they take a connection.
const QUEUES: usize = 256;

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    clock: Clock,
    queues: Arc<Vec<Mutex<()>>>,
}

impl Store {
    /// The ledger kept in `database`.
    pub fn new(database: Database, clock: Clock) -> Self {
        let queues = std::iter::repeat_with(Mutex::default).take(QUEUES).collect();
        Self { database, clock, queues: Arc::new(queues) }
    }

    /// Waits for this process's turn with a customer. The lock on the row decides; this one only keeps a customer whom
    /// many ask about from holding every connection.
    async fn turn(&self, tenant: &str, customer_id: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        (tenant, customer_id).hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % QUEUES as u64).unwrap_or_default();
        Some(self.queues.get(index)?.lock().await)
    }
}

/// Where something is read: inside a transaction, under its locks, or outside of any.
enum Source<'a> {
    Outside(&'a Database),
    Within(&'a mut Transaction),
}

/// Reads from either: `fetch!(source, connection => sqlx::query_as(…).fetch_all(connection))`.
macro_rules! fetch {
    ($source:expr, $connection:ident => $query:expr) => {
        match $source {
            $crate::store::Source::Outside(database) => database::read!(database, $connection => $query),
            $crate::store::Source::Within(transaction) => database::within!(transaction, $connection => $query),
        }
    };
}
use fetch;

/// `$3, $4, $5`.
fn placeholders(first: usize, count: usize) -> String {
    let names: Vec<_> = (first..first + count).map(|place| format!("${place}")).collect();
    names.join(", ")
}
