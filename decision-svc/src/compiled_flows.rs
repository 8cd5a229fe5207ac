//! Flows made ready, kept until they or the catalog change.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinError;

use crate::domain::{compile::CompiledFlow, flow::Flow, snapshot::Catalog};

/// Flows kept at most, over all tenants.
pub const KEPT_MAX: usize = 4_096;
/// Revisions kept of a flow: while a new one spreads, decisions on their way still need the one before.
const REVISIONS_MAX: usize = 2;

/// A flow of a tenant at a revision.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its revision.
    pub revision: i64,
}

/// The newest compiled forms of each flow. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CompiledFlows(Arc<Mutex<Kept>>);

/// By tenant and id.
type Kept = BTreeMap<(String, String), Arc<Entry>>;

#[derive(Debug, Default)]
struct Entry {
    /// Held by the one that compiles; who needs the same waits for it, and nobody else does.
    compiling: tokio::sync::Mutex<()>,
    /// Newest first.
    made: Mutex<Vec<Arc<CompiledFlow>>>,
}

impl CompiledFlows {
    /// The flow made ready for this catalog; made once per revision of either, beside the threads that answer.
    pub async fn of(
        &self,
        source: Source<'_>,
        flow: Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let entry = self.entry(source);
        let wanted = (source.revision, catalog.revision);
        if let Some(found) = entry.find(wanted) {
            return Ok(found);
        }
        let _turn = entry.compiling.lock().await;
        if let Some(found) = entry.find(wanted) {
            return Ok(found);
        }
        let made = compiled(source, flow, catalog).await?;
        entry.keep(made.clone());
        Ok(made)
    }

    fn entry(&self, source: Source<'_>) -> Arc<Entry> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (source.tenant.to_owned(), source.id.to_owned());
        if let Some(entry) = kept.get(&key) {
            return entry.clone();
        }
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.entry(key).or_default().clone()
    }
}

impl Entry {
    fn find(&self, wanted: (i64, i64)) -> Option<Arc<CompiledFlow>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().find(|flow| (flow.revision, flow.catalog_revision) == wanted).cloned()
    }

    fn keep(&self, flow: Arc<CompiledFlow>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(flow);
        made.sort_by_key(|flow| std::cmp::Reverse((flow.catalog_revision, flow.revision)));
        made.truncate(REVISIONS_MAX);
    }
}

/// Flows of the past that are kept, over all tenants.
const PAST_MAX: usize = 64;

/// Flows made ready for what was: those asked for last. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PastFlows(Arc<Mutex<VecDeque<(String, Arc<CompiledFlow>)>>>);

impl PastFlows {
    /// The flow made ready for this catalog, beside the threads that answer.
    pub async fn of(
        &self,
        source: Source<'_>,
        flow: Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let is_it = |(tenant, flow): &(String, Arc<CompiledFlow>)| {
            (tenant.as_str(), flow.id.as_str()) == (source.tenant, source.id)
                && (flow.revision, flow.catalog_revision) == (source.revision, catalog.revision)
        };
        if let Some((_, found)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|kept| is_it(kept))
        {
            return Ok(found.clone());
        }
        let made = compiled(source, flow, catalog).await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((source.tenant.to_owned(), made.clone()));
        kept.truncate(PAST_MAX);
        Ok(made)
    }
}

async fn compiled(source: Source<'_>, flow: Flow, catalog: &Arc<Catalog>) -> Result<Arc<CompiledFlow>, JoinError> {
    let (id, name, revision, catalog) =
        (source.id.to_owned(), source.name.to_owned(), source.revision, catalog.clone());
    let compile = move || Arc::new(CompiledFlow::compile(flow, &id, &name, revision, &catalog));
    tokio::task::spawn_blocking(compile).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The newest two stay, whatever the order in which they were asked for; each is made once.
    #[tokio::test]
    async fn a_flow_is_made_once_for_each_of_its_newest_revisions() {
        let compiled = CompiledFlows::default();
        let of = async |revision: i64| {
            let catalog = Arc::new(Catalog { revision, ..Catalog::default() });
            let source = Source { tenant: "t", id: "flow_f", name: "F", revision: 1 };
            compiled.of(source, Flow { nodes: Vec::new() }, &catalog).await.unwrap()
        };
        let (second, first) = (of(2).await, of(1).await);
        assert!(Arc::ptr_eq(&of(2).await, &second) && Arc::ptr_eq(&of(1).await, &first));
        let third = of(3).await;
        assert!(Arc::ptr_eq(&of(3).await, &third) && Arc::ptr_eq(&of(2).await, &second));
        assert!(!Arc::ptr_eq(&of(1).await, &first));
        assert!(Arc::ptr_eq(&of(2).await, &second));
    }
}
