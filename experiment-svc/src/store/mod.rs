//! What experiment-svc keeps. Promises:
//!
//! - One experiment runs per tenant and flow, under any interleaving and number of replicas:
//!   [`take_flow`] runs in the transaction that writes the experiment.
//! - What [`Store::deliver`] acknowledged is durable, all of it or nothing. Delivered again it
//!   changes nothing: a customer's first arm, earliest exposure and each outcome are kept once.
//! - The ledger outlives the experiment.

mod arm;
mod flow;
mod ledger;
mod reading;
mod retention;

pub use arm::ArmRow;
use database::{Database, Dialect, Migrations, Schema, Statement};
pub use flow::{FlowError, give_flow_back, take_flow};
pub use ledger::{Assignment, Delivered, Delivery, Exposure, Outcome};
pub use reading::Read;

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The service's tables; run them after the log's.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// The store of the service: the tables of its log, then its own.
pub fn schema() -> Schema {
    Schema { service: "experiment", steps: vec![history::migrations(), migrations()] }
}

/// Every statement on the service's tables; both dialects have the same.
pub fn statements(_: Dialect) -> Vec<Statement> {
    let all = [
        arm::statements(),
        flow::statements(),
        ledger::statements(),
        reading::statements(),
        retention::statements(),
    ];
    all.concat()
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
}

impl Store {
    /// The store kept in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}
