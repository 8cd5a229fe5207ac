//! Another service behind one type, in this process or over the network.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use tonic::{body::Body, service::Routes};
use tower::{BoxError, Service};
use tracing::Instrument as _;

use crate::{NeighbourError, Replicas, call, telemetry::trace};

/// Deadline of a call that has none.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Another service: its own routes called in process, or its replicas. Requests and answers are
/// HTTP in both cases, so code that forwards them does not depend on where the service runs.
#[derive(Clone, Debug)]
pub enum Neighbour {
    /// The service runs in this process; no socket is involved.
    Local(Routes),
    /// The service is reached over HTTP/2; connects lazily and again after a failure.
    Remote(Replicas),
}

impl Neighbour {
    /// A service of this process.
    pub fn local(routes: Routes) -> Self {
        Self::Local(routes.prepare())
    }

    /// A service at `url`, for example `http://catalog:7101`, or at several separated by commas.
    /// Nothing is sent until the first call.
    pub fn remote(url: &str) -> Result<Self, NeighbourError> {
        Replicas::new(url).map(Self::Remote)
    }
}

impl Service<http::Request<Body>> for Neighbour {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Self::Local(_) => Poll::Ready(Ok(())),
            Self::Remote(replicas) => replicas.poll_ready(context),
        }
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let span = trace::outgoing(request.uri().path().trim_start_matches('/'));
        span.in_scope(|| call::label_headers(request.headers_mut()));
        match self {
            Self::Local(routes) => {
                let call = routes.call(request);
                let answer = async move { Ok(call.await.unwrap_or_else(|never| match never {})) };
                Box::pin(answer.instrument(span))
            }
            Self::Remote(replicas) => Box::pin(replicas.call(request).instrument(span)),
        }
    }
}
