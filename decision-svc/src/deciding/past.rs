//! Configuration of the past: a catalog and a flow as of a revision or an instant, compiled.

use std::sync::Arc;

use history::AsOf;
use tonic::Status;

use super::{
    planner::Planner,
    whole_flow::{WholeFlow, WholeFlows},
};
use crate::{
    domain::{
        compile::CompiledFlow,
        effect::Effects,
        score::OnlineModel,
        snapshot::{Catalog, Experiments},
    },
    neighbours::{
        Ledger, Lookup,
        past::{Moment, Past},
    },
    online_snapshots::OnlineSnapshots,
    past_flows::PastFlows,
};

/// Reads configuration of the past. Cheap to clone.
#[derive(Clone)]
pub struct PastConfiguration {
    /// The flows.
    pub flows: WholeFlows,
    /// Whose log has the catalogs.
    pub lookup: Arc<Lookup>,
    /// Catalogs read before.
    pub catalogs: Past<Catalog>,
    /// Whose log has the effect models.
    pub ledger: Arc<Ledger>,
    /// Experiments read before.
    pub experiments: Past<Experiments>,
    /// Flows compiled before.
    pub compiled: PastFlows,
    /// Published online models.
    pub online: OnlineSnapshots,
    /// Plans the cases.
    pub planner: Planner,
}

impl PastConfiguration {
    /// The catalog of a moment at or before `head`, a revision that the log has.
    pub async fn catalog(
        &self,
        tenant: &str,
        moment: Moment,
        head: i64,
    ) -> Result<Arc<Catalog>, Status> {
        self.catalogs.of_catalog(&*self.lookup, tenant, moment, head).await
    }

    /// The effect models of a flow at a moment at or before `head`, a revision that the log has; 0
    /// when there were none.
    pub async fn effects(
        &self,
        tenant: &str,
        flow_id: &str,
        (moment, head): (Moment, i64),
    ) -> Result<Arc<Effects>, Status> {
        if head == 0 {
            return Ok(Arc::default());
        }
        let found = self.experiments.of_experiments(&*self.ledger, tenant, moment, head).await?;
        Ok(found.effects_of(flow_id))
    }

    /// The online model of a flow that a decision names; none for version 0.
    pub async fn online(
        &self,
        tenant: &str,
        flow_id: &str,
        version: u64,
    ) -> Result<Option<Arc<OnlineModel>>, Status> {
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        if version == 0 {
            return Ok(None);
        }
        let found = self.online.of_version(tenant, flow_id, version).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        let missing =
            || serve::internal(&format!("flow {flow_id} has no online model of version {version}"));
        found.map(Some).ok_or_else(missing)
    }

    /// The flow of this id or name as it was; `None` when there was none.
    pub async fn flow(
        &self,
        tenant: &str,
        named: &str,
        moment: AsOf,
    ) -> Result<Option<WholeFlow>, Status> {
        self.flows.as_of(tenant, named, moment).await
    }

    /// A flow of the past, compiled for a catalog of the past.
    pub async fn compiled(
        &self,
        tenant: &str,
        whole: &WholeFlow,
        (catalog, effects): (&Arc<Catalog>, &Arc<Effects>),
    ) -> Result<Arc<CompiledFlow>, Status> {
        let key = whole.key(tenant, effects);
        let compiled = self.compiled.of(key, whole.flow.clone(), catalog).await;
        compiled.map_err(|error| serve::internal(&error))
    }
}
