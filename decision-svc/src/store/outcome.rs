//! SQL of outcomes, which are written with their outbox rows.

use std::sync::atomic::Ordering;

use database::{DatabaseError, Select, Statement, Transaction, execute, within};

use super::{
    Store, customer, narrowed,
    outbox::{self, Queue, Target},
    response::{self, Changes, PARTS},
};
use crate::domain::contact_report::ContactReport;

/// Makes a payload once the outcome's number is known.
pub type Numbered = Box<dyn Fn(i64) -> Vec<u8> + Send + Sync>;

/// An outcome to be recorded.
pub struct NewOutcome {
    /// The customer.
    pub customer_id: String,
    /// Id of the outcome.
    pub outcome_id: String,
    /// Distinguishes a retry from a second outcome of the customer.
    pub idempotency_key: String,
    /// Hash of the body.
    pub body_hash: Vec<u8>,
    /// Key of its type.
    pub outcome_key: String,
    /// The decision it names; empty without.
    pub decision_id: String,
    /// When it happened, in microseconds since 1970.
    pub occurred_us: i64,
    /// Its value in 1/10,000; none without one.
    pub value_e4: Option<i64>,
    /// When it was received, in microseconds since 1970.
    pub received_us: i64,
    /// The report and what it meant, encoded.
    pub record: Vec<u8>,
    /// What it says about the contact of its decision; none when it says nothing.
    pub contact: Option<ContactReport>,
    /// The message for policy-svc, which contains its number.
    pub policy_message: Numbered,
    /// The message for experiment-svc.
    pub experiment_message: Vec<u8>,
    /// The span that reports it, as `traceparent` writes it; none when that is not exported.
    pub cause: Option<String>,
}

/// What became of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is durable under this id.
    Stored(String),
    /// It was recorded before under this id.
    Duplicate(String),
    /// The customer's outcome of this key, recorded before, has another body.
    Other {
        /// Its id.
        outcome_id: String,
        /// What was recorded of it, encoded.
        record: Vec<u8>,
    },
}

/// An outcome as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeRow {
    /// Its id.
    pub outcome_id: String,
    /// Key of its type.
    pub outcome_key: String,
    /// When it happened, in microseconds since 1970.
    pub occurred_us: i64,
    /// When it was received, in microseconds since 1970.
    pub received_us: i64,
    /// Its place in the customer's order.
    pub customer_seq: i64,
    /// Its value in 1/10,000 of the currency; none without one.
    pub value_e4: Option<i64>,
    /// The report and what it meant, encoded.
    pub record: Vec<u8>,
}

/// Which outcomes of a customer are listed.
#[derive(Clone, Copy, Debug)]
pub struct OutcomeFilter<'a> {
    /// The customer.
    pub customer_id: &'a str,
    /// Key of their type; any when empty.
    pub outcome_key: &'a str,
    /// The decision they name; any or none when empty.
    pub decision_id: &'a str,
    /// The first instant, in microseconds since 1970.
    pub from_us: i64,
}

impl Store {
    /// Records outcomes in one transaction; answers in the order given.
    pub async fn write_outcomes(
        &self,
        tenant: &str,
        outcomes: &[NewOutcome],
    ) -> Result<Vec<Recorded>, DatabaseError> {
        let mut order: Vec<(usize, &NewOutcome)> = outcomes.iter().enumerate().collect();
        // Customers in id order, so that two replicas cannot wait for each other; a customer's
        // outcomes as given.
        order.sort_by(|a, b| (&a.1.customer_id, a.0).cmp(&(&b.1.customer_id, b.0)));
        let mut transaction = self.database.begin().await?;
        let mut recorded = Vec::with_capacity(outcomes.len());
        let mut changes = Changes::new();
        for (index, outcome) in order {
            let found = record(&mut transaction, tenant, outcome, &mut changes).await?;
            recorded.push((index, found));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % PARTS;
        response::add(&mut transaction, tenant, turn as i64, &changes).await?;
        transaction.commit().await?;
        response::tell(&changes);
        recorded.sort_by_key(|(index, _)| *index);
        Ok(recorded.into_iter().map(|(_, recorded)| recorded).collect())
    }

    /// Outcomes of a customer before (`occurred_us`, `customer_seq`), newest first, at most
    /// `limit`.
    pub async fn outcomes(
        &self,
        tenant: &str,
        filter: OutcomeFilter<'_>,
        before: (i64, i64),
        limit: i64,
    ) -> Result<Vec<OutcomeRow>, DatabaseError> {
        let given = [filter.outcome_key, filter.decision_id];
        let sql = list_statement(given.map(|text| !text.is_empty()));
        let mut select = Select::new(sql)
            .bind(tenant)
            .bind(filter.customer_id)
            .bind(filter.from_us)
            .bind(before.0)
            .bind(before.1)
            .bind(limit);
        for text in given.into_iter().filter(|text| !text.is_empty()) {
            select = select.bind(text);
        }
        let rows: Vec<OutcomeColumns> = select.all(&self.database).await?;
        Ok(rows.into_iter().map(row).collect())
    }
}

type OutcomeColumns = (String, String, i64, i64, i64, Option<i64>, Vec<u8>);

fn row(columns: OutcomeColumns) -> OutcomeRow {
    let (outcome_id, outcome_key, occurred_us, received_us, customer_seq, value_e4, record) =
        columns;
    OutcomeRow { outcome_id, outcome_key, occurred_us, received_us, customer_seq, value_e4, record }
}

/// The list of a customer's outcomes: narrowed by type, and by decision. Where a plain instant is
/// compared SQLite takes the index on instants, and reads the outcomes of all customers.
fn list_statement([by_key, by_decision]: [bool; 2]) -> String {
    let narrowed = narrowed::conditions([("outcome_key", by_key), ("decision_id", by_decision)], 7);
    format!(
        "select outcome_id, outcome_key, occurred_us, received_us, customer_seq, value_e4, record
         from outcome
         where tenant_id = $1 and customer_id = $2 and +occurred_us >= $3
           and (+occurred_us < $4 or (+occurred_us = $4 and customer_seq < $5)){narrowed}
         order by +occurred_us desc, customer_seq desc limit $6 + 0"
    )
}

const INSERT: &str = "insert into outcome
      (tenant_id, customer_id, idempotency_key, outcome_id, outcome_key, decision_id, body_hash,
       occurred_us, received_us, customer_seq, value_e4, record)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    on conflict (tenant_id, customer_id, idempotency_key) do nothing";

const READ: &str = "select outcome_id, body_hash, record from outcome
    where tenant_id = $1 and customer_id = $2 and idempotency_key = $3";

pub(super) fn statements() -> Vec<Statement> {
    let list = |narrowed| Statement::new("outcomes of a customer", list_statement(narrowed));
    vec![
        Statement::new("new outcome", INSERT),
        Statement::new("outcome of a customer", READ),
        list([false, false]),
        list([true, false]),
        list([false, true]),
        list([true, true]),
    ]
}

async fn record(
    transaction: &mut Transaction,
    tenant: &str,
    outcome: &NewOutcome,
    changes: &mut Changes,
) -> Result<Recorded, DatabaseError> {
    let NewOutcome { customer_id, outcome_id, idempotency_key, body_hash, received_us, .. } =
        outcome;
    // The number is taken first, under the customer's lock. A repeat leaves it unused.
    let seq = customer::lock(transaction, tenant, customer_id, 1).await?;
    let inserted = execute!(
        &mut *transaction,
        sqlx::query(INSERT)
            .bind(tenant)
            .bind(customer_id)
            .bind(idempotency_key)
            .bind(outcome_id)
            .bind(&outcome.outcome_key)
            .bind(&outcome.decision_id)
            .bind(body_hash)
            .bind(outcome.occurred_us)
            .bind(received_us)
            .bind(seq)
            .bind(outcome.value_e4)
            .bind(&outcome.record)
    )?;
    if inserted.rows == 0 {
        type Known = (String, Vec<u8>, Vec<u8>);
        let (outcome_id, known_hash, record): Known = within!(transaction, connection =>
            sqlx::query_as(READ)
                .bind(tenant)
                .bind(customer_id)
                .bind(idempotency_key)
                .fetch_one(connection))?;
        return Ok(if known_hash == *body_hash {
            Recorded::Duplicate(outcome_id)
        } else {
            Recorded::Other { outcome_id, record }
        });
    }
    if let Some(contact) = &outcome.contact {
        response::note(transaction, (tenant, customer_id), contact, changes).await?;
    }
    let for_policy = (outcome.policy_message)(seq);
    let messages =
        [(Target::Policy, &for_policy), (Target::Experiment, &outcome.experiment_message)];
    for (target, message) in messages {
        let to = Queue { tenant, customer_id, target, cause: outcome.cause.as_deref() };
        outbox::add(transaction, to, seq, *received_us, &[message.as_slice()]).await?;
    }
    Ok(Recorded::Stored(outcome_id.clone()))
}
