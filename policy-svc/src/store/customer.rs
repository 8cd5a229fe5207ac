//! The row a customer's writers lock.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Transaction, execute, within};
use serve::Clock;

use super::{Source, fetch};

/// A customer at the ledger instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Customer {
    /// The later of the clock and the last one stored.
    pub ledger_at: DateTime<Utc>,
    /// The last outcome applied.
    pub applied_seq: i64,
}

type Row = (i64, i64);

fn customer(row: Option<Row>, clock: &Clock) -> Customer {
    let (ledger_us, applied_seq) = row.unwrap_or((i64::MIN, 0));
    let stored = DateTime::from_timestamp_micros(ledger_us).unwrap_or(DateTime::<Utc>::MIN_UTC);
    Customer { ledger_at: clock.now().max(stored), applied_seq }
}

/// Takes the customer's row, creating it the first time, and keeps it locked until the transaction ends.
pub(super) async fn lock(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    clock: &Clock,
) -> Result<Customer, DatabaseError> {
    if let Some(known) = lock_known(transaction, tenant, customer_id, clock).await? {
        return Ok(known);
    }
    // Of two that come first one inserts; the other waits for it here and finds the row below.
    execute!(
        &mut *transaction,
        sqlx::query(
            "insert into customer (tenant_id, customer_id, ledger_us, applied_seq) values ($1, $2, 0, 0)
         on conflict (tenant_id, customer_id) do nothing"
        )
        .bind(tenant)
        .bind(customer_id)
    )?;
    let known = lock_known(transaction, tenant, customer_id, clock).await?;
    known.ok_or_else(|| DatabaseError::Corrupt("a customer's row vanished under its lock".to_owned()))
}

/// Takes the customer's row when there is one.
pub(super) async fn lock_known(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    clock: &Clock,
) -> Result<Option<Customer>, DatabaseError> {
    let select =
        transaction.locking("select ledger_us, applied_seq from customer where tenant_id = $1 and customer_id = $2");
    let row: Option<Row> = within!(transaction, connection =>
        sqlx::query_as(select).bind(tenant).bind(customer_id).fetch_optional(connection))?;
    // The clock is read under the lock: instants follow the order of writers.
    Ok(row.map(|row| customer(Some(row), clock)))
}

/// Reads without a lock.
pub(super) async fn read(
    source: &mut Source<'_>,
    tenant: &str,
    customer_id: &str,
    clock: &Clock,
) -> Result<Customer, DatabaseError> {
    let row: Option<Row> = fetch!(source, connection => sqlx::query_as(
        "select ledger_us, applied_seq from customer where tenant_id = $1 and customer_id = $2")
        .bind(tenant).bind(customer_id).fetch_optional(connection))?;
    Ok(customer(row, clock))
}

/// Stores what the next writer starts from.
pub(super) async fn save(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    ledger_at: DateTime<Utc>,
    applied_seq: i64,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query("update customer set ledger_us = $3, applied_seq = $4 where tenant_id = $1 and customer_id = $2")
            .bind(tenant)
            .bind(customer_id)
            .bind(ledger_at.timestamp_micros())
            .bind(applied_seq)
    )?;
    Ok(())
}
