//! Writes what decision-svc delivers: arms, exposures and outcomes.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Statement, Transaction, execute, within};

use super::Store;

/// The arm of a customer in an experiment, written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Id of the experiment.
    pub experiment_id: String,
    /// Id of the customer, as callers know it.
    pub customer_id: String,
    /// True in the holdout, false in treatment.
    pub is_holdout: bool,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// The instant of the decision that drew it.
    pub assigned_at: DateTime<Utc>,
}

/// A customer received, or would have received, an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Id of the experiment.
    pub experiment_id: String,
    /// Id of the customer, as callers know it.
    pub customer_id: String,
    /// Id of the decision that returned, or would have returned, the offer.
    pub decision_id: String,
    /// True for a held-out customer, who received nothing.
    pub is_ghost: bool,
    /// The instant of the decision.
    pub at: DateTime<Utc>,
}

/// What a customer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its id; a second entry with the same id changes nothing.
    pub outcome_id: String,
    /// Id of the customer, as callers know it.
    pub customer_id: String,
    /// Key of the outcome type.
    pub key: String,
    /// True when its type has the positive classification.
    pub is_positive: bool,
    /// Its value in 1/10,000; 0 without one.
    pub value_e4: i64,
    /// The instant it happened, as reported.
    pub occurred_at: DateTime<Utc>,
    /// The instant decision-svc received it.
    pub received_at: DateTime<Utc>,
}

/// Entries that are stored together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// In the order in which they were drawn.
    pub assignments: Vec<Assignment>,
    /// In any order: the earliest of a customer stays.
    pub exposures: Vec<Exposure>,
    /// In any order.
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

const INSERT_ASSIGNMENT: &str = "insert into assignment
      (tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id, customer_id, experiment_id) do nothing";

const READ_ARM: &str = "select is_holdout from assignment
    where tenant_id = $1 and customer_id = $2 and experiment_id = $3";

const PUT_EXPOSURE: &str = "insert into exposure
      (tenant_id, customer_id, experiment_id, decision_id, is_ghost, exposed_us)
    values ($1, $2, $3, $4, $5, $6)
    on conflict (tenant_id, customer_id, experiment_id) do update
      set decision_id = excluded.decision_id, is_ghost = excluded.is_ghost,
        exposed_us = excluded.exposed_us
    where excluded.exposed_us < exposure.exposed_us";

const INSERT_OUTCOME: &str = "insert into outcome
      (tenant_id, customer_id, outcome_id, outcome_key, is_positive, value_e4,
       occurred_us, received_us)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id, customer_id, outcome_id) do nothing";

const ADVANCE: &str = "insert into counted_through (tenant_id, through_us) values ($1, $2)
    on conflict (tenant_id) do update set through_us = excluded.through_us
    where excluded.through_us > counted_through.through_us";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("new arm", INSERT_ASSIGNMENT),
        Statement::new("stored arm of a customer", READ_ARM),
        Statement::new("first exposure of a customer", PUT_EXPOSURE),
        Statement::new("new outcome", INSERT_OUTCOME),
        Statement::new("instant of the ledger", ADVANCE),
    ]
}

impl Store {
    /// Stores a delivery, all of it or nothing.
    pub async fn deliver(
        &self,
        tenant: &str,
        mut delivery: Delivery,
    ) -> Result<Delivered, DatabaseError> {
        // Concurrent deliveries touch their rows in the same order, so that none waits for the
        // other in a circle. The sort is stable: of two arms for one customer the first stays
        // first.
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
        sqlx::query(INSERT_ASSIGNMENT)
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
        READ_ARM)
        .bind(tenant)
        .bind(&assignment.customer_id)
        .bind(&assignment.experiment_id)
        .fetch_one(connection))?;
    Ok(is_holdout != assignment.is_holdout)
}

async fn insert_exposure(
    transaction: &mut Transaction,
    tenant: &str,
    exposure: &Exposure,
) -> Result<u64, DatabaseError> {
    let done = execute!(
        transaction,
        sqlx::query(PUT_EXPOSURE)
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
        sqlx::query(INSERT_OUTCOME)
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

/// Moves the instant forward; a repeat of an older delivery leaves it.
async fn advance(
    transaction: &mut Transaction,
    tenant: &str,
    through: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    execute!(transaction, sqlx::query(ADVANCE).bind(tenant).bind(through.timestamp_micros()))
        .map(drop)
}
