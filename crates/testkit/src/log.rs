//! The log of a neighbor, kept in memory.

use std::sync::{Arc, Mutex};

use futures::{StreamExt as _, stream::BoxStream};
use proffer_proto::values::v1::{
    ConfigurationChange, ReadHistoryRequest, ReadHistoryResponse, VerifyRequest, VerifyResponse,
    WatchLogRequest, WatchLogResponse, log_service_server::LogService,
};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

type Pages = BoxStream<'static, Result<WatchLogResponse, Status>>;

/// A log that a test writes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct WrittenLog {
    changes: Arc<Mutex<Vec<ConfigurationChange>>>,
    bell: watch::Sender<()>,
}

impl Default for WrittenLog {
    fn default() -> Self {
        Self { changes: Arc::default(), bell: watch::channel(()).0 }
    }
}

impl WrittenLog {
    /// The log with these resources: kind, id and name of each.
    pub fn of(resources: &[(&str, &str, &str)]) -> Self {
        let log = Self::default();
        for (kind, id, name) in resources {
            log.write(kind, id, name, Vec::new());
        }
        log
    }

    /// Writes a resource.
    pub fn write(&self, kind: &str, id: &str, name: &str, resource: Vec<u8>) {
        self.append(ConfigurationChange {
            kind: kind.to_owned(),
            id: id.to_owned(),
            name: name.to_owned(),
            resource,
            ..ConfigurationChange::default()
        });
    }

    /// Deletes a resource.
    pub fn delete(&self, kind: &str, id: &str) {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.append(ConfigurationChange { kind, id, deleted: true, ..Default::default() });
    }

    fn append(&self, change: ConfigurationChange) {
        let mut changes = self.changes.lock().expect("no test panics while it writes");
        let revision = changes.len() as i64 + 1;
        changes.push(ConfigurationChange { revision, ..change });
        drop(changes);
        self.bell.send_replace(());
    }

    fn page(&self, after: i64) -> WatchLogResponse {
        let changes = self.changes.lock().expect("no test panics while it writes");
        let newer = changes.iter().filter(|change| change.revision > after).cloned().collect();
        let head_revision = changes.len() as i64;
        WatchLogResponse { changes: newer, head_revision, is_current: true }
    }
}

#[tonic::async_trait]
impl LogService for WrittenLog {
    type WatchLogStream = Pages;

    async fn watch_log(
        &self,
        request: Request<WatchLogRequest>,
    ) -> Result<Response<Pages>, Status> {
        let after = request.get_ref().after_revision;
        let state = (self.clone(), self.bell.subscribe(), after, true);
        let pages = futures::stream::unfold(state, async |(log, mut bell, after, is_first)| {
            if !is_first {
                bell.changed().await.ok()?;
            }
            let page = log.page(after);
            let head = page.head_revision;
            Some((Ok(page), (log, bell, head, false)))
        });
        Ok(Response::new(pages.boxed()))
    }

    async fn read_history(
        &self,
        _request: Request<ReadHistoryRequest>,
    ) -> Result<Response<ReadHistoryResponse>, Status> {
        Err(Status::unavailable("a written log has no entries, only changes"))
    }

    async fn verify(
        &self,
        _request: Request<VerifyRequest>,
    ) -> Result<Response<VerifyResponse>, Status> {
        Err(Status::unavailable("a written log has no entries, only changes"))
    }
}
