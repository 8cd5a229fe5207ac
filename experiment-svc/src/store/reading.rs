//! Reads the ledger: the sums that a metric needs, customer by customer.

use chrono::{DateTime, Utc};
use database::{Cell, DatabaseError, Select, Statement};

use super::{
    Store,
    arm::{arm, epoch},
};
use crate::domain::{
    analysis::{Activity, Counts, Customer, Window},
    measure::{CONVERSION, Metric, Sum},
};

/// Customers of one page of a read-out: a page is one statement, far within its time limit.
const PAGE: i64 = 5_000;
/// Sums are taken in two parts, multiples of this and the rest, so that no customer's outcomes
/// overflow SQLite's 64 bits.
const PART: i128 = 100_000_000;

/// What the ledger holds of an experiment.
#[derive(Clone, Debug)]
pub struct Read {
    /// The customers.
    pub counts: Counts,
    /// Every outcome received up to here is counted.
    pub counted_through: Option<DateTime<Utc>>,
}

/// Customer, arm, split and exposure; then the parts of the sums since assignment and since
/// exposure, as [`sums_column`] writes them.
type Columns = (String, bool, i64, Option<i64>, String, String);

const THROUGH: &str = "select through_us from counted_through where tenant_id = $1";

pub(super) fn statements() -> Vec<Statement> {
    let sums = [Sum::Outcomes { key: "conversion".to_owned() }, Sum::Revenue, Sum::Purchases];
    vec![
        Statement::new("instant of the ledger", THROUGH),
        Statement::new("customers of an experiment", customers_statement(&sums, &mut Vec::new()))
            .scan("a read-out sums over all customers of an experiment"),
    ]
}

impl Store {
    /// Everything the ledger holds of an experiment within `window`. Outcomes that arrive meanwhile
    /// may be in it or not.
    pub async fn read(
        &self,
        tenant: &str,
        experiment_id: &str,
        metric: Metric,
        window: Window,
    ) -> Result<Read, DatabaseError> {
        // Read first: what is counted through then is in every page.
        let through: Option<(i64,)> =
            Select::new(THROUGH).bind(tenant).optional(&self.database).await?;
        // Those of the metric, then the purchases that make a buyer.
        let mut sums = metric.sums.clone();
        sums.push(Sum::Purchases);
        let mut counts = Counts::new(metric).keeping_figures();
        let mut after = String::new();
        loop {
            let page = self.customers(tenant, experiment_id, &after, &sums, window).await?;
            for row in &page {
                counts.add(&customer(row)?);
            }
            match page.into_iter().last() {
                Some(last) => after = last.0,
                None => break,
            }
        }
        Ok(Read { counts, counted_through: through.map(|(us,)| serve::from_micros(us)) })
    }

    /// One page. A customer joins with every outcome of theirs that counts, whatever decision or
    /// flow it names.
    async fn customers(
        &self,
        tenant: &str,
        experiment_id: &str,
        after: &str,
        sums: &[Sum],
        window: Window,
    ) -> Result<Vec<Columns>, DatabaseError> {
        let mut parameters: Vec<Cell<'_>> = vec![
            tenant.into(),
            experiment_id.into(),
            after.into(),
            window.end.timestamp_micros().into(),
            window.received_max.timestamp_micros().into(),
            PAGE.into(),
        ];
        let statement = customers_statement(sums, &mut parameters);
        parameters.into_iter().fold(Select::new(statement), Select::bind).all(&self.database).await
    }
}

/// The statement of one page; the parameters of the sums follow those that are there.
fn customers_statement<'a>(sums: &'a [Sum], parameters: &mut Vec<Cell<'a>>) -> String {
    let summands: Vec<_> = sums.iter().map(|sum| summand(sum, parameters)).collect();
    format!(
        "select a.customer_id, a.is_holdout, a.epoch, e.exposed_us,
           {since_assignment}, {since_exposure}
         from (select tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us
               from assignment
               where tenant_id = $1 and experiment_id = $2 and customer_id > $3
               order by customer_id limit $6 + 0) a
         left join exposure e on e.tenant_id = a.tenant_id
           and e.customer_id = a.customer_id and e.experiment_id = a.experiment_id
         left join outcome o on o.tenant_id = a.tenant_id and o.customer_id = a.customer_id
           and o.occurred_us >= a.assigned_us and o.occurred_us < $4 and o.received_us <= $5
         group by a.customer_id, a.is_holdout, a.epoch, e.exposed_us order by a.customer_id",
        since_assignment = sums_column(&summands, "true"),
        since_exposure = sums_column(&summands, "o.occurred_us >= e.exposed_us"),
    )
}

/// What one outcome adds to a sum; null adds nothing. A value it compares with becomes a parameter.
fn summand<'a>(sum: &'a Sum, parameters: &mut Vec<Cell<'a>>) -> String {
    match sum {
        Sum::Outcomes { key } => {
            parameters.push(key.into());
            let parameter = parameters.len();
            format!(
                "case when o.outcome_key = ${parameter} and (o.outcome_key <> '{CONVERSION}'
                   or o.value_e4 is null or o.value_e4 > 0) then 1 end"
            )
        }
        Sum::Revenue => "case when o.is_positive or o.value_e4 < 0 then o.value_e4 end".to_owned(),
        Sum::Purchases => "case when o.is_positive and o.value_e4 > 0 then 1 end".to_owned(),
    }
}

/// One text column: both parts of each sum over the outcomes for which `condition` holds, apart by
/// spaces.
fn sums_column(summands: &[String], condition: &str) -> String {
    let part = |summand: &str, operator: char| {
        format!(
            "cast(coalesce(sum(case when {condition} then ({summand}) {operator} {PART} end), 0)
               as text)"
        )
    };
    let parts = summands.iter().flat_map(|summand| ['/', '%'].map(|sign| part(summand, sign)));
    parts.collect::<Vec<_>>().join(" || ' ' || ")
}

fn customer(row: &Columns) -> Result<Customer, DatabaseError> {
    let (_, is_holdout, split, exposed_us, since_assignment, since_exposure) = row;
    Ok(Customer {
        arm: arm(*is_holdout),
        epoch: epoch(*split)?,
        covariate: 0,
        since_assignment: activity(since_assignment)?,
        since_exposure: exposed_us.map(|_| activity(since_exposure)).transpose()?,
    })
}

/// The last sum are the purchases.
fn activity(column: &str) -> Result<Activity, DatabaseError> {
    let mut sums = sums(column)?;
    let purchases = sums.pop().unwrap_or_default();
    Ok(Activity { sums, is_buyer: purchases > 0 })
}

/// The sums whose parts a column holds.
fn sums(column: &str) -> Result<Vec<i128>, DatabaseError> {
    let parts: Result<Vec<i128>, _> = column.split(' ').map(str::parse).collect();
    let parts = parts.map_err(|_| DatabaseError::Corrupt(format!("sums `{column}`")))?;
    let sum = |both: &[i128]| both.iter().fold(0, |multiple, part| multiple * PART + part);
    Ok(parts.chunks(2).map(sum).collect())
}
