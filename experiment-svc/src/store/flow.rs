//! Experiments, each written in one transaction with the row that reserves its flow.

use database::{DatabaseError, Transaction, execute, within};
use history::{Author, Collection, Draft, HistoryError, Resource};

use super::Store;

/// What a write does to the row that reserves the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowUse<'a> {
    /// The experiment runs on this flow, folded, from now on.
    Take(&'a str),
    /// The experiment runs no longer.
    GiveBack,
    /// The row stays as it is.
    Keep,
}

/// Why a write is refused.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The revision log refuses the write.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Another experiment runs on the flow.
    #[error("experiment `{running}` runs on the flow")]
    FlowTaken {
        /// Id of the other one.
        running: String,
    },
}

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        Self::History(error.into())
    }
}

impl Store {
    /// Writes a new experiment.
    pub async fn create<R: Resource>(
        &self,
        experiments: &Collection<R>,
        author: &Author,
        experiment: R,
        flow: FlowUse<'_>,
    ) -> Result<R, StoreError> {
        let mut transaction = self.database.begin().await?;
        let stored = experiments.create_in(&mut transaction, author, experiment).await?;
        self.finish(transaction, author, stored, flow).await
    }

    /// Writes a changed experiment, unless another write came in between.
    pub async fn update<R: Resource>(
        &self,
        experiments: &Collection<R>,
        author: &Author,
        draft: Draft<R>,
        flow: FlowUse<'_>,
    ) -> Result<R, StoreError> {
        let mut transaction = self.database.begin().await?;
        let stored = experiments.update_in(&mut transaction, author, draft).await?;
        self.finish(transaction, author, stored, flow).await
    }

    async fn finish<R: Resource>(
        &self,
        mut transaction: Transaction,
        author: &Author,
        stored: R,
        flow: FlowUse<'_>,
    ) -> Result<R, StoreError> {
        match flow {
            FlowUse::Take(flow) => {
                take(&mut transaction, &author.tenant, flow, stored.id()).await?
            }
            FlowUse::GiveBack => give_back(&mut transaction, &author.tenant, stored.id()).await?,
            FlowUse::Keep => {}
        }
        transaction.commit().await?;
        self.history.ring();
        Ok(stored)
    }
}

/// INVARIANT: the log's head is locked by now, so an experiment that took the flow earlier has
/// committed and is seen here.
async fn take(
    transaction: &mut Transaction,
    tenant: &str,
    flow: &str,
    own_id: &str,
) -> Result<(), StoreError> {
    let taken = execute!(
        &mut *transaction,
        sqlx::query(
            "insert into running_flow (tenant_id, flow_folded, experiment_id) values ($1, $2, $3)
             on conflict (tenant_id, flow_folded) do nothing"
        )
        .bind(tenant)
        .bind(flow)
        .bind(own_id)
    )?;
    if taken.rows == 1 {
        return Ok(());
    }
    let (running,): (String,) = within!(&mut *transaction, connection => sqlx::query_as(
        "select experiment_id from running_flow where tenant_id = $1 and flow_folded = $2")
        .bind(tenant).bind(flow).fetch_one(connection))?;
    if running == own_id { Ok(()) } else { Err(StoreError::FlowTaken { running }) }
}

async fn give_back(
    transaction: &mut Transaction,
    tenant: &str,
    own_id: &str,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query("delete from running_flow where tenant_id = $1 and experiment_id = $2")
            .bind(tenant)
            .bind(own_id)
    )
    .map(drop)
}
