//! Answers that granted something, for repeats of the same request.

use chrono::{DateTime, TimeDelta, Utc};
use database::{DatabaseError, Transaction, execute, read, within};

use super::Store;

/// How long a request is answered the same.
pub const REQUEST_KEPT: TimeDelta = TimeDelta::hours(24);
/// Old answers purged in one transaction.
const PURGE_BATCH: i64 = 500;

/// An answer given before.
#[derive(Clone, Debug)]
pub(super) struct Earlier {
    /// The decision that holds its slots.
    pub decision_id: String,
    /// The answer, encoded.
    pub response: Vec<u8>,
}

/// The answer this request had within [`REQUEST_KEPT`] before `at`.
pub(super) async fn find(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    request_key: &str,
    at: DateTime<Utc>,
) -> Result<Option<Earlier>, DatabaseError> {
    let after_us = (at - REQUEST_KEPT).timestamp_micros();
    let row: Option<(String, Vec<u8>)> = within!(transaction, connection => sqlx::query_as(
        "select decision_id, response from grant_request
         where tenant_id = $1 and customer_id = $2 and request_key = $3 and at_us > $4")
        .bind(tenant).bind(customer_id).bind(request_key).bind(after_us).fetch_optional(connection))?;
    Ok(row.map(|(decision_id, response)| Earlier { decision_id, response }))
}

/// Keeps an answer in place of one that is too old.
pub(super) async fn keep(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    request_key: &str,
    earlier: &Earlier,
    at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query(
            "insert into grant_request (tenant_id, customer_id, request_key, decision_id, response, at_us)
         values ($1, $2, $3, $4, $5, $6) on conflict (tenant_id, customer_id, request_key) do update set
           decision_id = excluded.decision_id, response = excluded.response, at_us = excluded.at_us"
        )
        .bind(tenant)
        .bind(customer_id)
        .bind(request_key)
        .bind(&earlier.decision_id)
        .bind(&earlier.response)
        .bind(at.timestamp_micros())
    )?;
    Ok(())
}

/// Forgets an answer.
pub(super) async fn forget(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    request_key: &str,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query("delete from grant_request where tenant_id = $1 and customer_id = $2 and request_key = $3")
            .bind(tenant)
            .bind(customer_id)
            .bind(request_key)
    )?;
    Ok(())
}

impl Store {
    /// Removes answers older than [`REQUEST_KEPT`]; says how many.
    pub async fn purge_requests(&self) -> Result<u64, DatabaseError> {
        let until_us = (self.clock.now() - REQUEST_KEPT).timestamp_micros();
        let mut purged = 0;
        loop {
            let mut keys: Vec<(String, String, String)> = read!(&self.database, pool => sqlx::query_as(
                "select tenant_id, customer_id, request_key from grant_request where at_us <= $1 limit $2")
                .bind(until_us).bind(PURGE_BATCH).fetch_all(pool))?;
            if keys.is_empty() {
                return Ok(purged);
            }
            // In key order, so that two replicas that purge cannot wait for each other.
            keys.sort();
            let mut transaction = self.database.begin().await?;
            for (tenant, customer_id, request_key) in &keys {
                let done = execute!(
                    &mut transaction,
                    sqlx::query(
                        "delete from grant_request
                     where tenant_id = $1 and customer_id = $2 and request_key = $3 and at_us <= $4"
                    )
                    .bind(tenant)
                    .bind(customer_id)
                    .bind(request_key)
                    .bind(until_us)
                )?;
                purged += done.rows;
            }
            transaction.commit().await?;
        }
    }
}
