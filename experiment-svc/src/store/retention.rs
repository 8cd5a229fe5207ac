//! SQL that deletes old outcomes: the keys of some, then each by its key.

use database::{DatabaseError, Select, Statement, delete_each};
use serve::BATCH_MAX;

use super::Store;

const TENANTS: &str = "select tenant_id from counted_through order by tenant_id";

/// Outcomes that no read-out counts: their customer had no arm when they happened.
const OLD: &str = "select o.customer_id, o.outcome_id from outcome o
    where o.tenant_id = $1 and o.occurred_us < $2
      and not exists (select 1 from assignment a
        where a.tenant_id = o.tenant_id and a.customer_id = o.customer_id
          and a.assigned_us <= o.occurred_us)
    limit $3 + 0";
const DELETE: &str = "delete from outcome
    where tenant_id = $1 and customer_id = $2 and outcome_id = $3 and occurred_us < $4";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("tenants with outcomes", TENANTS),
        Statement::new("old outcomes", OLD).scan("retention looks for old rows of all customers"),
        Statement::new("delete an outcome", DELETE),
    ]
}

impl Store {
    /// The tenants of whom outcomes were delivered.
    pub async fn tenants(&self) -> Result<Vec<String>, DatabaseError> {
        let rows: Vec<(String,)> = Select::new(TENANTS).all(&self.database).await?;
        Ok(rows.into_iter().map(|(tenant,)| tenant).collect())
    }

    /// Deletes some outcomes of a tenant that happened before `before_us` and that no experiment
    /// counts; returns how many.
    pub async fn delete_outcomes(
        &self,
        tenant: &str,
        before_us: i64,
    ) -> Result<u64, DatabaseError> {
        let select = Select::new(OLD).bind(tenant).bind(before_us).bind(i64::from(BATCH_MAX));
        let keys: Vec<(String, String)> = select.all(&self.database).await?;
        delete_each!(self.database, keys, (customer_id, outcome_id) => {
            sqlx::query(DELETE).bind(tenant).bind(customer_id).bind(outcome_id).bind(before_us)
        })
    }
}
