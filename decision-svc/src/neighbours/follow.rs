//! Follows the neighbours' configuration and keeps one immutable snapshot per tenant.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _};
use proffer_proto::{
    catalog::v1 as catalog, experiment::v1 as experiment, policy::v1 as policy,
    values::v1::ConfigurationChange,
};
use serve::metadata;
use tokio::sync::{Mutex, watch};
use tonic::Status;

use super::{
    Neighbours, catalog as catalog_client, experiment as experiment_client, policy as policy_client,
};
use crate::domain::snapshot::{Catalog, Experiments, Policy, Snapshot};

/// Most tenants followed by one process.
pub const TENANTS_MAX: usize = 256;
/// How long a report waits for an outcome type that was just created, and a decision for the first
/// snapshot of all.
pub const SNAPSHOT_WAIT_MAX: Duration = Duration::from_millis(250);
/// Pause before a broken stream is opened again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The snapshots by tenant. Cheap to clone.
#[derive(Clone)]
pub struct Followers {
    neighbours: Neighbours,
    tenants: Arc<Mutex<HashMap<String, Follower>>>,
}

/// The snapshot of one tenant as it moves on.
pub type Follower = watch::Receiver<Arc<Snapshot>>;

impl Followers {
    /// Follows nobody yet.
    pub fn new(neighbours: Neighbours) -> Self {
        Self { neighbours, tenants: Arc::default() }
    }

    /// The follower of a tenant, started when it is the first to ask; none beyond the limit of
    /// tenants.
    pub async fn of(&self, tenant: &str) -> Option<Follower> {
        let mut tenants = self.tenants.lock().await;
        if let Some(follower) = tenants.get(tenant) {
            return Some(follower.clone());
        }
        if tenants.len() >= TENANTS_MAX {
            return None;
        }
        let (sender, receiver) = watch::channel(Arc::new(Snapshot::default()));
        let sender = Arc::new(sender);
        tokio::spawn(follow_catalog(self.neighbours.clone(), tenant.to_owned(), sender.clone()));
        tokio::spawn(follow_policy(self.neighbours.clone(), tenant.to_owned(), sender.clone()));
        tokio::spawn(follow_experiments(self.neighbours.clone(), tenant.to_owned(), sender));
        tenants.insert(tenant.to_owned(), receiver.clone());
        Some(receiver)
    }
}

/// The first snapshot that satisfies `is_enough` within `wait_max`, else the present one and false.
pub async fn wait_for(
    follower: &mut Follower,
    wait_max: Duration,
    is_enough: impl Fn(&Snapshot) -> bool,
) -> (Arc<Snapshot>, bool) {
    let waited =
        tokio::time::timeout(wait_max, follower.wait_for(|snapshot| is_enough(snapshot))).await;
    let found = waited.ok().and_then(Result::ok).map(|snapshot| snapshot.clone());
    match found {
        Some(snapshot) => (snapshot, true),
        None => (follower.borrow().clone(), false),
    }
}

type Sender = Arc<watch::Sender<Arc<Snapshot>>>;

async fn follow_catalog(neighbours: Neighbours, tenant: String, sender: Sender) {
    let mut known = Catalog::default();
    loop {
        let request = catalog::WatchCatalogRequest { after_revision: known.revision };
        let open = neighbours.catalog.watch_catalog(streaming(&tenant, request)).await;
        let pages = open.map(|answer| {
            answer.into_inner().map(|page| page.map(|page| (page.changes, page.head_revision)))
        });
        consume("catalog", pages, &mut known, |known, changes, head| {
            changes.iter().for_each(|change| catalog_client::apply(known, change));
            known.revision = head;
            let part = Some(Arc::new(known.clone()));
            sender.send_modify(|snapshot| {
                *snapshot = Arc::new(Snapshot { catalog: part, ..(**snapshot).clone() })
            });
        })
        .await;
    }
}

async fn follow_policy(neighbours: Neighbours, tenant: String, sender: Sender) {
    let mut known = Policy { timezone: "UTC".to_owned(), ..Policy::default() };
    loop {
        let request = policy::WatchPolicyRequest { after_revision: known.revision };
        let open = neighbours.gate.watch_policy(streaming(&tenant, request)).await;
        let pages = open.map(|answer| {
            answer.into_inner().map(|page| page.map(|page| (page.changes, page.head_revision)))
        });
        consume("policy", pages, &mut known, |known, changes, head| {
            changes.iter().for_each(|change| policy_client::apply(known, change));
            known.revision = head;
            let part = Some(Arc::new(known.clone()));
            sender.send_modify(|snapshot| {
                *snapshot = Arc::new(Snapshot { policy: part, ..(**snapshot).clone() })
            });
        })
        .await;
    }
}

async fn follow_experiments(neighbours: Neighbours, tenant: String, sender: Sender) {
    let mut known = Experiments::default();
    loop {
        let request = experiment::WatchExperimentsRequest { after_revision: known.revision };
        let open = neighbours.experiment.watch_experiments(streaming(&tenant, request)).await;
        let pages = open.map(|answer| {
            answer.into_inner().map(|page| page.map(|page| (page.changes, page.head_revision)))
        });
        consume("experiment", pages, &mut known, |known, changes, head| {
            changes.iter().for_each(|change| experiment_client::apply(known, change));
            known.revision = head;
            let part = Some(Arc::new(known.clone()));
            sender.send_modify(|snapshot| {
                *snapshot = Arc::new(Snapshot { experiment: part, ..(**snapshot).clone() })
            });
        })
        .await;
    }
}

/// Applies pages until the stream ends or breaks, then pauses.
async fn consume<K, S>(
    service: &'static str,
    pages: Result<S, Status>,
    known: &mut K,
    mut apply: impl FnMut(&mut K, &[ConfigurationChange], i64),
) where
    S: Stream<Item = Result<(Vec<ConfigurationChange>, i64), Status>> + Unpin,
{
    match pages {
        Ok(mut pages) => {
            while let Some(page) = pages.next().await {
                match page {
                    Ok((changes, head)) => apply(known, &changes, head),
                    Err(status) => {
                        tracing::warn!(service, code = ?status.code(), "configuration stream broke");
                        break;
                    }
                }
            }
        }
        Err(status) => {
            tracing::debug!(service, code = ?status.code(), "configuration stream refused")
        }
    }
    pause().await;
}

fn pause() -> impl Future<Output = ()> {
    tokio::time::sleep(RETRY_PAUSE)
}

/// A request without a deadline: the stream has no end.
pub(super) fn streaming<T>(tenant: &str, message: T) -> tonic::Request<T> {
    let mut request = metadata::request(tenant, message);
    request.metadata_mut().remove("grpc-timeout");
    request
}
