//! Flows made ready, kept until they or the catalog change.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, task::JoinError};

use crate::{
    aside,
    domain::{
        compile::CompiledFlow,
        flow::Flow,
        snapshot::{Catalog, Snapshot},
    },
};

/// Flows kept at most, over all tenants.
pub const KEPT_MAX: usize = 4_096;
/// Revisions kept of a flow: while a new one spreads, decisions on their way still need the one
/// before.
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

#[derive(Debug, Default)]
struct Kept {
    /// By tenant and id.
    entries: BTreeMap<(String, String), Arc<Entry>>,
    /// Tenants whose snapshots are followed.
    followed: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Entry {
    /// Held by the one that compiles; who needs the same waits for it, and nobody else does.
    compiling: tokio::sync::Mutex<()>,
    /// Newest first.
    made: Mutex<Vec<Arc<CompiledFlow>>>,
    /// A decision has asked since the catalog last changed.
    is_asked_for: AtomicBool,
    /// Somebody makes it for decisions that do not wait to the end.
    is_being_made: AtomicBool,
    /// Told when that is done.
    made_one: tokio::sync::Notify,
}

impl CompiledFlows {
    /// The flow made ready for this catalog; made once per revision of either, beside the threads
    /// that answer.
    pub async fn of(
        &self,
        source: Source<'_>,
        flow: Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let entry = self.entry(source);
        entry.is_asked_for.store(true, Ordering::Relaxed);
        if let Some(found) = entry.find((source.revision, catalog.revision)) {
            return Ok(found);
        }
        tokio::spawn(self.making(&entry, source, &flow, catalog)).await?
    }

    /// The same; or, when that takes longer than `wait`, or an older one is just being made, and
    /// there is one, the flow at this revision made ready for an older catalog. What is being made
    /// is made to its end and serves the next.
    pub async fn within(
        &self,
        wait: Duration,
        source: Source<'_>,
        flow: &Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let entry = self.entry(source);
        entry.is_asked_for.store(true, Ordering::Relaxed);
        if let Some(found) = entry.find((source.revision, catalog.revision)) {
            return Ok(found);
        }
        let Some(older) = entry.newest_at(source.revision) else {
            return tokio::spawn(self.making(&entry, source, flow, catalog)).await?;
        };
        let wanted = (source.revision, catalog.revision);
        // One makes, and whoever comes meanwhile waits for that one: what is newer still is made
        // for the next who asks.
        if !entry.is_being_made.swap(true, Ordering::Acquire) {
            let (making, entry) = (self.making(&entry, source, flow, catalog), entry.clone());
            tokio::spawn(async move {
                let made = making.await;
                entry.is_being_made.store(false, Ordering::Release);
                entry.made_one.notify_waiters();
                // Whoever needs the flow tries again and tells.
                drop(made);
            });
        }
        // A timer of no length would still wait for its next tick.
        if wait.is_zero() {
            return Ok(older);
        }
        let found = async {
            loop {
                let next = entry.made_one.notified();
                if let Some(found) = entry.find(wanted) {
                    return found;
                }
                if !entry.is_being_made.load(Ordering::Acquire) {
                    return older.clone();
                }
                next.await;
            }
        };
        Ok(tokio::time::timeout(wait, found).await.unwrap_or_else(|_| older.clone()))
    }

    /// From now on flows that decide are made ready again when the tenant's catalog changes, so
    /// that the next decision finds them.
    pub fn follow(&self, tenant: &str, snapshots: &watch::Receiver<Arc<Snapshot>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.followed.contains(tenant) {
            kept.followed.insert(tenant.to_owned());
            tokio::spawn(self.clone().keep_ready(tenant.to_owned(), snapshots.clone()));
        }
    }

    async fn keep_ready(self, tenant: String, mut snapshots: watch::Receiver<Arc<Snapshot>>) {
        while snapshots.changed().await.is_ok() {
            let Some(catalog) = snapshots.borrow_and_update().catalog.clone() else { continue };
            for entry in self.of_tenant(&tenant) {
                let Some(newest) =
                    entry.newest().filter(|newest| newest.catalog_revision < catalog.revision)
                else {
                    continue;
                };
                if entry.is_asked_for.swap(false, Ordering::Relaxed) {
                    let (id, name, revision) =
                        (newest.id.as_str(), newest.name.as_str(), newest.revision);
                    let source = Source { tenant: &tenant, id, name, revision };
                    // Whoever needs the flow tries again and tells.
                    drop(self.made(&entry, source, &newest.flow, &catalog).await);
                }
            }
        }
    }

    fn of_tenant(&self, tenant: &str) -> Vec<Arc<Entry>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = kept.entries.iter().filter(|((whose, _), _)| whose == tenant);
        of_tenant.map(|(_, entry)| entry.clone()).collect()
    }

    /// Makes it, for a task of its own: whoever waits for it may leave, and what was begun is there
    /// for the next.
    fn making(
        &self,
        entry: &Arc<Entry>,
        source: Source<'_>,
        flow: &Flow,
        catalog: &Arc<Catalog>,
    ) -> impl Future<Output = Result<Arc<CompiledFlow>, JoinError>> + Send + 'static {
        let (all, entry, flow, catalog) =
            (self.clone(), entry.clone(), flow.clone(), catalog.clone());
        let (tenant, id, name) =
            (source.tenant.to_owned(), source.id.to_owned(), source.name.to_owned());
        let revision = source.revision;
        async move {
            let source = Source { tenant: &tenant, id: &id, name: &name, revision };
            all.made(&entry, source, &flow, &catalog).await
        }
    }

    async fn made(
        &self,
        entry: &Entry,
        source: Source<'_>,
        flow: &Flow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, JoinError> {
        let wanted = (source.revision, catalog.revision);
        if let Some(found) = entry.find(wanted) {
            return Ok(found);
        }
        let _turn = entry.compiling.lock().await;
        if let Some(found) = entry.find(wanted) {
            return Ok(found);
        }
        let made = compiled(source, flow.clone(), catalog).await?;
        entry.keep(made.clone());
        Ok(made)
    }

    fn entry(&self, source: Source<'_>) -> Arc<Entry> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (source.tenant.to_owned(), source.id.to_owned());
        if let Some(entry) = kept.entries.get(&key) {
            return entry.clone();
        }
        if kept.entries.len() >= KEPT_MAX {
            kept.entries.clear();
        }
        kept.entries.entry(key).or_default().clone()
    }
}

impl Entry {
    fn find(&self, wanted: (i64, i64)) -> Option<Arc<CompiledFlow>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().find(|flow| (flow.revision, flow.catalog_revision) == wanted).cloned()
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
        made.sort_by_key(|flow| std::cmp::Reverse((flow.catalog_revision, flow.revision)));
        // Taking apart what nobody needs any more takes as long as a few decisions.
        let kept = made.len().min(REVISIONS_MAX);
        let outdated = made.split_off(kept);
        if !outdated.is_empty() {
            drop(aside::run(move || drop(outdated)));
        }
    }
}

/// Flows of the past that are kept, over all tenants.
const PAST_MAX: usize = 64;

/// Flows made ready for what was: those asked for last. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct PastFlows(Arc<Mutex<Past>>);

/// With their tenants, the one asked for last first.
type Past = VecDeque<(String, Arc<CompiledFlow>)>;

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
        {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = kept.iter().position(is_it).and_then(|place| kept.remove(place)) {
                kept.push_front(found.clone());
                return Ok(found.1);
            }
        }
        let made = compiled(source, flow, catalog).await?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| !is_it(kept));
        kept.push_front((source.tenant.to_owned(), made.clone()));
        kept.truncate(PAST_MAX);
        Ok(made)
    }
}

async fn compiled(
    source: Source<'_>,
    flow: Flow,
    catalog: &Arc<Catalog>,
) -> Result<Arc<CompiledFlow>, JoinError> {
    let (id, name, revision, catalog) =
        (source.id.to_owned(), source.name.to_owned(), source.revision, catalog.clone());
    let compile = move || Arc::new(CompiledFlow::compile(flow, &id, &name, revision, &catalog));
    aside::run(compile).await
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// Who cannot wait goes by the catalog of before; what was begun is there for the next. A flow
    /// nobody made ready yet is waited for all the same.
    #[tokio::test]
    async fn who_does_not_wait_gets_the_flow_of_before() {
        let compiled = CompiledFlows::default();
        let within = async |wait: Duration, flow: i64, revision: i64| {
            let catalog = Arc::new(Catalog { revision, ..Catalog::default() });
            let source = Source { tenant: "t", id: "flow_f", name: "F", revision: flow };
            let made =
                compiled.within(wait, source, &Flow { nodes: Vec::new() }, &catalog).await.unwrap();
            (made.revision, made.catalog_revision)
        };
        assert_eq!(within(Duration::ZERO, 1, 1).await, (1, 1));
        assert_eq!(within(Duration::ZERO, 1, 2).await, (1, 1));
        while within(Duration::ZERO, 1, 2).await != (1, 2) {
            tokio::task::yield_now().await;
        }
        assert_eq!(within(Duration::ZERO, 2, 2).await, (2, 2));
        assert_eq!(within(Duration::from_secs(60), 2, 3).await, (2, 3));
    }

    /// A caller who leaves before a flow is made the first time does not stop it.
    #[tokio::test]
    async fn what_was_begun_for_a_caller_who_left_is_there_for_the_next() {
        let compiled = CompiledFlows::default();
        let source = Source { tenant: "t", id: "flow_f", name: "F", revision: 1 };
        let (flow, catalog) = (Flow { nodes: Vec::new() }, Arc::new(Catalog::default()));
        let asked = || compiled.within(Duration::ZERO, source, &flow, &catalog);
        // Seen once, then dropped: the work has begun and the caller is gone.
        assert!(asked().now_or_never().is_none());
        let entry = compiled.entry(source);
        while entry.newest().is_none() {
            tokio::task::yield_now().await;
        }
        let first = entry.newest().unwrap();
        assert!(Arc::ptr_eq(&asked().await.unwrap(), &first));
        // Without a task of its own the work is lost with the caller.
        let alone = CompiledFlows::default();
        let entry = alone.entry(source);
        assert!(alone.made(&entry, source, &flow, &catalog).now_or_never().is_none());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(entry.newest().is_none());
    }

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

    /// A flow that decided is ready for a new catalog before anybody asks; one that did not is left
    /// alone.
    #[tokio::test]
    async fn a_flow_in_use_is_made_ready_when_the_catalog_changes() {
        let compiled = CompiledFlows::default();
        let snapshot = |revision: i64| {
            let catalog = Some(Arc::new(Catalog { revision, ..Catalog::default() }));
            Arc::new(Snapshot { catalog, ..Snapshot::default() })
        };
        let source = Source { tenant: "t", id: "flow_f", name: "F", revision: 1 };
        let (sender, receiver) = watch::channel(snapshot(1));
        compiled.follow("t", &receiver);
        let first = receiver.borrow().catalog.clone().unwrap();
        compiled.of(source, Flow { nodes: Vec::new() }, &first).await.unwrap();
        let entry = compiled.entry(source);
        let newest = || entry.newest().map(|flow| flow.catalog_revision);
        sender.send_replace(snapshot(2));
        while newest() != Some(2) {
            tokio::task::yield_now().await;
        }
        // Nobody has asked since, so the task has nothing to do but see the change.
        sender.send_replace(snapshot(3));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(newest(), Some(2));
    }
}
