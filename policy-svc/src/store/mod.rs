//! The contact ledger. Promises:
//!
//! - What is written about a customer follows from what the one before wrote: whoever judged by
//!   older rows writes nothing and judges again. So no cap is passed and no withdrawal overtaken,
//!   under any interleaving and number of replicas.
//! - Caps, commits and expiry are judged at the ledger instant: the later of the clock and the last
//!   one stored on the customer's row.
//! - An outcome is applied once, in the customer's order, whether it is delivered or comes along
//!   inside a question.
//! - What [`Store::reserve`] granted is answered again to a repeat of the same request for
//!   [`REQUEST_KEPT`].

mod budget;
mod change;
mod consent;
mod contact;
mod gate;
mod known;
mod reconciliation;
mod request;
mod writer;

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Migrations};
use serve::Clock;
use tokio::sync::{Mutex, MutexGuard, mpsc};

pub use consent::{NewConsent, PutConsent};
pub use gate::{Basis, Call, Committed, Grant, Order, ReserveAnswer, Reserved};
pub use reconciliation::Drift;
pub use request::REQUEST_KEPT;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The service's tables; run them after the log's.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// Contacts in the window read for one judgement. One more than the highest cap, so that what
/// cannot be read would have been refused by a global cap anyway.
pub const CONTACTS_MAX: usize = 10_001;
/// Outcomes read for one judgement, newest first.
pub const OUTCOMES_MAX: usize = 10_000;

/// Why the ledger does not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The configuration asked with is not the newest any more.
    #[error("the configuration has changed")]
    Reconfigured,
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

/// Queues in which those who write about one customer wait for each other.
const QUEUES: usize = 4_096;

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    clock: Clock,
    queues: Arc<Vec<Mutex<()>>>,
    writer: mpsc::Sender<writer::Entry>,
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

    /// Waits for this process's turn with a customer.
    async fn turn(&self, tenant: &str, customer_id: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        (tenant, customer_id).hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % QUEUES as u64).unwrap_or_default();
        Some(self.queues.get(index)?.lock().await)
    }
}

/// Things that one write about a customer may name.
const NAMED_MAX: i64 = 64;

/// An id that sorts by the millisecond it was given in, then by the version of the customer's row
/// it was written by, then by its place in that write.
fn new_id(prefix: &str, at: DateTime<Utc>, version: i64, place: i64) -> String {
    let order = (version.wrapping_mul(NAMED_MAX) + place.min(NAMED_MAX - 1)).to_be_bytes();
    let [.., a, b, c, d, e] = order;
    // The end of any such id is random.
    let [.., f, g, h, i, j] =
        uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0)).into_bytes();
    // Version and variant of a uuid take the upper bits of the first and third byte.
    let tail = [
        a & 0x0f,
        b,
        c >> 2,
        (c << 6) | (d >> 2),
        (d << 6) | (e >> 2),
        (e << 6) | (f & 0x3f),
        g,
        h,
        i,
        j,
    ];
    let milliseconds = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    format!(
        "{prefix}_{}",
        uuid::Builder::from_unix_timestamp_millis(milliseconds, &tail).into_uuid().simple()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_sort_by_version_and_place() {
        let at = DateTime::UNIX_EPOCH;
        let order = [
            (0, 0),
            (0, 1),
            (0, 63),
            (1, 0),
            (63, 5),
            (64, 0),
            (4_096, 0),
            (1 << 20, 2),
            ((1 << 27) + 1, 0),
        ];
        let ids: Vec<_> =
            order.iter().map(|(version, place)| new_id("x", at, *version, *place)).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.last() < Some(&new_id("x", at + chrono::TimeDelta::milliseconds(1), 0, 0)));
    }
}
