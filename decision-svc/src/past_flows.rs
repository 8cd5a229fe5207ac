//! Flows compiled for catalogs of the past; the most recently used are kept.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinError;

use crate::{
    compiled_flows::{FlowKey, compiled},
    domain::{compile::CompiledFlow, flow::Flow, snapshot::Catalog},
};

/// Most flows kept, over all tenants.
const PAST_MAX: usize = 64;

/// Flows of the past. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PastFlows(Arc<Mutex<RecentFlows>>);

/// With their tenants, the most recently used first.
type RecentFlows = VecDeque<(String, Arc<CompiledFlow>)>;

impl PastFlows {
    /// The flow compiled for this catalog, on a background thread.
    pub async fn of(
        &self,
        key: FlowKey<'_>,
        flow: Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let is_it = |(tenant, flow): &(String, Arc<CompiledFlow>)| {
            tenant == key.tenant && key.is(flow, catalog)
        };
        {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = kept.iter().position(is_it).and_then(|place| kept.remove(place)) {
                kept.push_front(found.clone());
                return Ok(found.1);
            }
        }
        let made = compiled(key, flow, catalog).await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| !is_it(kept));
        kept.push_front((key.tenant.to_owned(), made.clone()));
        kept.truncate(PAST_MAX);
        Ok(made)
    }
}
