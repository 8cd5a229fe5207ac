//! Writes what decision-svc delivers: arms, exposures and outcomes.
//!
//! Everything about a customer is written under the customer's lock, and what the customer adds to
//! the sums follows in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use database::{Columns, DatabaseError, Kind, Rows, Statement, Transaction, execute};

use super::{Store, customer, put::put, recount::Recount};

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// The split under which the arm was drawn; 0 when the sender does not know.
    pub epoch: i32,
    /// The flow that decided.
    pub flow_id: String,
    /// The offer of rank 1.
    pub offer_id: String,
    /// Its category; empty without one.
    pub category_id: String,
    /// The channel of the contact; empty without one.
    pub channel: String,
    /// All offers by rank, as a JSON array of texts.
    pub offer_ids: String,
    /// The experiment that emptied the answer; empty when it was returned.
    pub emptied_by: String,
    /// What the flow knew of the customer, as the sender wrote it; none when it sent nothing.
    pub features: Option<Vec<u8>>,
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
    /// Its value in 1/10,000; none without one.
    pub value_e4: Option<i64>,
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

const ASSIGNMENT: Columns = &[
    ("number", Kind::Integer),
    ("customer_id", Kind::Text),
    ("experiment_id", Kind::Text),
    ("is_holdout", Kind::Boolean),
    ("epoch", Kind::Integer),
    ("assigned_us", Kind::Integer),
];
const EXPOSURE: Columns = &[
    ("number", Kind::Integer),
    ("customer_id", Kind::Text),
    ("experiment_id", Kind::Text),
    ("decision_id", Kind::Text),
    ("is_ghost", Kind::Boolean),
    ("exposed_us", Kind::Integer),
    ("epoch", Kind::Integer),
    ("flow_id", Kind::Text),
    ("offer_id", Kind::Text),
    ("category_id", Kind::Text),
    ("channel", Kind::Text),
    ("offer_ids", Kind::Text),
    ("emptied_by", Kind::Text),
    ("features", Kind::Bytes),
];
const OUTCOME: Columns = &[
    ("number", Kind::Integer),
    ("customer_id", Kind::Text),
    ("outcome_id", Kind::Text),
    ("outcome_key", Kind::Text),
    ("is_positive", Kind::Boolean),
    ("value_e4", Kind::Integer),
    ("is_zero", Kind::Boolean),
    ("occurred_us", Kind::Integer),
    ("received_us", Kind::Integer),
];

texts!(INSERT_ASSIGNMENT, ASSIGNMENT, |rows| {
    "insert into assignment
       (tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us)
     select $1, customer_id, experiment_id, is_holdout, epoch, assigned_us
     from {rows} asked where true order by number
     on conflict (tenant_id, customer_id, experiment_id) do nothing"
});

texts!(PUT_EXPOSURE, EXPOSURE, |rows| {
    "insert into exposure
       (tenant_id, customer_id, experiment_id, decision_id, is_ghost, exposed_us, epoch, flow_id,
        offer_id, category_id, channel, offer_ids, emptied_by, features)
     select $1, customer_id, experiment_id, decision_id, is_ghost, exposed_us, epoch, flow_id,
       offer_id, category_id, channel, offer_ids, emptied_by, features
     from {rows} asked where true order by number
     on conflict (tenant_id, customer_id, experiment_id) do update set
       decision_id = excluded.decision_id, is_ghost = excluded.is_ghost,
       exposed_us = excluded.exposed_us, epoch = excluded.epoch, flow_id = excluded.flow_id,
       offer_id = excluded.offer_id, category_id = excluded.category_id,
       channel = excluded.channel, offer_ids = excluded.offer_ids,
       emptied_by = excluded.emptied_by, features = excluded.features
     where excluded.exposed_us < exposure.exposed_us"
});

texts!(INSERT_OUTCOME, OUTCOME, |rows| {
    "insert into outcome
       (tenant_id, customer_id, outcome_id, outcome_key, is_positive, value_e4, is_zero,
        occurred_us, received_us)
     select $1, customer_id, outcome_id, outcome_key, is_positive, value_e4, is_zero,
       occurred_us, received_us
     from {rows} asked where true order by number
     on conflict (tenant_id, customer_id, outcome_id) do nothing"
});

const ADVANCE: &str = "insert into counted_through (tenant_id, through_us) values ($1, $2)
    on conflict (tenant_id) do update set through_us = excluded.through_us
    where excluded.through_us > counted_through.through_us";

pub(super) fn statements(dialect: database::Dialect) -> Vec<Statement> {
    let mut all = vec![Statement::new("instant of the ledger", ADVANCE)];
    all.extend(super::listed("new arms", &INSERT_ASSIGNMENT, dialect));
    all.extend(super::listed("first exposures of customers", &PUT_EXPOSURE, dialect));
    all.extend(super::listed("new outcomes", &INSERT_OUTCOME, dialect));
    all
}

impl Store {
    /// Stores a delivery, all of it or nothing, with what it changes of the sums.
    pub async fn deliver(
        &self,
        tenant: &str,
        delivery: Delivery,
    ) -> Result<Delivered, DatabaseError> {
        let mut delivered = Delivered::default();
        let mut transaction = self.database.begin().await?;
        let customers = delivery.customers();
        customer::lock(&mut transaction, tenant, &customers).await?;
        delivered.stored +=
            put_assignments(&mut transaction, tenant, &delivery.assignments).await?;
        delivered.stored += put_exposures(&mut transaction, tenant, &delivery.exposures).await?;
        delivered.stored += put_outcomes(&mut transaction, tenant, &delivery.outcomes).await?;
        let recount = Recount::of(&mut transaction, tenant, &customers).await?;
        let is_other = |assignment: &&Assignment| {
            let stored = recount.arm(&assignment.customer_id, &assignment.experiment_id);
            stored.is_some_and(|(is_holdout, _)| is_holdout != assignment.is_holdout)
        };
        delivered.other_arms = delivery.assignments.iter().filter(is_other).count() as u64;
        recount.write(&mut transaction).await?;
        if let Some(through) = delivery.counted_through {
            advance(&mut transaction, tenant, through).await?;
        }
        transaction.commit().await?;
        Ok(delivered)
    }
}

impl Delivery {
    fn customers(&self) -> BTreeSet<&str> {
        let assigned = self.assignments.iter().map(|entry| entry.customer_id.as_str());
        let exposed = self.exposures.iter().map(|entry| entry.customer_id.as_str());
        let active = self.outcomes.iter().map(|entry| entry.customer_id.as_str());
        assigned.chain(exposed).chain(active).collect()
    }
}

/// Of two arms for one customer the first stays.
pub(super) async fn put_assignments(
    transaction: &mut Transaction,
    tenant: &str,
    assignments: &[Assignment],
) -> Result<u64, DatabaseError> {
    let mut rows = Rows::new(ASSIGNMENT);
    for (number, assignment) in assignments.iter().enumerate() {
        rows.push([
            number.into(),
            (&assignment.customer_id).into(),
            (&assignment.experiment_id).into(),
            assignment.is_holdout.into(),
            i64::from(assignment.epoch).into(),
            assignment.assigned_at.timestamp_micros().into(),
        ]);
    }
    put(transaction, tenant, &INSERT_ASSIGNMENT, &rows).await
}

async fn put_exposures(
    transaction: &mut Transaction,
    tenant: &str,
    exposures: &[Exposure],
) -> Result<u64, DatabaseError> {
    // The earliest of a customer: a statement may write a row once.
    let mut first: BTreeMap<(&str, &str), &Exposure> = BTreeMap::new();
    for exposure in exposures {
        let key = (exposure.customer_id.as_str(), exposure.experiment_id.as_str());
        let kept = first.entry(key).or_insert(exposure);
        if exposure.at < kept.at {
            *kept = exposure;
        }
    }
    let mut rows = Rows::new(EXPOSURE);
    for (number, exposure) in first.into_values().enumerate() {
        rows.push([
            number.into(),
            (&exposure.customer_id).into(),
            (&exposure.experiment_id).into(),
            (&exposure.decision_id).into(),
            exposure.is_ghost.into(),
            exposure.at.timestamp_micros().into(),
            i64::from(exposure.epoch).into(),
            (&exposure.flow_id).into(),
            (&exposure.offer_id).into(),
            (&exposure.category_id).into(),
            (&exposure.channel).into(),
            (&exposure.offer_ids).into(),
            (&exposure.emptied_by).into(),
            database::Cell::Bytes(exposure.features.as_deref()),
        ]);
    }
    put(transaction, tenant, &PUT_EXPOSURE, &rows).await
}

async fn put_outcomes(
    transaction: &mut Transaction,
    tenant: &str,
    outcomes: &[Outcome],
) -> Result<u64, DatabaseError> {
    let mut rows = Rows::new(OUTCOME);
    for (number, outcome) in outcomes.iter().enumerate() {
        rows.push([
            number.into(),
            (&outcome.customer_id).into(),
            (&outcome.outcome_id).into(),
            (&outcome.key).into(),
            outcome.is_positive.into(),
            outcome.value_e4.unwrap_or_default().into(),
            (outcome.value_e4 == Some(0)).into(),
            outcome.occurred_at.timestamp_micros().into(),
            outcome.received_at.timestamp_micros().into(),
        ]);
    }
    put(transaction, tenant, &INSERT_OUTCOME, &rows).await
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
