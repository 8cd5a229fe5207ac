//! What experiments showed, day by day.

use database::{DatabaseError, Select, Statement, execute};

use super::Store;

/// Days of one experiment that are read at most: more than its longest life.
const DAYS_MAX: i64 = 1_200;

const PUT: &str = "insert into snapshot (tenant_id, experiment_id, metric, day, shown)
    values ($1, $2, $3, $4, $5)
    on conflict (tenant_id, experiment_id, metric, day) do nothing";

const READ: &str = "select day, shown from snapshot
    where tenant_id = $1 and experiment_id = $2 and metric = $3 order by day limit $4 + 0";

const HAS: &str = "select metric from snapshot
    where tenant_id = $1 and experiment_id = $2 and day = $3";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("snapshot of a day", PUT),
        Statement::new("snapshots of an experiment", READ),
        Statement::new("snapshots of today", HAS),
    ]
}

impl Store {
    /// Keeps what an experiment showed on a day, counted from 1970; the first snapshot of a day
    /// stays.
    pub async fn put_snapshot(
        &self,
        tenant: &str,
        (experiment_id, metric): (&str, &str),
        day: i64,
        shown: &str,
    ) -> Result<(), DatabaseError> {
        let mut transaction = self.database.begin().await?;
        execute!(
            &mut transaction,
            sqlx::query(PUT).bind(tenant).bind(experiment_id).bind(metric).bind(day).bind(shown)
        )?;
        transaction.commit().await
    }

    /// What an experiment showed on a metric, by day, oldest first.
    pub async fn snapshots(
        &self,
        tenant: &str,
        (experiment_id, metric): (&str, &str),
    ) -> Result<Vec<(i64, String)>, DatabaseError> {
        let select = Select::new(READ).bind(tenant).bind(experiment_id).bind(metric);
        select.bind(DAYS_MAX).all(&self.database).await
    }

    /// The metrics of which there is a snapshot of a day.
    pub async fn has_snapshots(
        &self,
        tenant: &str,
        experiment_id: &str,
        day: i64,
    ) -> Result<Vec<String>, DatabaseError> {
        let select = Select::new(HAS).bind(tenant).bind(experiment_id).bind(day);
        let rows: Vec<(String,)> = select.all(&self.database).await?;
        Ok(rows.into_iter().map(|(metric,)| metric).collect())
    }
}
