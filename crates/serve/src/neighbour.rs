//! Another service behind one type, in this process or over the network.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use tonic::{
    body::Body,
    service::Routes,
    transport::{Channel, Endpoint},
};
use tower::Service;
use tracing::Instrument as _;

use crate::{call, telemetry::trace, window};

/// Timeout of a connection attempt; beyond it the call fails as unavailable.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Deadline of a call that has none.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Another service: its own routes called in process, or a channel to it. Requests and answers are
/// HTTP in both cases, so code that forwards them does not depend on where the service runs.
#[derive(Clone, Debug)]
pub enum Neighbour {
    /// The service runs in this process; no socket is involved.
    Local(Routes),
    /// The service is reached over HTTP/2; connects lazily and again after a failure.
    Remote(Channel),
}

/// Why a neighbour cannot be called at all.
#[derive(Debug, thiserror::Error)]
#[error("neighbour URL `{url}` is not valid: {reason}; write it as http://host:port")]
pub struct NeighbourError {
    url: String,
    reason: String,
}

impl Neighbour {
    /// A service of this process.
    pub fn local(routes: Routes) -> Self {
        Self::Local(routes.prepare())
    }

    /// A service at `url`, for example `http://catalog:7101`. Nothing is sent until the first call.
    pub fn remote(url: &str) -> Result<Self, NeighbourError> {
        channel(url).map(Self::Remote)
    }
}

/// A channel to the service at `url`, for example `http://catalog:7101`. Nothing is sent until the
/// first call.
pub fn channel(url: &str) -> Result<Channel, NeighbourError> {
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|error| NeighbourError { url: url.to_owned(), reason: error.to_string() })?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .initial_stream_window_size(window::STREAM_BYTES)
        .initial_connection_window_size(window::connection_bytes(window::STREAMS_MAX))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true);
    Ok(endpoint.connect_lazy())
}

impl Service<http::Request<Body>> for Neighbour {
    type Response = http::Response<Body>;
    type Error = tonic::transport::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Self::Local(_) => Poll::Ready(Ok(())),
            Self::Remote(channel) => channel.poll_ready(context),
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
            Self::Remote(channel) => Box::pin(channel.call(request).instrument(span)),
        }
    }
}
