//! Counts the customers of an experiment again, some at a time.

use std::collections::BTreeSet;

use database::{DatabaseError, Select, Statement};

use super::{Pending, Store, counting, customer, recount::Recount, sums};

/// Customers of one transaction: few, so that deliveries wait for a moment only.
const BATCH: i64 = 200;

const CUSTOMERS: &str = "select customer_id from assignment
    where tenant_id = $1 and experiment_id = $2 and customer_id > $3
    order by customer_id limit $4 + 0";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("customers to count again", CUSTOMERS)
            .scan("every customer of an experiment is counted again"),
    ]
}

impl Store {
    /// Counts every customer of an experiment again, by what it counts now. What is right already
    /// is not written.
    pub async fn recount(&self, tenant: &str, experiment_id: &str) -> Result<(), DatabaseError> {
        let mut after = String::new();
        loop {
            let select = Select::new(CUSTOMERS).bind(tenant).bind(experiment_id);
            let rows: Vec<(String,)> = select.bind(&after).bind(BATCH).all(&self.database).await?;
            let customers: BTreeSet<&str> = rows.iter().map(|(id,)| id.as_str()).collect();
            let Some(last) = customers.last() else { return Ok(()) };
            let mut transaction = self.database.begin().await?;
            customer::lock(&mut transaction, tenant, &customers).await?;
            let recount = Recount::of(&mut transaction, tenant, &customers).await?;
            recount.write(&mut transaction).await?;
            transaction.commit().await?;
            after = (*last).to_owned();
        }
    }

    /// Counts an experiment again whose plan has changed, and serves the new sums.
    pub async fn rebuild(&self, pending: &Pending) -> Result<(), DatabaseError> {
        let Some(version) = self.opened(pending).await? else { return Ok(()) };
        let Pending { tenant, experiment_id, .. } = pending;
        self.recount(tenant, experiment_id).await?;
        let counted = (experiment_id.as_str(), version);
        let mut transaction = self.database.begin().await?;
        if counting::serve(&mut transaction, tenant, counted).await? {
            sums::forget(&mut transaction, tenant, counted).await?;
        }
        transaction.commit().await
    }
}
