//! Reading the ledger.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Select};

use super::Store;
use crate::domain::{
    analysis::{Arm, Behavior, Counts, Customer, Window},
    metric::Metric,
};

/// Customers of one page of a read-out: a page is one statement, far within its time limit.
const PAGE: i64 = 5_000;
/// Values are summed in two parts, multiples of this and the rest, so that no customer's outcomes
/// overflow 64 bits. The statement below spells it out.
const PART: i128 = 100_000_000;

/// One customer's arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmRow {
    /// The customer.
    pub customer_id: String,
    /// Their arm.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// When.
    pub assigned_at: DateTime<Utc>,
    /// First time they received, or would have received, an offer.
    pub first_exposure_at: Option<DateTime<Utc>>,
}

/// What the ledger holds of an experiment.
#[derive(Clone, Debug)]
pub struct Read {
    /// The customers.
    pub counts: Counts,
    /// Every outcome received up to here is counted.
    pub counted_through: Option<DateTime<Utc>>,
}

type ArmColumns = (String, bool, i64, i64, Option<i64>);
/// Customer, arm, split and exposure; then conversions and revenue in two parts, since assignment
/// and since exposure.
type CustomerColumns = (String, bool, i64, Option<i64>, i64, i64, i64, i64, i64, i64);

impl Store {
    /// Arms of an experiment of customers after `after`, at most `limit`, by customer.
    pub async fn arms(
        &self,
        tenant: &str,
        experiment_id: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<ArmRow>, DatabaseError> {
        let rows: Vec<ArmColumns> = Select::new(
            "select a.customer_id, a.is_holdout, a.epoch, a.assigned_us, e.exposed_us
             from assignment a left join exposure e on e.tenant_id = a.tenant_id and e.customer_id = a.customer_id
               and e.experiment_id = a.experiment_id
             where a.tenant_id = $1 and a.experiment_id = $2 and a.customer_id > $3 order by a.customer_id limit $4",
        )
        .bind(tenant)
        .bind(experiment_id)
        .bind(after)
        .bind(limit)
        .all(&self.database)
        .await?;
        rows.into_iter().map(arm_row).collect()
    }

    /// One customer's arm; none when they were never assigned.
    pub async fn arm(
        &self,
        tenant: &str,
        experiment_id: &str,
        customer_id: &str,
    ) -> Result<Option<ArmRow>, DatabaseError> {
        let row: Option<ArmColumns> = Select::new(
            "select a.customer_id, a.is_holdout, a.epoch, a.assigned_us, e.exposed_us
             from assignment a left join exposure e on e.tenant_id = a.tenant_id and e.customer_id = a.customer_id
               and e.experiment_id = a.experiment_id
             where a.tenant_id = $1 and a.customer_id = $2 and a.experiment_id = $3",
        )
        .bind(tenant)
        .bind(customer_id)
        .bind(experiment_id)
        .brief()
        .optional(&self.database)
        .await?;
        row.map(arm_row).transpose()
    }

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
            Select::new("select through_us from counted_through where tenant_id = $1")
                .bind(tenant)
                .optional(&self.database)
                .await?;
        let mut counts = Counts::new(metric);
        let mut after = String::new();
        loop {
            let page = self.customers(tenant, experiment_id, &after, window).await?;
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

    async fn customers(
        &self,
        tenant: &str,
        experiment_id: &str,
        after: &str,
        window: Window,
    ) -> Result<Vec<CustomerColumns>, DatabaseError> {
        // An experiment's customer joins with every outcome of theirs that counts, whatever
        // decision or flow it names.
        Select::new(
            "select a.customer_id, a.is_holdout, a.epoch, e.exposed_us,
               count(case when o.outcome_key = 'conversion' then 1 end),
               cast(coalesce(sum(case when o.is_positive then o.value_e4 / 100000000 end), 0) as bigint),
               cast(coalesce(sum(case when o.is_positive then o.value_e4 % 100000000 end), 0) as bigint),
               count(case when o.outcome_key = 'conversion' and o.occurred_us >= e.exposed_us then 1 end),
               cast(coalesce(sum(case when o.is_positive and o.occurred_us >= e.exposed_us
                 then o.value_e4 / 100000000 end), 0) as bigint),
               cast(coalesce(sum(case when o.is_positive and o.occurred_us >= e.exposed_us
                 then o.value_e4 % 100000000 end), 0) as bigint)
             from (select tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us from assignment
                   where tenant_id = $1 and experiment_id = $2 and customer_id > $3
                   order by customer_id limit $6) a
             left join exposure e on e.tenant_id = a.tenant_id and e.customer_id = a.customer_id
               and e.experiment_id = a.experiment_id
             left join outcome o on o.tenant_id = a.tenant_id and o.customer_id = a.customer_id
               and o.occurred_us >= a.assigned_us and o.occurred_us < $4 and o.received_us <= $5
             group by a.customer_id, a.is_holdout, a.epoch, e.exposed_us order by a.customer_id",
        )
        .bind(tenant)
        .bind(experiment_id)
        .bind(after)
        .bind(window.end.timestamp_micros())
        .bind(window.received_max.timestamp_micros())
        .bind(PAGE)
        .all(&self.database)
        .await
    }
}

fn customer(row: &CustomerColumns) -> Result<Customer, DatabaseError> {
    let (
        _,
        is_holdout,
        epoch,
        exposed_us,
        conversions,
        high,
        low,
        conversions_since,
        high_since,
        low_since,
    ) = *row;
    let behavior = |conversions: i64, high: i64, low: i64| Behavior {
        has_converted: conversions > 0,
        revenue_e4: i128::from(high) * PART + i128::from(low),
    };
    Ok(Customer {
        arm: arm(is_holdout),
        epoch: self::epoch(epoch)?,
        since_assignment: behavior(conversions, high, low),
        since_exposure: exposed_us.map(|_| behavior(conversions_since, high_since, low_since)),
    })
}

fn arm_row(
    (customer_id, is_holdout, epoch, assigned_us, exposed_us): ArmColumns,
) -> Result<ArmRow, DatabaseError> {
    Ok(ArmRow {
        customer_id,
        arm: arm(is_holdout),
        epoch: self::epoch(epoch)?,
        assigned_at: serve::from_micros(assigned_us),
        first_exposure_at: exposed_us.map(serve::from_micros),
    })
}

fn arm(is_holdout: bool) -> Arm {
    if is_holdout { Arm::Holdout } else { Arm::Treatment }
}

/// INVARIANT: epochs are written from `i32`.
fn epoch(stored: i64) -> Result<i32, DatabaseError> {
    i32::try_from(stored).map_err(|_| DatabaseError::Corrupt(format!("split {stored}")))
}
