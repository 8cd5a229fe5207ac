//! SQL of outcomes, which are written with their outbox rows.

use database::{DatabaseError, Statement, Transaction, execute, within};

use super::{
    Store, customer,
    outbox::{self, Queue, Target},
};

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
    /// When it happened, in microseconds since 1970.
    pub occurred_us: i64,
    /// Its value in 1/10,000; none without one.
    pub value_e4: Option<i64>,
    /// When it was received, in microseconds since 1970.
    pub received_us: i64,
    /// The report, encoded.
    pub record: Vec<u8>,
    /// The message for policy-svc, which contains its number.
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
    /// The customer's outcome of this key, recorded before, has another body.
    Other {
        /// Its id.
        outcome_id: String,
        /// Its report, encoded.
        record: Vec<u8>,
    },
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

const INSERT: &str = "insert into outcome
      (tenant_id, customer_id, idempotency_key, outcome_id, outcome_key, body_hash, occurred_us,
       received_us, customer_seq, value_e4, record)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (tenant_id, customer_id, idempotency_key) do nothing";

const READ: &str = "select outcome_id, body_hash, record from outcome
    where tenant_id = $1 and customer_id = $2 and idempotency_key = $3";

pub(super) fn statements() -> Vec<Statement> {
    vec![Statement::new("new outcome", INSERT), Statement::new("outcome of a customer", READ)]
}

async fn record(
    transaction: &mut Transaction,
    tenant: &str,
    outcome: &NewOutcome,
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
    let for_policy = (outcome.policy_message)(seq);
    let messages =
        [(Target::Policy, &for_policy), (Target::Experiment, &outcome.experiment_message)];
    for (target, message) in messages {
        let to = Queue { tenant, customer_id, target };
        outbox::add(transaction, to, seq, *received_us, &[message.as_slice()]).await?;
    }
    Ok(Recorded::Stored(outcome_id.clone()))
}
