//! Customer records. Promises:
//!
//! - What a write acknowledged is durable, and every read that begins afterwards sees it.
//! - A batch is one transaction: all its rows or none.
//! - Changes of one record wait for each other: none is lost, and `version` counts them without a
//!   gap.

mod record;

use database::{Dialect, Migrations, Schema, Statement};

pub use record::{NewRecord, RecordRow, Records};

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The service's tables; run them after the log's.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// The store of the service: the tables of its log, then its own.
pub fn schema() -> Schema {
    Schema { service: "catalog", steps: vec![history::migrations(), migrations()] }
}

/// Every statement on the service's tables.
pub fn statements(dialect: Dialect) -> Vec<Statement> {
    record::statements(dialect)
}
