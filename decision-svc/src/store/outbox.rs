//! SQL of the outbox: rows not yet delivered to the neighbors.

use database::{DatabaseError, Select, Transaction, execute};

use super::Store;

/// Whom a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// policy-svc.
    Policy,
    /// experiment-svc.
    Experiment,
}

/// A row to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The customer.
    pub customer_id: String,
    /// Place in the customer's order.
    pub customer_seq: i64,
    /// When it was acknowledged, in microseconds since 1970.
    pub created_us: i64,
    /// The message, encoded.
    pub payload: Vec<u8>,
}

/// A row refused this often is parked.
pub const ATTEMPTS_MAX: i32 = 10;

impl Target {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Experiment => "experiment",
        }
    }
}

type Row = (String, i64, i64, Vec<u8>);

fn row((customer_id, customer_seq, created_us, payload): Row) -> OutboxRow {
    OutboxRow { customer_id, customer_seq, created_us, payload }
}

impl Store {
    /// A customer's undelivered rows for policy, in order, parked ones included; at most `limit`.
    pub async fn pending(
        &self,
        tenant: &str,
        customer_id: &str,
        limit: i64,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        let rows: Vec<Row> = Select::new(
            "select customer_id, customer_seq, created_us, payload from outbox
             where tenant_id = $1 and customer_id = $2 and target = 'policy' order by customer_seq limit $3",
        )
        .bind(tenant)
        .bind(customer_id)
        .bind(limit)
        .brief()
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().map(row).collect())
    }

    /// Rows to deliver, in order per customer, at most `limit`. A row waits behind its customer's
    /// earlier ones: behind a parked one, and behind one with a later clock, which the limit might
    /// cut off.
    pub async fn undelivered(
        &self,
        tenant: &str,
        target: Target,
        limit: i64,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        let rows: Vec<Row> = Select::new(
            "select customer_id, customer_seq, created_us, payload from outbox waiting
             where tenant_id = $1 and target = $2 and not parked
               and not exists (select 1 from outbox ahead where ahead.tenant_id = waiting.tenant_id
                 and ahead.customer_id = waiting.customer_id and ahead.target = waiting.target
                 and ahead.customer_seq < waiting.customer_seq
                 and (ahead.parked or ahead.created_us > waiting.created_us))
             order by created_us, customer_seq limit $3",
        )
        .bind(tenant)
        .bind(target.name())
        .bind(limit)
        .all(&self.database)
        .await?;
        let mut rows: Vec<_> = rows.into_iter().map(row).collect();
        rows.sort_by(|a, b| {
            (&a.customer_id, a.customer_seq).cmp(&(&b.customer_id, b.customer_seq))
        });
        Ok(rows)
    }

    /// Removes what was delivered.
    pub async fn delivered(
        &self,
        tenant: &str,
        target: Target,
        rows: &[OutboxRow],
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.database.begin().await?;
        for row in rows {
            execute!(
                &mut transaction,
                sqlx::query(
                    "delete from outbox where tenant_id = $1 and customer_id = $2 and target = $3 and customer_seq = $4"
                )
                .bind(tenant)
                .bind(&row.customer_id)
                .bind(target.name())
                .bind(row.customer_seq)
            )?;
        }
        transaction.commit().await
    }

    /// Notes that a row was refused; after ten times it is parked.
    pub async fn refused(
        &self,
        tenant: &str,
        target: Target,
        row: &OutboxRow,
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.database.begin().await?;
        execute!(
            &mut transaction,
            sqlx::query(
                "update outbox set attempts = attempts + 1, parked = (attempts + 1 >= $5)
             where tenant_id = $1 and customer_id = $2 and target = $3 and customer_seq = $4"
            )
            .bind(tenant)
            .bind(&row.customer_id)
            .bind(target.name())
            .bind(row.customer_seq)
            .bind(ATTEMPTS_MAX)
        )?;
        transaction.commit().await
    }

    /// When the oldest row parked for `target`, or waiting behind a parked one, was acknowledged.
    pub async fn oldest_held_us(
        &self,
        tenant: &str,
        target: Target,
    ) -> Result<Option<i64>, DatabaseError> {
        let row: (Option<i64>,) = Select::new(
            "select min(created_us) from outbox held where tenant_id = $1 and target = $2
               and exists (select 1 from outbox parked where parked.tenant_id = held.tenant_id
                 and parked.customer_id = held.customer_id and parked.target = held.target and parked.parked)",
        )
        .bind(tenant)
        .bind(target.name())
        .one(&self.database)
        .await?;
        Ok(row.0)
    }

    /// Tenants that have anything undelivered.
    pub async fn tenants_waiting(&self) -> Result<Vec<String>, DatabaseError> {
        let rows: Vec<(String,)> =
            Select::new("select distinct tenant_id from outbox where not parked")
                .all(&self.database)
                .await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}

/// Adds rows for `target` under the numbers from `first_seq` on.
pub(super) async fn add(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    target: Target,
    first_seq: i64,
    created_us: i64,
    payloads: &[Vec<u8>],
) -> Result<(), DatabaseError> {
    for (customer_seq, payload) in (first_seq..).zip(payloads) {
        execute!(transaction, sqlx::query(
            "insert into outbox (tenant_id, customer_id, target, customer_seq, created_us, attempts, parked, payload)
             values ($1, $2, $3, $4, $5, 0, false, $6)")
            .bind(tenant).bind(customer_id).bind(target.name()).bind(customer_seq).bind(created_us).bind(payload))?;
    }
    Ok(())
}
