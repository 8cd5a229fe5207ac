//! What decision-svc keeps. Promises:
//!
//! - What [`Store::write_decision`] and [`Store::write_outcomes`] acknowledged is durable, with its
//!   messages for the neighbours.
//! - Per customer, a request id has one decision, an idempotency key one outcome, and an experiment
//!   one arm, under any interleaving and number of replicas.
//! - Messages about a customer are numbered in the order in which they were acknowledged.
//! - A contact is counted once, and its response once, in the transaction of the report that says
//!   so.
//! - A contact is learned once, in the transaction that writes what was learned from it.
//! - What [`Store::advance_report`] passes over is counted once, with its position.
//! - Every statement has a form that a database which spreads customers over servers can run:
//!   [`statements`] lists all of them.

mod arm;
mod customer;
mod decision;
mod known;
mod metric;
mod narrowed;
mod new_decision;
mod online;
mod outbox;
mod outcome;
mod replica;
mod report;
mod request;
mod response;
mod retention;
mod writer;

use std::sync::{Arc, atomic::AtomicUsize};

use database::{Database, Dialect, Migrations, Schema, Statement};
use tokio::sync::mpsc;

pub use decision::{DecisionFilter, DecisionName, DecisionRow};
pub use known::Known;
pub use metric::AskedMetric;
pub use new_decision::{NewArm, NewDecision, RequestRow};
pub use online::{DueContact, Lease, StateRow};
pub use outbox::{Backlog, OutboxRow, Target};
pub use outcome::{NewOutcome, OutcomeFilter, OutcomeRow, Recorded};
pub use report::{
    CountedDecision, CountedOutcome, CountedRows, Counting, DayRow, ReportPosition, ReportZone,
};
pub use response::{PARTS, ResponseRow};
pub use writer::Written;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The service's tables; run them after the log's.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// The store of the service: the tables of its log, then its own.
pub fn schema() -> Schema {
    Schema { service: "decision", steps: vec![history::migrations(), migrations()] }
}

/// Every statement on the service's tables.
pub fn statements(dialect: Dialect) -> Vec<Statement> {
    let of_dialect = [
        customer::statements,
        decision::statements,
        known::statements,
        metric::statements,
        request::statements,
        response::statements,
    ];
    let mut all: Vec<_> = of_dialect.iter().flat_map(|statements| statements(dialect)).collect();
    let of_both = [
        arm::statements,
        online::statements,
        outbox::statements,
        outcome::statements,
        replica::statements,
        report::statements,
        retention::statements,
    ];
    for statements in of_both {
        all.extend(statements());
    }
    all
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    writer: Arc<mpsc::Sender<writer::Job>>,
    /// Whose turn it is among the parts of counts.
    turn: Arc<AtomicUsize>,
}

impl Store {
    /// The store kept in `database`. Starts the writer that commits queued decisions together.
    pub fn new(database: Database) -> Self {
        let (sender, receiver) = mpsc::channel(writer::QUEUE_MAX);
        tokio::spawn(writer::write_queued(database.clone(), receiver));
        Self { database, writer: Arc::new(sender), turn: Arc::default() }
    }
}
