//! SQL that deletes old outcomes: the keys of some, then each by its key.

use database::{DatabaseError, Select, Statement, delete_each};
use serve::BATCH_MAX;

use super::{Store, StoredPlan};
use crate::domain::tally::{LOOK_BACK_MAX_US, Plan};

const TENANTS: &str = "select tenant_id from counted_through order by tenant_id";

/// Outcomes that no read-out counts: they happened before their customer had an arm, and longer
/// before it than any covariate looks back.
const OLD: &str = "select o.customer_id, o.outcome_id from outcome o
    where o.tenant_id = $1 and o.occurred_us < $2
      and not exists (select 1 from assignment a
        where a.tenant_id = o.tenant_id and a.customer_id = o.customer_id
          and a.assigned_us - $4 <= o.occurred_us)
    limit $3 + 0";
const DELETE: &str = "delete from outcome
    where tenant_id = $1 and customer_id = $2 and outcome_id = $3 and occurred_us < $4";

/// Contacts that no audit counts: their customer had no arm when they happened.
const OLD_CONTACTS: &str = "select c.customer_id, c.contact_id from contact c
    where c.tenant_id = $1 and c.happened_us < $2
      and not exists (select 1 from assignment a
        where a.tenant_id = c.tenant_id and a.customer_id = c.customer_id
          and a.assigned_us <= c.happened_us)
    limit $3 + 0";
const DELETE_CONTACT: &str = "delete from contact
    where tenant_id = $1 and customer_id = $2 and contact_id = $3";

pub(super) fn statements() -> Vec<Statement> {
    let why = "retention looks for old rows of all customers";
    vec![
        Statement::new("old contacts", OLD_CONTACTS).scan(why),
        Statement::new("delete a contact", DELETE_CONTACT),
        Statement::new("tenants with outcomes", TENANTS),
        Statement::new("old outcomes", OLD).scan(why),
        Statement::new("delete an outcome", DELETE),
    ]
}

impl Store {
    /// The tenants of whom outcomes were delivered.
    pub async fn tenants(&self) -> Result<Vec<String>, DatabaseError> {
        let rows: Vec<(String,)> = Select::new(TENANTS).all(&self.database).await?;
        Ok(rows.into_iter().map(|(tenant,)| tenant).collect())
    }

    /// Deletes some contacts of a tenant that happened before `before_us` and that no experiment
    /// counts; returns how many.
    pub async fn delete_contacts(
        &self,
        tenant: &str,
        before_us: i64,
    ) -> Result<u64, DatabaseError> {
        let select =
            Select::new(OLD_CONTACTS).bind(tenant).bind(before_us).bind(i64::from(BATCH_MAX));
        let keys: Vec<(String, String)> = select.all(&self.database).await?;
        delete_each!(self.database, keys, (customer_id, contact_id) => {
            sqlx::query(DELETE_CONTACT).bind(tenant).bind(customer_id).bind(contact_id)
        })
    }

    /// How far the covariates of a tenant's experiments look back, also of those that are closed:
    /// they are counted again when what they count changes. The furthest there can be where a plan
    /// is that of another version of this service.
    async fn look_back_us(&self, tenant: &str) -> Result<i64, DatabaseError> {
        let plans = self.plans(tenant).await?;
        let look_back = |(text, _): &StoredPlan| {
            let plan = Plan::read(text);
            plan.map_or(LOOK_BACK_MAX_US, |plan| plan.look_back_us.unwrap_or_default())
        };
        Ok(plans.values().map(look_back).max().unwrap_or_default())
    }

    /// Deletes some outcomes of a tenant that happened before `before_us` and that no experiment
    /// counts; returns how many.
    pub async fn delete_outcomes(
        &self,
        tenant: &str,
        before_us: i64,
    ) -> Result<u64, DatabaseError> {
        let look_back_us = self.look_back_us(tenant).await?;
        let select = Select::new(OLD)
            .bind(tenant)
            .bind(before_us)
            .bind(i64::from(BATCH_MAX))
            .bind(look_back_us);
        let keys: Vec<(String, String)> = select.all(&self.database).await?;
        delete_each!(self.database, keys, (customer_id, outcome_id) => {
            sqlx::query(DELETE).bind(tenant).bind(customer_id).bind(outcome_id).bind(before_us)
        })
    }
}
