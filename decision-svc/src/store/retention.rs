//! SQL that deletes old rows: the keys of some, then each by its key.

use database::{DatabaseError, Select, Statement, delete_each, execute};

use serve::BATCH_MAX;

use super::{RequestRow, Store, online};

/// What was deleted by age, as [`Store::keep_since`] writes it.
const DECISIONS: &str = "decisions";

const OLD_REQUESTS: &str = "select tenant_id, customer_id, request_id from request
    where decided_us <= $1 limit $2 + 0";
const DELETE_REQUEST: &str = "delete from request
    where tenant_id = $1 and customer_id = $2 and request_id = $3 and decided_us <= $4";

const OLD_DECISIONS: &str = "select customer_id, decided_us, decision_id from decision
    where tenant_id = $1 and decided_us < $2 order by decided_us limit $3 + 0";
const DELETE_DECISION: &str = "delete from decision
    where tenant_id = $1 and customer_id = $2 and decided_us = $3 and decision_id = $4";

const DELETE_CONTACTS: &str = "delete from contact_response
    where tenant_id = $1 and customer_id = $2 and decision_id = $3";

const OLD_OUTCOMES: &str = "select customer_id, idempotency_key from outcome
    where tenant_id = $1 and occurred_us < $2 and outcome_key <> $3 and received_us <= $4
    limit $5 + 0";
const DELETE_OUTCOME: &str = "delete from outcome
    where tenant_id = $1 and customer_id = $2 and idempotency_key = $3 and occurred_us < $4";

const KEEP_SINCE: &str = "insert into kept_since (tenant_id, kind, since_us) values ($1, $2, $3)
    on conflict (tenant_id, kind) do update set since_us = excluded.since_us
    where excluded.since_us > kept_since.since_us";
const KEPT_SINCE: &str = "select since_us from kept_since where tenant_id = $1 and kind = $2";

/// Why rows of all customers are read.
const WHY: &str = "retention looks for old rows of all customers";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("old requests", OLD_REQUESTS).scan(WHY),
        Statement::new("delete a request", DELETE_REQUEST),
        Statement::new("old decisions", OLD_DECISIONS).scan(WHY),
        Statement::new("delete a decision", DELETE_DECISION),
        Statement::new("delete the contacts of a decision", DELETE_CONTACTS),
        Statement::new("old outcomes", OLD_OUTCOMES).scan(WHY),
        Statement::new("delete an outcome", DELETE_OUTCOME),
        Statement::new("keep since", KEEP_SINCE),
        Statement::new("kept since", KEPT_SINCE),
    ]
}

impl Store {
    /// Deletes some request ids that are answered no longer at `now_us`; returns how many.
    pub async fn delete_requests(&self, now_us: i64) -> Result<u64, DatabaseError> {
        let until_us = now_us - RequestRow::KEPT_US;
        let select = Select::new(OLD_REQUESTS).bind(until_us).bind(i64::from(BATCH_MAX));
        let keys: Vec<(String, String, String)> = select.all(&self.database).await?;
        delete_each!(self.database, keys, (tenant, customer_id, request_id) => {
            sqlx::query(DELETE_REQUEST)
                .bind(tenant)
                .bind(customer_id)
                .bind(request_id)
                .bind(until_us)
        })
    }

    /// Deletes some decisions of a tenant made before `before_us`, with what is known of their
    /// contacts; returns how many decisions. Call [`Store::keep_since`] first.
    pub async fn delete_decisions(
        &self,
        tenant: &str,
        before_us: i64,
    ) -> Result<u64, DatabaseError> {
        let select =
            Select::new(OLD_DECISIONS).bind(tenant).bind(before_us).bind(i64::from(BATCH_MAX));
        let mut keys: Vec<(String, i64, String)> = select.all(&self.database).await?;
        if keys.is_empty() {
            return Ok(0);
        }
        keys.sort();
        let (mut rows, mut left_out) = (0, 0);
        let mut transaction = self.database.begin().await?;
        for (customer_id, decided_us, decision_id) in &keys {
            // Nobody reports about it any more; what was counted stays.
            execute!(
                &mut transaction,
                sqlx::query(DELETE_CONTACTS).bind(tenant).bind(customer_id).bind(decision_id)
            )?;
            left_out +=
                online::leave_out(&mut transaction, tenant, (customer_id, decision_id)).await?;
            let deleted = execute!(
                &mut transaction,
                sqlx::query(DELETE_DECISION)
                    .bind(tenant)
                    .bind(customer_id)
                    .bind(decided_us)
                    .bind(decision_id)
            )?;
            rows += deleted.rows;
        }
        transaction.commit().await?;
        metrics::counter!("proffer.propensity.left_out").increment(left_out);
        Ok(rows)
    }

    /// Deletes some outcomes of a tenant that happened before `before_us` and are counted for
    /// reports, which they are up to the instant of receipt `counted_us`, but none of the type
    /// `kept`; returns how many.
    pub async fn delete_outcomes(
        &self,
        tenant: &str,
        (before_us, counted_us): (i64, i64),
        kept: &str,
    ) -> Result<u64, DatabaseError> {
        let select =
            Select::new(OLD_OUTCOMES).bind(tenant).bind(before_us).bind(kept).bind(counted_us);
        let keys: Vec<(String, String)> =
            select.bind(i64::from(BATCH_MAX)).all(&self.database).await?;
        delete_each!(self.database, keys, (customer_id, idempotency_key) => {
            sqlx::query(DELETE_OUTCOME)
                .bind(tenant)
                .bind(customer_id)
                .bind(idempotency_key)
                .bind(before_us)
        })
    }

    /// Notes that decisions of a tenant from before `since_us` are gone; it never moves back.
    pub async fn keep_since(&self, tenant: &str, since_us: i64) -> Result<(), DatabaseError> {
        let mut transaction = self.database.begin().await?;
        execute!(
            &mut transaction,
            sqlx::query(KEEP_SINCE).bind(tenant).bind(DECISIONS).bind(since_us)
        )?;
        transaction.commit().await
    }

    /// The instant before which a tenant's decisions are gone; `None` when none was deleted.
    pub async fn kept_since(&self, tenant: &str) -> Result<Option<i64>, DatabaseError> {
        let select = Select::new(KEPT_SINCE).bind(tenant).bind(DECISIONS);
        let row: Option<(i64,)> = select.optional(&self.database).await?;
        Ok(row.map(|(since_us,)| since_us))
    }
}
