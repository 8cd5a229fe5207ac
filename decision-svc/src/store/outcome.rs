//! SQL of outcomes, which are written with their outbox rows.

use database::{DatabaseError, Transaction, execute, within};

use super::{Store, lock_customer, outbox};

/// Makes a payload once the outcome's number is known.
pub type Numbered = Box<dyn Fn(i64) -> Vec<u8> + Send + Sync>;

/// An outcome to be recorded.
pub struct NewOutcome {
    /// The customer.
    pub customer_id: String,
    /// Its id.
    pub outcome_id: String,
    /// Tells a retry from a second outcome.
    pub idempotency_key: String,
    /// Hash of the body.
    pub body_hash: Vec<u8>,
    /// Key of its type.
    pub outcome_key: String,
    /// When it happened, in microseconds since 1970.
    pub occurred_us: i64,
    /// Its value in 1/10,000; none without one.
    pub value_e4: Option<i64>,
    /// When it was received, in microseconds since 1970.
    pub received_us: i64,
    /// The report, encoded.
    pub record: Vec<u8>,
    /// The message for policy-svc; it carries its number.
    pub policy_message: Numbered,
    /// The message for experiment-svc.
    pub experiment_message: Vec<u8>,
}

/// What became of an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is durable under this id.
    Stored(String),
    /// It was recorded before under this id.
    Duplicate(String),
    /// Its key belongs to another body.
    Mismatch,
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
        for (index, outcome) in order {
            recorded.push((index, record(&mut transaction, tenant, outcome).await?));
        }
        transaction.commit().await?;
        recorded.sort_by_key(|(index, _)| *index);
        Ok(recorded.into_iter().map(|(_, recorded)| recorded).collect())
    }
}

async fn record(
    transaction: &mut Transaction,
    tenant: &str,
    outcome: &NewOutcome,
) -> Result<Recorded, DatabaseError> {
    let NewOutcome { customer_id, outcome_id, idempotency_key, body_hash, received_us, .. } =
        outcome;
    let inserted =
        execute!(&mut *transaction, sqlx::query(
        "insert into outcome (tenant_id, idempotency_key, outcome_id, customer_id, body_hash, received_us, record,
           outcome_key, occurred_us, value_e4)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (tenant_id, idempotency_key) do nothing")
        .bind(tenant).bind(idempotency_key).bind(outcome_id).bind(customer_id).bind(body_hash).bind(received_us)
        .bind(&outcome.record).bind(&outcome.outcome_key).bind(outcome.occurred_us).bind(outcome.value_e4))?;
    if inserted.rows == 0 {
        let (known_id, known_hash): (String, Vec<u8>) = within!(transaction, connection => sqlx::query_as(
            "select outcome_id, body_hash from outcome where tenant_id = $1 and idempotency_key = $2")
            .bind(tenant).bind(idempotency_key).fetch_one(connection))?;
        return Ok(if known_hash == *body_hash {
            Recorded::Duplicate(known_id)
        } else {
            Recorded::Mismatch
        });
    }
    let seq = lock_customer(transaction, tenant, customer_id, 1).await?;
    let message = [(outcome.policy_message)(seq)];
    outbox::add(
        transaction,
        tenant,
        customer_id,
        outbox::Target::Policy,
        seq,
        *received_us,
        &message,
    )
    .await?;
    let message = [outcome.experiment_message.clone()];
    outbox::add(
        transaction,
        tenant,
        customer_id,
        outbox::Target::Experiment,
        seq,
        *received_us,
        &message,
    )
    .await?;
    Ok(Recorded::Stored(outcome_id.clone()))
}
