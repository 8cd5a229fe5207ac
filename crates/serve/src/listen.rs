//! A listener with all limits set, health and reflection, and a graceful stop.

use std::{future::Future, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};

use crate::Readiness;

/// Cancelled when the process is to stop.
pub type Shutdown = CancellationToken;

/// Limits of a listener. tonic's defaults leave most of them open.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Streams at once on one connection.
    pub streams_max: u32,
    /// Timeout of a request; beyond it the answer is CANCELLED.
    pub request_timeout: Duration,
    /// Largest age of a connection; it then ends, so that load spreads over replicas.
    pub connection_age: Duration,
    /// Interval of keepalive probes on an idle connection.
    pub keepalive_interval: Duration,
    /// Time until a probe without an answer ends the connection.
    pub keepalive_timeout: Duration,
    /// Bytes of headers of a request.
    pub header_bytes_max: u32,
    /// Time that requests in flight get after the stop.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams_max: 200,
            request_timeout: Duration::from_secs(60),
            connection_age: Duration::from_secs(30 * 60),
            keepalive_interval: Duration::from_secs(20),
            keepalive_timeout: Duration::from_secs(10),
            header_bytes_max: 16 * 1024,
            drain_timeout: Duration::from_secs(25),
        }
    }
}

/// What a gRPC server offers besides its own services.
#[derive(Clone, Debug)]
pub struct Surface {
    /// Server reflection, v1 and v1alpha.
    pub has_reflection: bool,
}

impl Surface {
    /// `routes` with health (v1) and, when asked, reflection over `services`.
    pub fn around(
        &self,
        routes: Routes,
        readiness: &Readiness,
        services: &[&str],
    ) -> anyhow::Result<Routes> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let readiness = readiness.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(250));
            loop {
                tick.tick().await;
                let status = if readiness.is_ready() {
                    tonic_health::ServingStatus::Serving
                } else {
                    tonic_health::ServingStatus::NotServing
                };
                reporter.set_service_status("", status).await;
            }
        });
        let routes = routes.add_service(health);
        if self.has_reflection { reflection(routes, services) } else { Ok(routes) }
    }
}

/// `routes` with server reflection v1 and v1alpha over `services`.
pub fn reflection(routes: Routes, services: &[&str]) -> anyhow::Result<Routes> {
    let builder = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proffer_proto::DESCRIPTOR_SET)
            .include_reflection_service(false);
        services.iter().fold(builder, |builder, service| builder.with_service_name(*service))
    };
    let v1 = builder().build_v1().context("build reflection v1")?;
    let v1alpha = builder().build_v1alpha().context("build reflection v1alpha")?;
    Ok(routes.add_service(v1).add_service(v1alpha))
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    limits: Limits,
}

impl Listener {
    /// Binds `address`; port 0 picks a free one.
    pub async fn bind(address: SocketAddr, limits: Limits) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(address).await;
        let socket = socket.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { socket, limits })
    }

    /// The same for an address that this flag sets: the error names the flag.
    pub async fn bind_for(flag: &str, address: SocketAddr, limits: Limits) -> anyhow::Result<Self> {
        let bound = Self::bind(address, limits).await;
        bound.map_err(|error| anyhow::anyhow!("{error:#}; choose another address with {flag}"))
    }

    /// The bound address.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Serves HTTP/2 and HTTP/1.1 until `shutdown`, then lets requests in flight finish within the
    /// drain timeout.
    pub async fn serve(self, routes: Routes, shutdown: Shutdown) -> anyhow::Result<()> {
        let limits = self.limits;
        let serving = Server::builder()
            .accept_http1(true)
            .max_concurrent_streams(limits.streams_max)
            .timeout(limits.request_timeout)
            .max_connection_age(limits.connection_age)
            .http2_keepalive_interval(Some(limits.keepalive_interval))
            .http2_keepalive_timeout(Some(limits.keepalive_timeout))
            .http2_max_header_list_size(limits.header_bytes_max)
            .http2_max_pending_accept_reset_streams(Some(20))
            .add_routes(routes)
            .serve_with_incoming_shutdown(
                connections(self.socket),
                shutdown.clone().cancelled_owned(),
            );
        let overdue = async {
            shutdown.cancelled().await;
            tokio::time::sleep(limits.drain_timeout).await;
        };
        tokio::select! {
            served = serving => served.context("the listener failed"),
            () = overdue => {
                tracing::warn!("requests were still running when the drain timeout ended");
                Ok(())
            }
        }
    }
}

/// Connections without Nagle's algorithm. With it, the second packet of an answer waits until the
/// client acknowledges the first, which may take 40 ms. tonic's setting of the same name applies
/// only to sockets that it binds itself.
fn connections(socket: TcpListener) -> TcpIncoming {
    TcpIncoming::from(socket).with_nodelay(Some(true))
}

/// Cancelled by SIGTERM or SIGINT.
pub fn shutdown_on_signal() -> anyhow::Result<Shutdown> {
    let shutdown = Shutdown::new();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let trigger = shutdown.clone();
    tokio::spawn(async move {
        let interrupted: std::pin::Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(tokio::signal::ctrl_c());
        tokio::select! { _ = terminate.recv() => {}, _ = interrupted => {} }
        trigger.cancel();
    });
    Ok(shutdown)
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn answers_do_not_wait_for_acknowledgements() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (caller, accepted) =
            tokio::join!(TcpStream::connect(address), async { connections(socket).next().await });
        assert!(accepted.unwrap().unwrap().nodelay().unwrap());
        drop(caller);
    }
}
