//! SQL of the outbox: rows not yet delivered to the neighbors.

use std::time::Duration;

use database::{DatabaseError, Select, Statement, Transaction, execute};

use super::Store;

/// The service a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// policy-svc.
    Policy,
    /// experiment-svc.
    Experiment,
}

/// A message to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The customer.
    pub customer_id: String,
    /// Number in the customer's order.
    pub customer_seq: i64,
    /// When its cause was acknowledged, in microseconds since 1970.
    pub created_us: i64,
    /// The message, encoded.
    pub payload: Vec<u8>,
    /// The span that caused it, as `traceparent` writes it; none when that is not exported.
    pub cause: Option<String>,
}

/// Messages that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Name of the service they are for.
    pub target: String,
    /// True for those that it refused too often.
    pub is_parked: bool,
    /// How many.
    pub rows: i64,
    /// Time since the cause of the oldest was acknowledged.
    pub oldest_age: Duration,
}

/// The messages about a customer for one service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue<'a> {
    pub tenant: &'a str,
    pub customer_id: &'a str,
    pub target: Target,
    /// The span that causes them, as `traceparent` writes it; none when that is not exported.
    pub cause: Option<&'a str>,
}

/// A message refused this often is parked.
pub const ATTEMPTS_MAX: i32 = 10;

impl Target {
    /// Its name in the table and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Experiment => "experiment",
        }
    }
}

type Row = (String, i64, i64, Vec<u8>, Option<String>);

fn row((customer_id, customer_seq, created_us, payload, cause): Row) -> OutboxRow {
    OutboxRow { customer_id, customer_seq, created_us, payload, cause }
}

const PENDING: &str = "select customer_id, customer_seq, created_us, payload, cause from outbox
    where tenant_id = $1 and customer_id = $2 and target = 'policy'
    order by customer_seq limit $3 + 0";

const UNDELIVERED: &str =
    "select customer_id, customer_seq, created_us, payload, cause from outbox waiting
    where tenant_id = $1 and target = $2 and not parked
      and not exists (select 1 from outbox ahead where ahead.tenant_id = waiting.tenant_id
        and ahead.customer_id = waiting.customer_id and ahead.target = waiting.target
        and ahead.customer_seq < waiting.customer_seq
        and (ahead.parked or ahead.created_us > waiting.created_us))
    order by created_us, customer_seq limit $3 + 0";

const DELIVERED: &str = "delete from outbox
    where tenant_id = $1 and customer_id = $2 and target = $3 and customer_seq = $4";

const REFUSED: &str = "update outbox set attempts = attempts + 1, parked = (attempts + 1 >= $5)
    where tenant_id = $1 and customer_id = $2 and target = $3 and customer_seq = $4";

const OLDEST_PARKED: &str = "select min(created_us) from outbox late
    where tenant_id = $1 and target = $2
      and exists (select 1 from outbox parked where parked.tenant_id = late.tenant_id
        and parked.customer_id = late.customer_id and parked.target = late.target
        and parked.parked)";

const BACKLOG: &str = "select target, parked, count(*), min(created_us) from outbox
    group by target, parked";

const TENANTS: &str = "select distinct tenant_id from outbox where not parked";

const INSERT: &str = "insert into outbox
      (tenant_id, customer_id, target, customer_seq, created_us, attempts, parked, payload, cause)
    values ($1, $2, $3, $4, $5, 0, false, $6, $7)";

pub(super) fn statements() -> Vec<Statement> {
    let relay = "the relay delivers the oldest messages of all customers";
    vec![
        Statement::new("messages of a customer", PENDING),
        Statement::new("messages to deliver", UNDELIVERED).scan(relay),
        Statement::new("delivered message", DELIVERED),
        Statement::new("refused message", REFUSED),
        Statement::new("oldest parked message", OLDEST_PARKED).scan(relay),
        Statement::new("tenants with messages", TENANTS).scan(relay),
        Statement::new("backlog", BACKLOG).scan("metrics count the messages of all customers"),
        Statement::new("new message", INSERT),
    ]
}

impl Store {
    /// A customer's undelivered messages for policy-svc, in order, parked ones included; at most
    /// `limit`.
    pub async fn pending(
        &self,
        tenant: &str,
        customer_id: &str,
        limit: i64,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        let select = Select::new(PENDING).bind(tenant).bind(customer_id).bind(limit);
        let rows: Vec<Row> = select.brief().all(&self.database).await?;
        Ok(rows.into_iter().map(row).collect())
    }

    /// Messages to deliver, in order per customer, at most `limit`. A message waits for its
    /// customer's earlier ones: for a parked one, and for one with a later clock, which the limit
    /// might cut off.
    pub async fn undelivered(
        &self,
        tenant: &str,
        target: Target,
        limit: i64,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        let select = Select::new(UNDELIVERED).bind(tenant).bind(target.name()).bind(limit);
        let rows: Vec<Row> = select.all(&self.database).await?;
        let mut rows: Vec<_> = rows.into_iter().map(row).collect();
        rows.sort_by(|a, b| {
            (&a.customer_id, a.customer_seq).cmp(&(&b.customer_id, b.customer_seq))
        });
        Ok(rows)
    }

    /// Removes delivered messages.
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
                sqlx::query(DELIVERED)
                    .bind(tenant)
                    .bind(&row.customer_id)
                    .bind(target.name())
                    .bind(row.customer_seq)
            )?;
        }
        transaction.commit().await
    }

    /// Counts a refusal of a message by its target; at [`ATTEMPTS_MAX`] it is parked.
    pub async fn refused(
        &self,
        tenant: &str,
        target: Target,
        row: &OutboxRow,
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.database.begin().await?;
        execute!(
            &mut transaction,
            sqlx::query(REFUSED)
                .bind(tenant)
                .bind(&row.customer_id)
                .bind(target.name())
                .bind(row.customer_seq)
                .bind(ATTEMPTS_MAX)
        )?;
        transaction.commit().await
    }

    /// When the cause of the oldest message parked for `target`, or waiting for a parked one, was
    /// acknowledged.
    pub async fn oldest_held_us(
        &self,
        tenant: &str,
        target: Target,
    ) -> Result<Option<i64>, DatabaseError> {
        let select = Select::new(OLDEST_PARKED).bind(tenant).bind(target.name());
        let (oldest_us,): (Option<i64>,) = select.one(&self.database).await?;
        Ok(oldest_us)
    }

    /// What waits, by target.
    pub async fn backlog(&self, now_us: i64) -> Result<Vec<Backlog>, DatabaseError> {
        let rows: Vec<(String, bool, i64, i64)> = Select::new(BACKLOG).all(&self.database).await?;
        let part = |(target, is_parked, rows, oldest_us): (String, bool, i64, i64)| {
            let age_us = u64::try_from(now_us - oldest_us).unwrap_or_default();
            Backlog { target, is_parked, rows, oldest_age: Duration::from_micros(age_us) }
        };
        Ok(rows.into_iter().map(part).collect())
    }

    /// Tenants with undelivered messages.
    pub async fn tenants_waiting(&self) -> Result<Vec<String>, DatabaseError> {
        let rows: Vec<(String,)> = Select::new(TENANTS).all(&self.database).await?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }
}

/// Adds messages under the numbers from `first_seq` on.
pub(super) async fn add(
    transaction: &mut Transaction,
    to: Queue<'_>,
    first_seq: i64,
    created_us: i64,
    messages: &[&[u8]],
) -> Result<(), DatabaseError> {
    for (customer_seq, message) in (first_seq..).zip(messages) {
        execute!(
            transaction,
            sqlx::query(INSERT)
                .bind(to.tenant)
                .bind(to.customer_id)
                .bind(to.target.name())
                .bind(customer_seq)
                .bind(created_us)
                .bind(*message)
                .bind(to.cause)
        )?;
    }
    Ok(())
}
