//! Follows the neighbours' configuration and keeps one immutable snapshot per tenant.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt as _};
use proffer_proto::{
    catalog::v1 as catalog, experiment::v1 as experiment, policy::v1 as policy,
    values::v1::ConfigurationChange,
};
use serve::{Clock, Readiness, Recent, Stopwatch, metadata};
use tokio::{sync::watch, task::JoinSet};
use tonic::Status;

use super::{
    Neighbours, catalog as catalog_client, experiment as experiment_client, policy as policy_client,
};
use crate::domain::snapshot::{Catalog, Experiments, Policy, Snapshot};

/// Tenants followed by one process. Beyond, the one that was asked for least recently is evicted,
/// and followed again when it is asked for the next time.
pub const TENANTS_MAX: usize = 256;
/// How long a report waits for an outcome type that was just created, and a decision for the first
/// snapshot of all.
pub const SNAPSHOT_WAIT_MAX: Duration = Duration::from_millis(250);
/// What a process lacks that has no configuration of a neighbor yet.
const NO_CATALOG: &str = "no configuration of catalog-svc yet";
const NO_POLICY: &str = "no configuration of policy-svc yet";
const NO_EXPERIMENT: &str = "no configuration of experiment-svc yet";
/// Pause before a broken stream is opened again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The snapshots by tenant. Cheap to clone.
#[derive(Clone)]
pub struct Followers {
    neighbours: Neighbours,
    clock: Clock,
    tenants: Arc<Mutex<Recent<String, Following>>>,
}

/// Says that a process lacks the configuration of every neighbor.
pub fn lacks_all(readiness: &Readiness) {
    [NO_CATALOG, NO_POLICY, NO_EXPERIMENT].iter().for_each(|lack| readiness.needs(lack, false));
}

/// When a service last confirmed what is known of its configuration.
#[derive(Clone)]
struct Confirmed(Arc<Mutex<Confirmation>>);

struct Confirmation {
    since: Stopwatch,
    /// True while its stream is open. Without heartbeats that is all that can be known.
    is_open: bool,
}

impl Confirmed {
    fn never(clock: &Clock) -> Self {
        let confirmation = Confirmation { since: clock.stopwatch(), is_open: false };
        Self(Arc::new(Mutex::new(confirmation)))
    }

    fn at(&self, since: Stopwatch, is_open: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Confirmation { since, is_open };
    }

    /// Runs since the last message.
    fn heard(&self) -> Stopwatch {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).since
    }

    /// Time since the stream broke; none while it is open.
    fn age(&self) -> Duration {
        let confirmation = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if confirmation.is_open { Duration::ZERO } else { confirmation.since.elapsed() }
    }
}

/// When each service last confirmed what is known of a tenant.
#[derive(Clone)]
struct AllConfirmed {
    catalog: Confirmed,
    policy: Confirmed,
    experiment: Confirmed,
}

/// The snapshot of one tenant as it moves on. It moves no more once the tenant is evicted.
pub type Follower = watch::Receiver<Arc<Snapshot>>;

/// A tenant's snapshot and the tasks that move it on; they end when it is dropped.
struct Following {
    follower: Follower,
    confirmed: AllConfirmed,
    _tasks: JoinSet<()>,
}

impl Followers {
    /// Follows no tenant yet.
    pub fn new(neighbours: Neighbours, clock: Clock) -> Self {
        Self { neighbours, clock, tenants: Arc::new(Mutex::new(Recent::new(TENANTS_MAX))) }
    }

    /// The follower of a tenant, started when it is not followed.
    pub fn of(&self, tenant: &str) -> Follower {
        self.following(tenant, |following| following.follower.clone())
    }

    /// The snapshot of a tenant that is followed.
    pub fn known(&self, tenant: &str) -> Option<Arc<Snapshot>> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.get(tenant).map(|following| following.follower.borrow().clone())
    }

    /// Runs since experiment-svc last sent something about a tenant. A snapshot that is taken
    /// afterwards has it.
    pub fn experiments_heard(&self, tenant: &str) -> Stopwatch {
        self.following(tenant, |following| following.confirmed.experiment.heard())
    }

    /// The age of the configuration of each service: of the tenant for whom it is oldest.
    pub fn snapshot_ages(&self) -> [(&'static str, Duration); 3] {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = |age: fn(&AllConfirmed) -> Duration| {
            let ages = tenants.iter().map(|(_, following)| age(&following.confirmed));
            ages.max().unwrap_or_default()
        };
        [
            ("catalog", oldest(|all| all.catalog.age())),
            ("policy", oldest(|all| all.policy.age())),
            ("experiment", oldest(|all| all.experiment.heard().elapsed())),
        ]
    }

    fn following<T>(&self, tenant: &str, read: impl Fn(&Following) -> T) -> T {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(following) = tenants.get(tenant) {
            return read(following);
        }
        let following = Following::start(&self.neighbours, tenant, &self.clock);
        let found = read(&following);
        tenants.insert(tenant.to_owned(), following);
        found
    }

    /// Takes from what `readiness` lacks, as each neighbor sends its first configuration of a
    /// tenant; returns when all have.
    pub async fn first_snapshot(&self, tenant: &str, readiness: &Readiness) {
        loop {
            let mut follower = self.of(tenant);
            loop {
                let snapshot = follower.borrow_and_update().clone();
                let Snapshot { catalog, policy, experiment, .. } = &*snapshot;
                readiness.needs(NO_CATALOG, catalog.is_some());
                readiness.needs(NO_POLICY, policy.is_some());
                readiness.needs(NO_EXPERIMENT, experiment.is_some());
                if snapshot.is_complete() {
                    return;
                }
                // The tenant is followed again when it was evicted in the meantime.
                if follower.changed().await.is_err() {
                    break;
                }
            }
        }
    }
}

impl Following {
    fn start(neighbours: &Neighbours, tenant: &str, clock: &Clock) -> Self {
        let never = || Confirmed::never(clock);
        let confirmed = AllConfirmed { catalog: never(), policy: never(), experiment: never() };
        let (sender, follower) = watch::channel(Arc::new(Snapshot::default()));
        let sender = Arc::new(sender);
        let arguments = || (neighbours.clone(), tenant.to_owned(), sender.clone());
        let mut tasks = JoinSet::new();
        let AllConfirmed { catalog, policy, experiment } = confirmed.clone();
        tasks.spawn(follow_catalog(arguments(), (catalog, clock.clone())));
        tasks.spawn(follow_policy(arguments(), (policy, clock.clone())));
        tasks.spawn(follow_experiments(arguments(), (experiment, clock.clone())));
        Self { follower, confirmed, _tasks: tasks }
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

/// The neighbours, the tenant, and where its snapshot goes.
type Arguments = (Neighbours, String, Arc<watch::Sender<Arc<Snapshot>>>);

async fn follow_catalog((neighbours, tenant, sender): Arguments, confirmed: (Confirmed, Clock)) {
    let mut known = Catalog::default();
    loop {
        let request = catalog::WatchCatalogRequest { after_revision: known.revision };
        let open = neighbours.catalog.watch_catalog(streaming(&tenant, request)).await;
        let pages = open.map(|answer| {
            answer.into_inner().map(|page| page.map(|page| (page.changes, page.head_revision)))
        });
        consume("catalog", &confirmed, pages, &mut known, |known, changes, head| {
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

async fn follow_policy((neighbours, tenant, sender): Arguments, confirmed: (Confirmed, Clock)) {
    let mut known = Policy { timezone: "UTC".to_owned(), ..Policy::default() };
    loop {
        let request = policy::WatchPolicyRequest { after_revision: known.revision };
        let open = neighbours.gate.watch_policy(streaming(&tenant, request)).await;
        let pages = open.map(|answer| {
            answer.into_inner().map(|page| page.map(|page| (page.changes, page.head_revision)))
        });
        consume("policy", &confirmed, pages, &mut known, |known, changes, head| {
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

async fn follow_experiments(
    (neighbours, tenant, sender): Arguments,
    confirmed: (Confirmed, Clock),
) {
    let mut is_first = true;
    let mut known = Experiments::default();
    loop {
        let request = experiment::WatchExperimentsRequest { after_revision: known.revision };
        let open = neighbours.experiment.watch_experiments(streaming(&tenant, request)).await;
        let pages = open.map(|answer| {
            answer.into_inner().map(|page| page.map(|page| (page.changes, page.head_revision)))
        });
        consume("experiment", &confirmed, pages, &mut known, |known, changes, head| {
            let is_heartbeat = changes.is_empty() && known.revision == head;
            if is_heartbeat && !std::mem::take(&mut is_first) {
                return;
            }
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
    (confirmed, clock): &(Confirmed, Clock),
    pages: Result<S, Status>,
    known: &mut K,
    mut apply: impl FnMut(&mut K, &[ConfigurationChange], i64),
) where
    S: Stream<Item = Result<(Vec<ConfigurationChange>, i64), Status>> + Unpin,
{
    match pages {
        Ok(mut pages) => {
            let mut was_open = false;
            while let Some(page) = pages.next().await {
                match page {
                    Ok((changes, head)) => {
                        was_open = true;
                        let heard = clock.stopwatch();
                        apply(known, &changes, head);
                        // Only now: a decision that reads it has the changes.
                        confirmed.at(heard, true);
                    }
                    Err(status) => {
                        tracing::warn!(service, code = ?status.code(), "configuration stream \
                                                                        broke");
                        break;
                    }
                }
            }
            if was_open {
                confirmed.at(clock.stopwatch(), false);
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
