//! Reads assignments from the ledger: one, or a page.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Select, Statement};

use super::Store;
use crate::domain::analysis::Arm;

/// One customer's arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmRow {
    /// The customer.
    pub customer_id: String,
    /// Their arm.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// The instant of the decision that drew it.
    pub assigned_at: DateTime<Utc>,
    /// First time they received, or would have received, an offer.
    pub first_exposure_at: Option<DateTime<Utc>>,
}

type Columns = (String, bool, i64, i64, Option<i64>);

/// Customers of one page where all customers of an experiment are read: a page is two statements,
/// far within their time limit.
pub(super) const PAGE: i64 = 5_000;

/// A page of arms, as `a`: the customers after $3, at most $4.
pub(super) const PAGE_OF: &str = "(select tenant_id, customer_id, experiment_id, is_holdout, epoch,
    assigned_us from assignment where tenant_id = $1 and experiment_id = $2 and customer_id > $3
    order by customer_id limit $4 + 0) a";

/// What else is stored of these arms: the first exposure, as `e`, and the covariates, as `c`.
pub(super) const WITH_EXPOSURE: &str = "left join exposure e on e.tenant_id = a.tenant_id
      and e.customer_id = a.customer_id and e.experiment_id = a.experiment_id
    left join covariate c on c.tenant_id = a.tenant_id
      and c.customer_id = a.customer_id and c.experiment_id = a.experiment_id";

/// A page of an experiment's arms; of one arm when narrowed.
fn page_statement(is_narrowed: bool) -> String {
    let narrowed = if is_narrowed { " and a.is_holdout = $5" } else { "" };
    format!(
        "select a.customer_id, a.is_holdout, a.epoch, a.assigned_us, e.exposed_us
         from assignment a
         left join exposure e on e.tenant_id = a.tenant_id
           and e.customer_id = a.customer_id and e.experiment_id = a.experiment_id
         where a.tenant_id = $1 and a.experiment_id = $2 and a.customer_id > $3{narrowed}
         order by a.customer_id limit $4 + 0"
    )
}

const ONE: &str = "select a.customer_id, a.is_holdout, a.epoch, a.assigned_us, e.exposed_us
    from assignment a
    left join exposure e on e.tenant_id = a.tenant_id
      and e.customer_id = a.customer_id and e.experiment_id = a.experiment_id
    where a.tenant_id = $1 and a.customer_id = $2 and a.experiment_id = $3";

pub(super) fn statements() -> Vec<Statement> {
    let page = |is_narrowed| {
        Statement::new("arms of an experiment", page_statement(is_narrowed))
            .scan("an experiment's arms are listed by page")
    };
    vec![page(false), page(true), Statement::new("arm of a customer", ONE)]
}

impl Store {
    /// Arms of an experiment of customers after `after`, at most `limit`, by customer; only of
    /// `arm` when there is one.
    pub async fn arms(
        &self,
        tenant: &str,
        (experiment_id, arm): (&str, Option<Arm>),
        after: &str,
        limit: i64,
    ) -> Result<Vec<ArmRow>, DatabaseError> {
        let mut select = Select::new(page_statement(arm.is_some()))
            .bind(tenant)
            .bind(experiment_id)
            .bind(after)
            .bind(limit);
        if let Some(arm) = arm {
            select = select.bind(arm == Arm::Holdout);
        }
        let rows: Vec<Columns> = select.all(&self.database).await?;
        rows.into_iter().map(arm_row).collect()
    }

    /// One customer's arm; none when they were never assigned.
    pub async fn arm(
        &self,
        tenant: &str,
        experiment_id: &str,
        customer_id: &str,
    ) -> Result<Option<ArmRow>, DatabaseError> {
        let row: Option<Columns> = Select::new(ONE)
            .bind(tenant)
            .bind(customer_id)
            .bind(experiment_id)
            .brief()
            .optional(&self.database)
            .await?;
        row.map(arm_row).transpose()
    }
}

fn arm_row(
    (customer_id, is_holdout, epoch, assigned_us, exposed_us): Columns,
) -> Result<ArmRow, DatabaseError> {
    Ok(ArmRow {
        customer_id,
        arm: arm(is_holdout),
        epoch: self::epoch(epoch)?,
        assigned_at: serve::from_micros(assigned_us),
        first_exposure_at: exposed_us.map(serve::from_micros),
    })
}

/// The arm of a column `is_holdout`.
pub(super) fn arm(is_holdout: bool) -> Arm {
    if is_holdout { Arm::Holdout } else { Arm::Treatment }
}

/// INVARIANT: epochs are written from `i32`.
pub(super) fn epoch(stored: i64) -> Result<i32, DatabaseError> {
    i32::try_from(stored).map_err(|_| DatabaseError::Corrupt(format!("split {stored}")))
}
