//! Stored answers that granted something, for retries of the same request.

use chrono::TimeDelta;
use database::{DatabaseError, Select, execute};

use super::Store;

/// How long a request is answered the same.
pub const REQUEST_KEPT: TimeDelta = TimeDelta::hours(24);
/// Old answers purged in one transaction.
const PURGE_BATCH: i64 = 500;

/// Old answers, of all customers.
pub(super) const OLD: &str = "select tenant_id, customer_id, request_key from grant_request \
    where at_us <= $1 limit $2 + 0";
/// Removes one of them.
pub(super) const PURGE: &str = "delete from grant_request where tenant_id = $1 \
    and customer_id = $2 and request_key = $3 and at_us <= $4";

/// The answer to an earlier call of a request.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// The decision that holds its slots.
    pub decision_id: String,
    /// The answer, encoded.
    pub response: Vec<u8>,
}

impl Store {
    /// Removes answers older than [`REQUEST_KEPT`]; returns how many.
    pub async fn purge_requests(&self) -> Result<u64, DatabaseError> {
        let until_us = (self.clock.now() - REQUEST_KEPT).timestamp_micros();
        let mut purged = 0;
        loop {
            let select = Select::new(OLD).bind(until_us).bind(PURGE_BATCH);
            let mut keys: Vec<(String, String, String)> = select.all(&self.database).await?;
            if keys.is_empty() {
                return Ok(purged);
            }
            // In key order, so that two replicas that purge cannot wait for each other.
            keys.sort();
            let mut transaction = self.database.begin().await?;
            for (tenant, customer_id, request_key) in &keys {
                let done = execute!(
                    &mut transaction,
                    sqlx::query(PURGE)
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
