//! The logs of the fakes, which names are looked up in.

use std::sync::Arc;

use decision_svc::names::Logs;
use futures::{StreamExt as _, stream};
use proffer_proto::values::v1::{
    self as proto, ConfigurationChange, log_service_server::LogService,
};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::neighbours::Fakes;

/// The log of one neighbour.
struct FakeLog(watch::Sender<Vec<ConfigurationChange>>);

/// The logs of all of them.
pub fn of(fakes: &Fakes) -> Logs {
    let [catalog, policy, experiment] =
        fakes.logs().map(|log| Arc::new(FakeLog(log)) as Arc<history::Log>);
    Logs { catalog, policy, experiment }
}

#[tonic::async_trait]
impl LogService for FakeLog {
    type WatchLogStream = history::LogPages;

    /// What there is now. Who asks what there is now opens a stream of its own.
    async fn watch_log(
        &self,
        request: Request<proto::WatchLogRequest>,
    ) -> Result<Response<Self::WatchLogStream>, Status> {
        let after = request.into_inner().after_revision;
        let all = self.0.borrow().clone();
        let head_revision = all.len() as i64;
        let changes = all.into_iter().filter(|change| change.revision > after).collect();
        let page = proto::WatchLogResponse { changes, head_revision, is_current: true };
        Ok(Response::new(stream::iter([Ok(page)]).chain(stream::pending()).boxed()))
    }

    async fn read_history(
        &self,
        _: Request<proto::ReadHistoryRequest>,
    ) -> Result<Response<proto::ReadHistoryResponse>, Status> {
        Err(Status::unimplemented("no test reads it"))
    }

    async fn verify(
        &self,
        _: Request<proto::VerifyRequest>,
    ) -> Result<Response<proto::VerifyResponse>, Status> {
        Err(Status::unimplemented("no test checks it"))
    }
}
