//! Reads what training rows are made of, and the key by which exports name customers.

use database::{DatabaseError, Select, Statement, execute};

use super::{
    Store,
    arm::{PAGE_OF, WITH_EXPOSURE, epoch},
    reading::split,
    recount::{OUTCOME, OutcomeColumns, outcome},
};
use crate::domain::{tally::Outcome, training::Recorded};

/// Customers of one page: a page of rows with many features is a few megabytes.
const PAGE: i64 = 1_000;

const CREATE_KEY: &str = "insert into training_key (tenant_id, key) values ($1, $2)
    on conflict (tenant_id) do nothing";

const KEY: &str = "select key from training_key where tenant_id = $1";

fn customers_text() -> String {
    format!(
        "select a.customer_id, a.is_holdout, a.epoch, a.assigned_us, e.exposed_us, e.emptied_by,
           e.category_id, e.channel, e.offer_ids, e.features, c.covariates
         from {PAGE_OF} {WITH_EXPOSURE}
         order by a.customer_id"
    )
}

fn outcomes_text() -> String {
    format!(
        "select {OUTCOME}
         from {PAGE_OF} {WITH_EXPOSURE}
         join outcome o on o.tenant_id = a.tenant_id and o.customer_id = a.customer_id
           and (+o.occurred_us >= a.assigned_us or +o.occurred_us >= e.exposed_us)
           and o.received_us <= $5
         order by o.customer_id, o.outcome_id"
    )
}

pub(super) fn statements() -> Vec<Statement> {
    let why = "a set of training rows has all customers of an experiment";
    vec![
        Statement::new("new key of exports", CREATE_KEY),
        Statement::new("key of exports", KEY),
        Statement::new("customers to learn from", customers_text()).scan(why),
        Statement::new("outcomes of customers to learn from", outcomes_text()).scan(why),
    ]
}

/// Customer, arm, split, assignment; exposure, what emptied it, its category, channel, offers and
/// features; covariates.
type Columns = (
    String,
    bool,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
);

/// A customer to learn from.
#[derive(Clone, Debug)]
pub struct Learned {
    /// What the ledger holds, without gate and features.
    pub recorded: Recorded,
    /// Features of the exposure, as the sender wrote them; empty without any.
    pub features: Vec<u8>,
    /// Imported covariates, as the caller wrote them; empty without any.
    pub covariates: Vec<u8>,
}

impl Store {
    /// The customers of an experiment after `after`, in the order of their ids, with the outcomes
    /// that were received up to `through_us`; none when there are no more.
    pub async fn learned(
        &self,
        tenant: &str,
        (experiment_id, through_us): (&str, i64),
        after: &str,
    ) -> Result<Vec<Learned>, DatabaseError> {
        let page = |text: String| {
            Select::new(text).bind(tenant).bind(experiment_id).bind(after).bind(PAGE)
        };
        let customers: Vec<Columns> = page(customers_text()).all(&self.database).await?;
        if customers.is_empty() {
            return Ok(Vec::new());
        }
        let outcomes = page(outcomes_text()).bind(through_us);
        let outcomes: Vec<OutcomeColumns> = outcomes.all(&self.database).await?;
        let outcomes: Vec<(String, Outcome)> = outcomes.into_iter().map(outcome).collect();
        let mut rest = outcomes.as_slice();
        let mut learned = Vec::with_capacity(customers.len());
        for row in customers {
            let (own, others) = split(rest, &row.0);
            rest = others;
            let outcomes = own.iter().map(|(_, outcome)| outcome.clone()).collect();
            learned.push(of_row(row, outcomes)?);
        }
        Ok(learned)
    }

    /// The key by which exports of a tenant name customers; `fresh` becomes it when there is none.
    pub async fn training_key(&self, tenant: &str, fresh: &[u8]) -> Result<Vec<u8>, DatabaseError> {
        let mut transaction = self.database.begin().await?;
        execute!(&mut transaction, sqlx::query(CREATE_KEY).bind(tenant).bind(fresh))?;
        let select = Select::new(KEY).bind(tenant);
        let stored: Option<(Vec<u8>,)> = select.optional(&mut transaction).await?;
        transaction.commit().await?;
        let gone = || DatabaseError::Corrupt("the key of exports is gone".to_owned());
        Ok(stored.ok_or_else(gone)?.0)
    }
}

fn of_row(row: Columns, outcomes: Vec<Outcome>) -> Result<Learned, DatabaseError> {
    let (customer_id, is_holdout, split, assigned_us, exposed_us, emptied_by, ..) = &row;
    let exposure = exposed_us.map(|at_us| (at_us, emptied_by.clone().unwrap_or_default()));
    let recorded = Recorded {
        customer_id: customer_id.clone(),
        is_holdout: *is_holdout,
        epoch: epoch(*split)?,
        assigned_us: *assigned_us,
        exposure,
        offer_ids: row.8.as_deref().map(offer_ids).transpose()?.unwrap_or_default(),
        category_id: row.6.unwrap_or_default(),
        channel: row.7.unwrap_or_default(),
        outcomes,
        ..Recorded::default()
    };
    let (features, covariates) = (row.9.unwrap_or_default(), row.10.unwrap_or_default());
    Ok(Learned { recorded, features, covariates })
}

fn offer_ids(text: &str) -> Result<Vec<String>, DatabaseError> {
    serde_json::from_str(text).map_err(|_| DatabaseError::Corrupt(format!("offers `{text}`")))
}
