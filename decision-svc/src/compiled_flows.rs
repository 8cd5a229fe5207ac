//! Flows made ready, kept until they or the catalog change.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::domain::{compile::CompiledFlow, flow::Flow, snapshot::Catalog};

/// Flows kept at most, over all tenants.
pub const KEPT_MAX: usize = 4_096;

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

/// The newest compiled form of each flow. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CompiledFlows(Arc<Mutex<Kept>>);

/// By tenant and id.
type Kept = BTreeMap<(String, String), Arc<CompiledFlow>>;

impl CompiledFlows {
    /// The flow made ready for this catalog; made once per revision of either.
    pub fn of(&self, source: Source<'_>, flow: Flow, catalog: &Catalog) -> Arc<CompiledFlow> {
        let key = (source.tenant.to_owned(), source.id.to_owned());
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(&key)
            && (found.revision, found.catalog_revision) == (source.revision, catalog.revision)
        {
            return found.clone();
        }
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        let made = Arc::new(CompiledFlow::compile(flow, source.id, source.name, source.revision, catalog));
        kept.insert(key, made.clone());
        made
    }
}
