//! The log as other services follow it: LogService over a log, and clients of it.

use std::sync::Arc;

use futures::{StreamExt as _, stream::BoxStream};
use proffer_proto::values::v1::{
    ConfigurationChange, WatchLogRequest, WatchLogResponse,
    log_service_client::LogServiceClient,
    log_service_server::{LogService, LogServiceServer},
};
use serve::NeighbourError;
use tonic::{Request, Response, Status, transport::Channel};

use crate::{Heartbeat, History, watch::Page};

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
            let Page { changes: mut found, head, is_current } = page?;
            let mut changes = std::mem::take(&mut built_in);
            changes.append(&mut found);
            Ok(WatchLogResponse { changes, head_revision: head, is_current })
        });
        Ok(Response::new(pages.boxed()))
    }
}

/// A client of the log of a service in another process.
struct Remote(LogServiceClient<Channel>);

#[tonic::async_trait]
impl LogService for Remote {
    type WatchLogStream = LogPages;

    async fn watch_log(
        &self,
        request: Request<WatchLogRequest>,
    ) -> Result<Response<LogPages>, Status> {
        Ok(self.0.clone().watch_log(request).await?.map(|pages| pages.boxed()))
    }
}

/// The log of the service at `url`, for example `http://catalog:7101`. Nothing is sent until the
/// first call.
pub fn remote_log(url: &str) -> Result<Arc<Log>, NeighbourError> {
    let client = LogServiceClient::new(serve::channel(url)?);
    Ok(Arc::new(Remote(client.max_decoding_message_size(ANSWER_BYTES_MAX))))
}
