//! A listener with all limits set, health and reflection, and a graceful stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware,
    response::{IntoResponse as _, Response},
};
use tokio::{net::TcpListener, sync::mpsc};
use tonic::service::Routes;

use crate::{
    ConnectionLimits, Limits, Readiness, Shutdown, arrivals::Arrivals, connection, deadline, door,
    ending, health_service::HealthService, lingering::Lingering, metered, method, panicked,
    telemetry::observe::observed,
};

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
        let routes = routes.add_service(HealthService::served(readiness, services));
        if self.has_reflection { reflection(routes, services) } else { Ok(routes) }
    }
}

/// `routes` with server reflection v1 and v1alpha over `services` and health. It also knows the
/// details of errors, so that tools can print them.
pub fn reflection(routes: Routes, services: &[&str]) -> anyhow::Result<Routes> {
    let builder = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proffer_proto::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .include_reflection_service(false)
            .with_service_name("grpc.health.v1.Health");
        services.iter().fold(builder, |builder, service| builder.with_service_name(*service))
    };
    let v1 = builder().build_v1().context("build reflection v1")?;
    let v1alpha = builder().build_v1alpha().context("build reflection v1alpha")?;
    Ok(routes.add_service(v1).add_service(v1alpha))
}

/// `grpc` for gRPC requests and `other` for all others. A REST caller never gets a gRPC answer.
pub fn by_protocol(grpc: Routes, other: Router) -> Routes {
    let grpc = grpc.prepare().into_axum_router();
    let choose = move |request: Request| {
        let chosen = if door::is_grpc(request.headers()) { grpc.clone() } else { other.clone() };
        async move { tower::ServiceExt::oneshot(chosen, request).await }
    };
    Routes::from(Router::new().fallback(choose))
}

/// Refuses an address that other machines can reach, unless `is_accepted`: callers are not
/// authenticated yet.
pub fn check_exposure(listen: SocketAddr, is_accepted: bool) -> anyhow::Result<()> {
    ensure!(
        is_accepted || listen.ip().to_canonical().is_loopback(),
        "--listen {listen} may be reached from other machines, and Proffer does not authenticate \
         callers yet: anyone who reaches it reads and changes every customer's data. Listen on \
         127.0.0.1, or pass --insecure-no-auth (PROFFER_INSECURE_NO_AUTH=true) if a proxy or a \
         private network keeps others away"
    );
    Ok(())
}

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    limits: Limits,
    is_observed: bool,
}

impl Listener {
    /// Binds `address`; port 0 picks a free one.
    pub async fn bind(address: SocketAddr, limits: Limits) -> anyhow::Result<Self> {
        let socket = TcpListener::bind(address).await;
        let socket = socket.with_context(|| format!("cannot listen on {address}"))?;
        Ok(Self { socket, limits, is_observed: true })
    }

    /// The same for an address that this flag sets: the error names the flag.
    pub async fn bind_for(flag: &str, address: SocketAddr, limits: Limits) -> anyhow::Result<Self> {
        let bound = Self::bind(address, limits).await;
        bound.map_err(|error| anyhow::anyhow!("{error:#}; choose another address with {flag}"))
    }

    /// The same without metrics and log lines of its calls, for an admin address. It has
    /// connections of its own, so that it answers while all others are taken.
    pub fn unobserved(self) -> Self {
        let limits = Limits { connections: ConnectionLimits::admin(), ..self.limits };
        Self { is_observed: false, limits, ..self }
    }

    /// The bound address.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Serves HTTP/2 and HTTP/1.1 until `shutdown`. Then streams end, and requests in flight may
    /// finish within the drain timeout.
    pub async fn serve(self, routes: Routes, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { socket, limits, is_observed } = self;
        let limits = Arc::new(limits);
        let stop = shutdown.clone();
        let ending = move |request: Request, next: middleware::Next| {
            ending::with_the_process(stop.clone(), request, next)
        };
        let service = routes.prepare().into_axum_router().layer(middleware::from_fn(ending));
        let service = match is_observed {
            true => prepared(service, &limits, shutdown.clone()),
            false => service,
        };
        let bytes = limits.bytes.clone();
        let counting = move |request: Request, next: middleware::Next| {
            metered::counted(bytes.clone(), request, next)
        };
        let service = service.layer(middleware::from_fn(counting)).with_state(());
        let mut arrivals = Arrivals::new(limits.connections);
        // Each connection holds a sender; the last one to end closes the channel.
        let (open, mut closed) = mpsc::channel::<()>(1);
        loop {
            let (stream, address, place) = tokio::select! {
                () = shutdown.cancelled() => break,
                arrived = arrivals.next(&socket) => arrived,
            };
            let peer = limits.is_public.then(|| address.ip().to_canonical());
            let (service, limits) = (service.clone(), Arc::clone(&limits));
            let (shutdown, open) = (shutdown.clone(), open.clone());
            tokio::spawn(async move {
                connection::serve(stream, peer, service, limits, shutdown).await;
                drop((open, place));
            });
        }
        drop((socket, open));
        if tokio::time::timeout(limits.drain_timeout, closed.recv()).await.is_err() {
            tracing::warn!("requests were still running when the drain timeout ended");
        }
        Ok(())
    }
}

/// The routes with the limits that apply to each request.
fn prepared(routes: Router, limits: &Limits, shutdown: Shutdown) -> Router {
    let (timeout, tenants) = (limits.request_timeout, limits.tenants.clone());
    let around = move |mut request: Request, next: middleware::Next| {
        request.extensions_mut().insert(shutdown.clone());
        let request = match request.version() {
            http::Version::HTTP_2 => request,
            _ => lingering(request),
        };
        let method =
            door::is_grpc(request.headers()).then(|| method::at(request.uri().path())).flatten();
        let limit = deadline::of(request.headers(), method, timeout);
        let tenants = tenants.clone();
        observed(request, method, limit, tenants, move |request| answered(limit, request, next))
    };
    routes.layer(middleware::from_fn(around)).with_state(())
}

/// The answer within a limit; INTERNAL when a handler panics.
async fn answered(limit: Option<Duration>, request: Request, next: middleware::Next) -> Response {
    let is_grpc = door::is_grpc(request.headers());
    match panicked::caught(deadline::within(limit, request, next)).await {
        Ok(response) => response,
        Err(status) if is_grpc => status.into_http::<Body>().into_response(),
        Err(_) => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The request with its body read on after an early answer.
fn lingering(request: Request) -> Request {
    let waits_to_be_asked = request.headers().contains_key(http::header::EXPECT);
    request.map(|body| Body::new(Lingering::new(body).when_asked(waits_to_be_asked)))
}

#[cfg(test)]
mod tests {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    /// A call over gRPC, or with `is_grpc` false over plain HTTP/2; status and `grpc-status`.
    async fn status_of(address: SocketAddr, is_grpc: bool) -> (u16, String) {
        let stream = TcpStream::connect(address).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        let request = http::Request::post(format!("http://{address}/some.Service/Panic"));
        let kind = if is_grpc { "application/grpc" } else { "text/plain" };
        let request = request.header("content-type", kind).body(Body::empty()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let status = response.headers().get("grpc-status");
        let status = status.map_or("", |value| value.to_str().unwrap()).to_owned();
        (response.status().as_u16(), status)
    }

    #[tokio::test]
    #[allow(clippy::panic)]
    async fn a_handler_that_panics_answers_internal_and_the_process_goes_on() {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await;
        let listener = listener.unwrap();
        let address = listener.address().unwrap();
        let panicking = || async {
            assert!(Limits::default().streams_max == 0, "a fault");
        };
        let routes = Routes::from(Router::new().fallback(panicking));
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(listener.serve(routes, shutdown.clone()));
        for _ in 0..3 {
            assert_eq!(status_of(address, true).await, (200, "13".to_owned()));
            assert_eq!(status_of(address, false).await, (500, String::new()));
        }
        shutdown.cancel();
        serving.await.unwrap().unwrap();
    }

    /// Bytes that come back for `request`; none when the connection was closed at once.
    async fn answer_to(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut text = String::new();
        drop(stream.write_all(request.as_bytes()).await);
        drop(stream.read_to_string(&mut text).await);
        text
    }

    #[tokio::test]
    async fn the_admin_address_answers_while_all_other_connections_are_taken() {
        let connections = ConnectionLimits { all: 1, per_peer: 1 };
        let limits = Limits { connections, ..Limits::default() };
        let bind = async || Listener::bind(([127, 0, 0, 1], 0).into(), limits.clone()).await;
        let (public, admin) = (bind().await.unwrap(), bind().await.unwrap().unobserved());
        let (address, admin_address) = (public.address().unwrap(), admin.address().unwrap());
        let routes = || Routes::from(Router::new().fallback(async || "here"));
        let shutdown = Shutdown::new();
        let serving = tokio::spawn(public.serve(routes(), shutdown.clone()));
        let serving_admin = tokio::spawn(admin.serve(routes(), shutdown.clone()));
        const ASK: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let silent = TcpStream::connect(address).await.unwrap();
        assert_eq!(answer_to(address, ASK).await, "");
        assert!(answer_to(admin_address, ASK).await.ends_with("here"));
        drop(silent);
        while !answer_to(address, ASK).await.ends_with("here") {}
        shutdown.cancel();
        serving.await.unwrap().unwrap();
        serving_admin.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_head_of_http1_has_a_limit_as_one_of_http2_has() {
        let limits = Limits::default();
        let bytes_max = limits.header_bytes_max as usize;
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap();
        let (address, shutdown) = (listener.address().unwrap(), Shutdown::new());
        let routes = Routes::from(Router::new().fallback(async || "here"));
        let serving = tokio::spawn(listener.serve(routes, shutdown.clone()));
        let head = |bytes: usize| {
            let begin = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nx: ";
            format!("{begin}{}\r\n\r\n", "x".repeat(bytes - begin.len() - 4))
        };
        assert!(answer_to(address, &head(bytes_max - 1)).await.ends_with("here"));
        assert!(answer_to(address, &head(bytes_max + 1)).await.starts_with("HTTP/1.1 431"));
        shutdown.cancel();
        serving.await.unwrap().unwrap();
    }

    #[test]
    fn an_address_that_others_reach_needs_a_word_of_the_operator() {
        let check = |address: &str, expected: bool| {
            let address = address.parse().unwrap();
            assert_eq!(check_exposure(address, false).is_ok(), expected, "{address}");
            assert!(check_exposure(address, true).is_ok());
        };
        for own in ["127.0.0.1:8080", "127.9.9.9:1", "[::1]:8080", "[::ffff:127.0.0.1]:80"] {
            check(own, true);
        }
        for public in
            ["0.0.0.0:8080", "[::]:8080", "10.0.0.7:80", "[::ffff:10.0.0.7]:80", "[fe80::1]:80"]
        {
            check(public, false);
        }
        let refused = check_exposure("0.0.0.0:8080".parse().unwrap(), false).unwrap_err();
        for part in ["0.0.0.0:8080", "does not authenticate", "--insecure-no-auth", "127.0.0.1"] {
            assert!(refused.to_string().contains(part), "{refused}");
        }
    }
}
