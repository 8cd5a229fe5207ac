//! Which experiment runs on a flow. Written in the transaction that writes the experiment.

use database::{DatabaseError, Select, Statement, Transaction, execute, within};

use super::Store;

/// Why an experiment cannot have its flow.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// Another experiment runs on the flow.
    #[error("experiment `{running}` runs on the flow")]
    Taken {
        /// Id of the other one.
        running: String,
    },
    /// The store failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

const TAKE: &str = "insert into running_flow (tenant_id, flow_folded, experiment_id)
    values ($1, $2, $3) on conflict (tenant_id, flow_folded) do nothing";

const RUNNING: &str =
    "select experiment_id from running_flow where tenant_id = $1 and flow_folded = $2";

const GIVE_BACK: &str = "delete from running_flow where tenant_id = $1 and experiment_id = $2";

const ALL_RUNNING: &str = "select tenant_id, experiment_id from running_flow";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("take a flow", TAKE),
        Statement::new("experiment on a flow", RUNNING),
        Statement::new("give a flow back", GIVE_BACK),
        Statement::new("running experiments", ALL_RUNNING),
    ]
}

impl Store {
    /// Every experiment that runs, as tenant and id.
    pub async fn running(&self) -> Result<Vec<(String, String)>, DatabaseError> {
        Select::new(ALL_RUNNING).all(&self.database).await
    }
}

/// The experiment runs on this flow, folded, from now on.
///
/// INVARIANT: the log's head is locked by now, so an experiment that took the flow before has
/// committed and is visible here.
pub async fn take_flow(
    transaction: &mut Transaction,
    tenant: &str,
    flow: &str,
    own_id: &str,
) -> Result<(), FlowError> {
    let taken =
        execute!(&mut *transaction, sqlx::query(TAKE).bind(tenant).bind(flow).bind(own_id))?;
    if taken.rows == 1 {
        return Ok(());
    }
    let (running,): (String,) = within!(&mut *transaction, connection => sqlx::query_as(
        RUNNING)
        .bind(tenant).bind(flow).fetch_one(connection))?;
    if running == own_id { Ok(()) } else { Err(FlowError::Taken { running }) }
}

/// The experiment runs on its flow no longer.
pub async fn give_flow_back(
    transaction: &mut Transaction,
    tenant: &str,
    own_id: &str,
) -> Result<(), DatabaseError> {
    execute!(transaction, sqlx::query(GIVE_BACK).bind(tenant).bind(own_id)).map(drop)
}
