//! The log as other services follow it: LogService over a log, and clients of it.

use std::sync::Arc;

use futures::{StreamExt as _, stream::BoxStream};
use proffer_proto::{
    resource::{self, Known},
    values::v1::{
        ConfigurationChange, LoggedEntry, ReadHistoryRequest, ReadHistoryResponse, VerifyRequest,
        VerifyResponse, WatchLogRequest, WatchLogResponse,
        log_service_client::LogServiceClient,
        log_service_server::{LogService, LogServiceServer},
    },
};
use serve::{NeighbourError, Problem, Replicas, metadata};
use tonic::{Request, Response, Status};

use crate::{
    Entry, Heartbeat, History, HistoryError, PAGE_MAX, is_id,
    watch::{ChangePage, change},
};

/// Pages without end.
pub type LogPages = BoxStream<'static, Result<WatchLogResponse, Status>>;
/// The log of a service: the service itself when it runs in this process, else a client of it.
pub type Log = dyn LogService<WatchLogStream = LogPages>;

/// Full name of the service, for reflection.
pub const LOG_SERVICE: &str = "proffer.internal.values.v1.LogService";
/// Bytes of a request.
const REQUEST_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a page.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Serves a log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogServer {
    history: History,
    built_in: fn() -> Vec<ConfigurationChange>,
}

impl LogServer {
    /// Serves this log. `built_in` are resources that every tenant has and that are not in it.
    pub fn new(history: History, built_in: fn() -> Vec<ConfigurationChange>) -> Self {
        Self { history, built_in }
    }

    /// The id of the resource that `named` means: its id, also after it was deleted, else its name.
    async fn id_of(&self, tenant: &str, known: &Known, named: &str) -> Result<String, Status> {
        let kind = known.kind;
        let is_logged =
            is_id(named) && !self.history.past(tenant, kind, named, i64::MAX, 1).await?.is_empty();
        if is_logged {
            return Ok(named.to_owned());
        }
        let not_found = match self.history.named(tenant, kind, named).await {
            Ok(found) => return Ok(found.id),
            Err(error @ HistoryError::NotFound { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        if known.is_single && named == kind {
            return Ok(kind.to_owned());
        }
        let mut built_in = (self.built_in)().into_iter().filter(|change| change.kind == kind);
        let is_meant = |change: &ConfigurationChange| {
            change.id == named || wire::name::is_same(&change.name, named)
        };
        built_in.find(is_meant).map(|change| change.id).ok_or_else(|| not_found.into())
    }

    /// The service with limits on its messages.
    pub fn served(self) -> LogServiceServer<Self> {
        LogServiceServer::new(self)
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX)
    }
}

#[tonic::async_trait]
impl LogService for LogServer {
    type WatchLogStream = LogPages;

    async fn watch_log(
        &self,
        request: Request<WatchLogRequest>,
    ) -> Result<Response<LogPages>, Status> {
        let after = request.get_ref().after_revision;
        let pages = self.history.pages_call(request.metadata(), after, Heartbeat::None)?;
        // A caller that knows nothing yet gets the built-in resources with the first page.
        let mut built_in = if after == 0 { (self.built_in)() } else { Vec::new() };
        let pages = pages.map(move |page| {
            let ChangePage { changes: mut found, head, is_current } = page?;
            let mut changes = std::mem::take(&mut built_in);
            changes.append(&mut found);
            Ok(WatchLogResponse { changes, head_revision: head, is_current })
        });
        Ok(Response::new(pages.boxed()))
    }

    async fn read_history(
        &self,
        request: Request<ReadHistoryRequest>,
    ) -> Result<Response<ReadHistoryResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let ReadHistoryRequest { kind, named, before_revision, limit } = request.into_inner();
        let unknown = || Problem::invalid_field("kind", "is no kind of resource");
        let known = resource::of_kind(&kind).ok_or_else(unknown)?;
        let count = usize::try_from(limit).ok().filter(|_| (1..=PAGE_MAX).contains(&limit));
        let wrong = || Problem::invalid_field("limit", format!("must be 1 to {PAGE_MAX}"));
        let count = count.ok_or_else(wrong)?;
        let before = if before_revision == 0 { i64::MAX } else { before_revision };
        let id = self.id_of(&tenant, known, &named).await?;
        let trail = self.history.trail(&tenant, known.kind, &id, before, count).await?;
        let entries = trail.entries.into_iter().map(logged).collect();
        Ok(Response::new(ReadHistoryResponse { id, entries, before: trail.before.map(logged) }))
    }

    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> Result<Response<VerifyResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let found = self.history.verify(&tenant).await?;
        Ok(Response::new(VerifyResponse {
            entries: found.entries,
            first_bad: found.first_bad,
            fault: found.fault,
            head: found.head,
        }))
    }
}

/// An entry as messages carry it.
fn logged(entry: Entry) -> LoggedEntry {
    let (actor, hash) = (entry.actor.clone(), entry.hash.clone());
    LoggedEntry { change: Some(change(entry)), actor, hash }
}

/// A client of the log of a service in another process.
struct Remote(LogServiceClient<Replicas>);

#[tonic::async_trait]
impl LogService for Remote {
    type WatchLogStream = LogPages;

    async fn watch_log(
        &self,
        request: Request<WatchLogRequest>,
    ) -> Result<Response<LogPages>, Status> {
        Ok(self.0.clone().watch_log(request).await?.map(|pages| pages.boxed()))
    }

    async fn read_history(
        &self,
        request: Request<ReadHistoryRequest>,
    ) -> Result<Response<ReadHistoryResponse>, Status> {
        self.0.clone().read_history(request).await
    }

    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> Result<Response<VerifyResponse>, Status> {
        self.0.clone().verify(request).await
    }
}

/// The log of the service at `url`, for example `http://catalog:7101`, or at several separated by
/// commas. Nothing is sent until the
/// first call.
pub fn remote_log(url: &str) -> Result<Arc<Log>, NeighbourError> {
    let client = LogServiceClient::new(Replicas::new(url)?);
    Ok(Arc::new(Remote(client.max_decoding_message_size(ANSWER_BYTES_MAX))))
}
