//! Follows the log of another service: keeps a directory of it by tenant, and asks its owner once
//! before a name is called unknown.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use futures::StreamExt as _;
use proffer_proto::values::v1::{WatchLogRequest, WatchLogResponse};
use serve::{Recent, metadata};
use tokio::{sync::watch, task::JoinSet};
use tonic::{Request, Status};

use crate::{Directory, directory::PartsOf, log_service::Log};

/// Tenants followed at once; the one asked for least recently is evicted.
const TENANTS_MAX: usize = 256;
/// Longest wait for the owner of a log.
pub const ASK_MAX: Duration = Duration::from_millis(250);
/// Pause before a broken stream is opened again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// A log that is followed. Cheap to clone.
#[derive(Clone)]
pub struct Follower(Arc<Shared>);

struct Shared {
    service: &'static str,
    kinds: &'static [&'static str],
    parts_of: PartsOf,
    log: OnceLock<Arc<Log>>,
    tenants: Mutex<Recent<String, Followed>>,
    /// Moves on when any tenant's log brought a new name.
    news: watch::Sender<()>,
}

/// A tenant's directory and the task that moves it on; the task ends when this is dropped.
struct Followed {
    heard: Arc<Mutex<Known>>,
    _task: JoinSet<()>,
}

/// What is known of a log.
struct Known {
    revision: i64,
    directory: Arc<Directory>,
}

/// What a log names, and whether that is all.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The names.
    pub directory: Arc<Directory>,
    /// The revision of the log that they are of.
    pub revision: i64,
    /// True when the owner had nothing newer when it was asked.
    pub is_current: bool,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("service", &self.0.service).finish_non_exhaustive()
    }
}

impl Follower {
    /// Follows the log of `service`, which holds these kinds of resources and parts, once it is
    /// connected.
    pub fn new(service: &'static str, kinds: &'static [&'static str], parts_of: PartsOf) -> Self {
        Self(Arc::new(Shared {
            service,
            kinds,
            parts_of,
            log: OnceLock::new(),
            tenants: Mutex::new(Recent::new(TENANTS_MAX)),
            news: watch::channel(()).0,
        }))
    }

    /// Says where the log is; the first call counts. Until then the owner is away.
    pub fn connect(&self, log: Arc<Log>) {
        drop(self.0.log.set(log));
    }

    /// The log itself, once it is connected.
    pub fn log(&self) -> Option<&Arc<Log>> {
        self.0.log.get()
    }

    /// The service whose log it is.
    pub fn service(&self) -> &'static str {
        self.0.service
    }

    /// True when the log holds resources or parts of this kind.
    pub fn holds(&self, kind: &str) -> bool {
        self.0.kinds.contains(&kind)
    }

    /// Tenants followed now.
    pub fn tenants(&self) -> Vec<String> {
        let tenants = self.0.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.iter().map(|(tenant, _)| tenant.clone()).collect()
    }

    /// Changes whenever a log brought a new name.
    pub fn news(&self) -> watch::Receiver<()> {
        self.0.news.subscribe()
    }

    /// What is known of a tenant's log without asking.
    pub fn known(&self, tenant: &str) -> Arc<Directory> {
        let heard = self.heard(tenant);
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.directory.clone()
    }

    /// What a tenant's log names now. Its owner is asked once, [`ASK_MAX`] at most; when it does
    /// not answer, what was heard last.
    pub async fn now(&self, tenant: &str) -> Heard {
        let heard = self.heard(tenant);
        let asked = tokio::time::timeout(ASK_MAX, self.catch_up(tenant, &heard)).await;
        let is_current = matches!(asked, Ok(Ok(())));
        let known = heard.lock().unwrap_or_else(PoisonError::into_inner);
        Heard { directory: known.directory.clone(), revision: known.revision, is_current }
    }

    /// The state of a tenant, followed from now on.
    fn heard(&self, tenant: &str) -> Arc<Mutex<Known>> {
        let mut tenants = self.0.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(followed) = tenants.get(tenant) {
            return followed.heard.clone();
        }
        let directory = Arc::new(Directory::new(self.0.parts_of));
        let heard = Arc::new(Mutex::new(Known { revision: 0, directory }));
        let mut task = JoinSet::new();
        task.spawn(self.clone().follow(tenant.to_owned(), heard.clone()));
        tenants.insert(tenant.to_owned(), Followed { heard: heard.clone(), _task: task });
        heard
    }

    /// Reads until the log holds nothing newer.
    async fn catch_up(&self, tenant: &str, heard: &Mutex<Known>) -> Result<(), Status> {
        let mut pages = self.open(tenant, heard).await?;
        while let Some(page) = pages.next().await {
            let page = page?;
            self.apply(heard, &page);
            if page.is_current {
                return Ok(());
            }
        }
        Err(Status::unavailable("the log ended"))
    }

    async fn follow(self, tenant: String, heard: Arc<Mutex<Known>>) {
        let service = self.0.service;
        loop {
            match self.open(&tenant, &heard).await {
                Ok(mut pages) => {
                    while let Some(Ok(page)) = pages.next().await {
                        self.apply(&heard, &page);
                    }
                    tracing::debug!(service, "log stream broke");
                }
                Err(status) => tracing::debug!(service, code = ?status.code(), "log not reached"),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn open(&self, tenant: &str, heard: &Mutex<Known>) -> Result<crate::LogPages, Status> {
        let log = self.0.log.get().ok_or_else(|| Status::unavailable("not connected"))?;
        let after_revision = heard.lock().unwrap_or_else(PoisonError::into_inner).revision;
        let request = metadata::request(tenant, WatchLogRequest { after_revision });
        Ok(log.watch_log(endless(request)).await?.into_inner())
    }

    /// Applies what is newer than what is known.
    fn apply(&self, heard: &Mutex<Known>, page: &WatchLogResponse) {
        let mut has_news = false;
        {
            let mut known = heard.lock().unwrap_or_else(PoisonError::into_inner);
            let revision = known.revision;
            // Built-in resources have revision 0.
            let newer = page
                .changes
                .iter()
                .filter(|change| change.revision > revision || change.revision == 0);
            let mut newer = newer.peekable();
            if newer.peek().is_some() {
                let directory = Arc::make_mut(&mut known.directory);
                newer.for_each(|change| has_news |= directory.apply(change));
            }
            known.revision = revision.max(page.head_revision);
        }
        if has_news {
            self.0.news.send_replace(());
        }
    }
}

/// Without a deadline: the stream has no end.
fn endless<T>(mut request: Request<T>) -> Request<T> {
    request.metadata_mut().remove("grpc-timeout");
    request
}
