//! Compiled flows, kept until the flow or the catalog changes.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serve::{Recent, background};
use tokio::{sync::watch, task::JoinError};

use crate::domain::{
    compile::CompiledFlow,
    effect::Effects,
    flow::Flow,
    snapshot::{Catalog, Snapshot},
};

/// Flows kept at most, over all tenants; the one used least recently is evicted.
pub const KEPT_MAX: usize = 4_096;
/// Revisions kept of a flow: decisions in flight still need the one before the newest.
const REVISIONS_MAX: usize = 2;

/// Identifies a flow of a tenant at a revision, and names it.
#[derive(Clone, Copy, Debug)]
pub struct FlowKey<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// Id of the flow.
    pub id: &'a str,
    /// Name of the flow.
    pub name: &'a str,
    /// The own log as of this revision gives the flow.
    pub revision: i64,
    /// Its effect models.
    pub effects: &'a Arc<Effects>,
}

/// Revisions of a compiled flow: its own, the catalog's and that of its effect models.
type Wanted = (i64, i64, i64);

impl FlowKey<'_> {
    fn wanted(&self, catalog: &Catalog) -> Wanted {
        (self.revision, catalog.revision, self.effects.revision)
    }

    /// True for this flow, compiled for this catalog.
    pub fn is(&self, flow: &CompiledFlow, catalog: &Catalog) -> bool {
        flow.id == self.id && wanted_of(flow) == self.wanted(catalog)
    }
}

fn wanted_of(flow: &CompiledFlow) -> Wanted {
    (flow.revision, flow.catalog_revision, flow.effects.revision)
}

/// The newest compiled forms of each flow. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CompiledFlows(Arc<Mutex<FlowSlots>>);

#[derive(Debug)]
struct FlowSlots {
    /// By tenant and id.
    slots: Recent<(String, String), Arc<FlowSlot>>,
    /// Tenants whose snapshots are followed.
    followed: BTreeSet<String>,
}

impl Default for FlowSlots {
    fn default() -> Self {
        Self { slots: Recent::new(KEPT_MAX), followed: BTreeSet::new() }
    }
}

#[derive(Debug, Default)]
struct FlowSlot {
    /// Serializes compilation of this flow; only callers of the same flow wait.
    compiling: tokio::sync::Mutex<()>,
    /// Newest first.
    made: Mutex<Vec<Arc<CompiledFlow>>>,
    /// A decision needed the flow since the catalog last changed.
    is_asked_for: AtomicBool,
    /// A compilation is in flight for decisions that do not wait for its end.
    is_being_made: AtomicBool,
    /// Notified when that compilation ends.
    made_one: tokio::sync::Notify,
}

impl CompiledFlows {
    /// The flow compiled for this catalog. It is compiled once per revision of either, on a
    /// background thread.
    pub async fn of(
        &self,
        key: FlowKey<'_>,
        flow: Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let slot = self.slot(key);
        slot.is_asked_for.store(true, Ordering::Relaxed);
        if let Some(found) = slot.find(key.wanted(catalog)) {
            return Ok(found);
        }
        tokio::spawn(self.making(&slot, key, &flow, catalog)).await?
    }

    /// The same; or the flow at this revision compiled for an older catalog, if there is one and
    /// compiling takes longer than `wait`. A compilation always finishes and serves later callers.
    pub async fn within(
        &self,
        wait: Duration,
        key: FlowKey<'_>,
        flow: &Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let slot = self.slot(key);
        slot.is_asked_for.store(true, Ordering::Relaxed);
        if let Some(found) = slot.find(key.wanted(catalog)) {
            return Ok(found);
        }
        let Some(older) = slot.newest_at(key.revision) else {
            return tokio::spawn(self.making(&slot, key, flow, catalog)).await?;
        };
        let wanted = key.wanted(catalog);
        // One compilation at a time: a catalog newer still is compiled for the next caller.
        if !slot.is_being_made.swap(true, Ordering::Acquire) {
            let (making, slot) = (self.making(&slot, key, flow, catalog), slot.clone());
            tokio::spawn(async move {
                let made = making.await;
                slot.is_being_made.store(false, Ordering::Release);
                slot.made_one.notify_waiters();
                // A caller that needs the flow compiles again and reports the error.
                drop(made);
            });
        }
        // A timer of no length would still wait for its next tick.
        if wait.is_zero() {
            return Ok(older);
        }
        let found = async {
            loop {
                let next = slot.made_one.notified();
                if let Some(found) = slot.find(wanted) {
                    return found;
                }
                if !slot.is_being_made.load(Ordering::Acquire) {
                    return older.clone();
                }
                next.await;
            }
        };
        Ok(tokio::time::timeout(wait, found).await.unwrap_or_else(|_| older.clone()))
    }

    /// From now on flows in use are compiled again when the tenant's catalog changes, so that the
    /// next decision finds them. The flows of a tenant whose snapshots end are released.
    pub fn follow(&self, tenant: &str, snapshots: &watch::Receiver<Arc<Snapshot>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.followed.contains(tenant) {
            kept.followed.insert(tenant.to_owned());
            tokio::spawn(self.clone().keep_ready(tenant.to_owned(), snapshots.clone()));
        }
    }

    async fn keep_ready(self, tenant: String, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        while snapshots.changed().await.is_ok() {
            let snapshot = snapshots.borrow_and_update().clone();
            let Some(catalog) = snapshot.catalog.clone() else { continue };
            for slot in self.of_tenant(&tenant) {
                let Some(newest) = slot.newest() else { continue };
                let effects = &snapshot.effects_of(&newest.id);
                let is_new = newest.effects.revision != effects.revision;
                if newest.catalog_revision >= catalog.revision && !is_new {
                    continue;
                }
                if slot.is_asked_for.swap(false, Ordering::Relaxed) {
                    let (id, name, revision) =
                        (newest.id.as_str(), newest.name.as_str(), newest.revision);
                    let key = FlowKey { tenant: &tenant, id, name, revision, effects };
                    // A caller that needs the flow compiles again and reports the error.
                    drop(self.made(&slot, key, &newest.flow, &catalog).await);
                }
            }
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.followed.remove(&tenant);
        kept.slots.retain(|(owner, _)| *owner != tenant);
    }

    fn of_tenant(&self, tenant: &str) -> Vec<Arc<FlowSlot>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = kept.slots.iter().filter(|((whose, _), _)| whose == tenant);
        of_tenant.map(|(_, slot)| slot.clone()).collect()
    }

    /// Compiles it, in its own task: the compilation finishes and is kept even when its caller
    /// disconnects.
    fn making(
        &self,
        slot: &Arc<FlowSlot>,
        key: FlowKey<'_>,
        flow: &Flow,
        catalog: &Arc<Catalog>,
    ) -> impl Future<Output = Result<Arc<CompiledFlow>, JoinError>> + Send + 'static {
        let (all, slot, flow, catalog) =
            (self.clone(), slot.clone(), flow.clone(), catalog.clone());
        let (tenant, id, name) = (key.tenant.to_owned(), key.id.to_owned(), key.name.to_owned());
        let (revision, effects) = (key.revision, key.effects.clone());
        async move {
            let effects = &effects;
            let key = FlowKey { tenant: &tenant, id: &id, name: &name, revision, effects };
            all.made(&slot, key, &flow, &catalog).await
        }
    }

    async fn made(
        &self,
        slot: &FlowSlot,
        key: FlowKey<'_>,
        flow: &Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let wanted = key.wanted(catalog);
        if let Some(found) = slot.find(wanted) {
            return Ok(found);
        }
        let _turn = slot.compiling.lock().await;
        if let Some(found) = slot.find(wanted) {
            return Ok(found);
        }
        let made = compiled(key, flow.clone(), catalog).await?;
        slot.keep(made.clone());
        Ok(made)
    }

    fn slot(&self, key: FlowKey<'_>) -> Arc<FlowSlot> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (key.tenant.to_owned(), key.id.to_owned());
        if let Some(slot) = kept.slots.get(&key) {
            return slot.clone();
        }
        let slot = Arc::<FlowSlot>::default();
        kept.slots.insert(key, slot.clone());
        slot
    }
}

impl FlowSlot {
    fn find(&self, wanted: Wanted) -> Option<Arc<CompiledFlow>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().find(|flow| wanted_of(flow) == wanted).cloned()
    }

    fn newest_at(&self, revision: i64) -> Option<Arc<CompiledFlow>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().find(|flow| flow.revision == revision).cloned()
    }

    fn newest(&self) -> Option<Arc<CompiledFlow>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    fn keep(&self, flow: Arc<CompiledFlow>) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(flow);
        made.sort_by_key(|flow| {
            std::cmp::Reverse((flow.catalog_revision, flow.revision, flow.effects.revision))
        });
        // Freeing a compiled flow takes as long as a few decisions.
        let kept = made.len().min(REVISIONS_MAX);
        let outdated = made.split_off(kept);
        if !outdated.is_empty() {
            drop(background::run(move || drop(outdated)));
        }
    }
}

/// Compiles a flow on a background thread.
pub async fn compiled(
    key: FlowKey<'_>,
    flow: Flow,
    catalog: &Arc<Catalog>,
) -> Result<Arc<CompiledFlow>, JoinError> {
    let (id, name, revision, catalog) =
        (key.id.to_owned(), key.name.to_owned(), key.revision, catalog.clone());
    let effects = key.effects.clone();
    let compile = move || {
        Arc::new(CompiledFlow::compile_with(flow, (&id, &name, revision), &catalog, effects))
    };
    background::run(compile).await
}

#[cfg(test)]
mod tests;
