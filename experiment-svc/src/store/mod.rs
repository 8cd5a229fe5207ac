//! What experiment-svc keeps. Promises:
//!
//! - One experiment runs per tenant and flow, under any interleaving and number of replicas:
//!   [`take_flow`] runs in the transaction that writes the experiment.
//! - What [`Store::deliver`] acknowledged is durable, all of it or nothing. Delivered again it
//!   changes nothing: a customer's first arm, earliest exposure and each outcome are kept once.
//! - The sums over customers are those of the customers' rows, after every transaction.
//! - The ledger outlives the experiment.

/// The texts of a statement about rows that are bound from parameter 2 on; parameter 1 is the
/// tenant.
macro_rules! texts {
    ($name:ident, $columns:expr, |rows| { $text:literal }) => {
        static $name: std::sync::LazyLock<database::Texts> = std::sync::LazyLock::new(|| {
            database::Texts::new(|dialect, count| {
                format!($text, rows = dialect.table($columns, count, 2))
            })
        });
    };
}

mod arm;
mod base;
mod contact;
mod counting;
mod customer;
mod flow;
mod import;
mod ledger;
mod put;
mod reading;
mod rebuild;
mod recount;
mod retention;
mod snapshot;
mod sums;
mod training;

pub use arm::ArmRow;
pub use base::CUSTOMERS_MAX;
pub use contact::{Audit, NewContact};
pub use counting::{OpenExperiment, Pending, StoredPlan, put_plan};
use database::{Count, Database, Dialect, Migrations, Schema, Statement, Texts};
pub use flow::{FlowError, give_flow_back, take_flow};
pub use import::{Differs, ImportedArm};
pub use ledger::{Assignment, Delivered, Delivery, Exposure, Outcome};
pub use reading::{Read, Seen};
pub use training::Learned;

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

/// Every statement on the service's tables.
pub fn statements(dialect: Dialect) -> Vec<Statement> {
    let all = [
        arm::statements(),
        base::statements(),
        contact::statements(dialect),
        counting::statements(dialect),
        customer::statements(dialect),
        flow::statements(),
        import::statements(dialect),
        ledger::statements(dialect),
        reading::statements(),
        rebuild::statements(),
        recount::statements(dialect),
        retention::statements(),
        snapshot::statements(),
        sums::statements(dialect),
        training::statements(),
    ];
    all.concat()
}

/// A statement about rows, for one row and for several.
fn listed(name: &'static str, texts: &Texts, dialect: Dialect) -> Vec<Statement> {
    let one = |count| Statement::new(name, texts.get(dialect, count).to_owned());
    [Count::One, Count::Many].map(one).into()
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

    /// The database it is kept in.
    pub fn database(&self) -> &Database {
        &self.database
    }
}
