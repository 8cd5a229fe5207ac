//! What decision-svc ships: arms, exposures, outcomes.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Transaction, execute, within};

use super::Store;

/// A customer's arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The experiment.
    pub experiment_id: String,
    /// The customer.
    pub customer_id: String,
    /// Gets nothing.
    pub is_holdout: bool,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// When.
    pub assigned_at: DateTime<Utc>,
}

/// A customer received, or would have received, an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The experiment.
    pub experiment_id: String,
    /// The customer.
    pub customer_id: String,
    /// The decision.
    pub decision_id: String,
    /// Would have received.
    pub is_ghost: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// An outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its id.
    pub outcome_id: String,
    /// The customer.
    pub customer_id: String,
    /// Key of its type.
    pub key: String,
    /// Of a positive classification.
    pub is_positive: bool,
    /// Amount in 1/10,000.
    pub value_e4: i64,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

/// Some entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Arms.
    pub assignments: Vec<Assignment>,
    /// Exposures.
    pub exposures: Vec<Exposure>,
    /// Outcomes.
    pub outcomes: Vec<Outcome>,
    /// Every outcome received up to here is in this or an earlier delivery.
    pub counted_through: Option<DateTime<Utc>>,
}

/// What a delivery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Entries that were new.
    pub stored: u64,
    /// Arms that were ignored, because the customer has another one.
    pub other_arms: u64,
}

impl Store {
    /// Stores a delivery, all of it or nothing.
    pub async fn deliver(
        &self,
        tenant: &str,
        mut delivery: Delivery,
    ) -> Result<Delivered, DatabaseError> {
        // Two deliveries at once touch their rows in one order and so cannot wait for each other in
        // a circle. The sort is stable: of two arms for one customer the first stays first.
        delivery.assignments.sort_by(|a, b| {
            (&a.customer_id, &a.experiment_id).cmp(&(&b.customer_id, &b.experiment_id))
        });
        delivery.exposures.sort_by(|a, b| {
            (&a.customer_id, &a.experiment_id).cmp(&(&b.customer_id, &b.experiment_id))
        });
        delivery
            .outcomes
            .sort_by(|a, b| (&a.customer_id, &a.outcome_id).cmp(&(&b.customer_id, &b.outcome_id)));
        let mut delivered = Delivered::default();
        let mut transaction = self.database.begin().await?;
        for assignment in &delivery.assignments {
            if insert_assignment(&mut transaction, tenant, assignment).await? {
                delivered.stored += 1;
            } else if has_other_arm(&mut transaction, tenant, assignment).await? {
                delivered.other_arms += 1;
            }
        }
        for exposure in &delivery.exposures {
            delivered.stored += insert_exposure(&mut transaction, tenant, exposure).await?;
        }
        for outcome in &delivery.outcomes {
            delivered.stored += insert_outcome(&mut transaction, tenant, outcome).await?;
        }
        if let Some(through) = delivery.counted_through {
            advance(&mut transaction, tenant, through).await?;
        }
        transaction.commit().await?;
        Ok(delivered)
    }
}

async fn insert_assignment(
    transaction: &mut Transaction,
    tenant: &str,
    assignment: &Assignment,
) -> Result<bool, DatabaseError> {
    let done = execute!(
        transaction,
        sqlx::query(
            "insert into assignment (tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us)
             values ($1, $2, $3, $4, $5, $6) on conflict (tenant_id, customer_id, experiment_id) do nothing"
        )
        .bind(tenant)
        .bind(&assignment.customer_id)
        .bind(&assignment.experiment_id)
        .bind(assignment.is_holdout)
        .bind(i64::from(assignment.epoch))
        .bind(assignment.assigned_at.timestamp_micros())
    )?;
    Ok(done.rows == 1)
}

async fn has_other_arm(
    transaction: &mut Transaction,
    tenant: &str,
    assignment: &Assignment,
) -> Result<bool, DatabaseError> {
    let (is_holdout,): (bool,) = within!(transaction, connection => sqlx::query_as(
        "select is_holdout from assignment where tenant_id = $1 and customer_id = $2 and experiment_id = $3")
        .bind(tenant).bind(&assignment.customer_id).bind(&assignment.experiment_id).fetch_one(connection))?;
    Ok(is_holdout != assignment.is_holdout)
}

async fn insert_exposure(
    transaction: &mut Transaction,
    tenant: &str,
    exposure: &Exposure,
) -> Result<u64, DatabaseError> {
    let done = execute!(
        transaction,
        sqlx::query(
            "insert into exposure (tenant_id, customer_id, experiment_id, decision_id, is_ghost, exposed_us)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (tenant_id, customer_id, experiment_id) do update set decision_id = excluded.decision_id,
               is_ghost = excluded.is_ghost, exposed_us = excluded.exposed_us
             where excluded.exposed_us < exposure.exposed_us"
        )
        .bind(tenant)
        .bind(&exposure.customer_id)
        .bind(&exposure.experiment_id)
        .bind(&exposure.decision_id)
        .bind(exposure.is_ghost)
        .bind(exposure.at.timestamp_micros())
    )?;
    Ok(done.rows)
}

async fn insert_outcome(
    transaction: &mut Transaction,
    tenant: &str,
    outcome: &Outcome,
) -> Result<u64, DatabaseError> {
    let done = execute!(
        transaction,
        sqlx::query(
            "insert into outcome (tenant_id, customer_id, outcome_id, outcome_key, is_positive, value_e4, occurred_us,
               received_us)
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (tenant_id, customer_id, outcome_id) do nothing"
        )
        .bind(tenant)
        .bind(&outcome.customer_id)
        .bind(&outcome.outcome_id)
        .bind(&outcome.key)
        .bind(outcome.is_positive)
        .bind(outcome.value_e4)
        .bind(outcome.occurred_at.timestamp_micros())
        .bind(outcome.received_at.timestamp_micros())
    )?;
    Ok(done.rows)
}

/// An older delivery sent once more does not turn the instant back.
async fn advance(
    transaction: &mut Transaction,
    tenant: &str,
    through: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query(
            "insert into counted_through (tenant_id, through_us) values ($1, $2)
             on conflict (tenant_id) do update set through_us = excluded.through_us
             where excluded.through_us > counted_through.through_us"
        )
        .bind(tenant)
        .bind(through.timestamp_micros())
    )
    .map(drop)
}
