//! What decision-svc keeps. Promises:
//!
//! - What [`Store::write_decision`] and [`Store::write_outcomes`] acknowledged is durable, with its
//!   outbox rows.
//! - A request id has one decision, an idempotency key one outcome, a customer one arm per
//!   experiment, under any interleaving and number of replicas.
//! - Outbox rows of a customer are numbered in the order in which they were acknowledged.

mod decision;
mod metric;
mod outbox;
mod outcome;
mod together;

use std::sync::Arc;

use database::{Database, DatabaseError, Migrations, Transaction, execute, within};
use tokio::sync::mpsc;

pub use decision::{DecisionRow, NewDecision, RequestRow, Written};
pub use metric::AskedMetric;
pub use outbox::{OutboxRow, Target};
pub use outcome::{NewOutcome, Recorded};
pub use together::Known;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The service's tables; run them after the log's.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    writer: Arc<mpsc::Sender<decision::Job>>,
}

impl Store {
    /// The store kept in `database`. Starts the writer that commits queued decisions together.
    pub fn new(database: Database) -> Self {
        let (sender, receiver) = mpsc::channel(decision::QUEUE_MAX);
        tokio::spawn(decision::write_queued(database.clone(), receiver));
        Self { database, writer: Arc::new(sender) }
    }
}

/// Takes the customer's row and the next `count` numbers of the customer; the first is returned.
async fn lock_customer(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    count: i64,
) -> Result<i64, DatabaseError> {
    execute!(
        transaction,
        sqlx::query(
            "insert into customer (tenant_id, customer_id, seq) values ($1, $2, 0)
         on conflict (tenant_id, customer_id) do nothing"
        )
        .bind(tenant)
        .bind(customer_id)
    )?;
    let select =
        transaction.locking("select seq from customer where tenant_id = $1 and customer_id = $2");
    let (seq,): (i64,) = within!(transaction, connection =>
        sqlx::query_as(select).bind(tenant).bind(customer_id).fetch_one(connection))?;
    execute!(
        transaction,
        sqlx::query("update customer set seq = $3 where tenant_id = $1 and customer_id = $2")
            .bind(tenant)
            .bind(customer_id)
            .bind(seq + count)
    )?;
    Ok(seq + 1)
}
