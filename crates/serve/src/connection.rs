//! Serves one connection to its end.

use std::{net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpStream, time::MissedTickBehavior};
use tower::ServiceExt as _;

use crate::{
    Limits, Shutdown,
    line::{Fate, LOOK, Line},
    opening, window,
};

/// Time for the head of a request over HTTP/1, counted from the end of the answer before.
const HEAD_MAX: Duration = Duration::from_secs(30);

/// Serves `stream` to its end. Requests carry the [`Line`], with the peer if there is one.
pub async fn serve(
    stream: TcpStream,
    peer: Option<IpAddr>,
    service: Router,
    limits: Arc<Limits>,
    shutdown: Shutdown,
) {
    let opened = tokio::select! {
        () = shutdown.cancelled() => return,
        opened = opening::opened(stream) => opened,
    };
    let stream = match opened {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%error, "a connection did not begin"),
    };
    let line = Line::new(peer);
    let named = line.clone();
    let service = service.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(named.clone());
        request
    });
    let builder = builder(&limits);
    let service = TowerToHyperService::new(service);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut ending = pin!(async {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(limits.connection_age) => {}
        }
    });
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_ending = false;
    loop {
        let ends = tokio::select! {
            served = &mut serving => {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection broke off");
                }
                return;
            }
            () = &mut ending, if !is_ending => true,
            _ = look.tick() => match line.fate() {
                Fate::Open => false,
                Fate::Idle => !is_ending,
                Fate::Dead => {
                    metrics::counter!("proffer.connections.stalled").increment(1);
                    return tracing::debug!("a connection was closed: its answers are not read");
                }
            },
        };
        if ends {
            serving.as_mut().graceful_shutdown();
            is_ending = true;
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(usize::try_from(limits.header_bytes_max).unwrap_or(usize::MAX));
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(window::STREAM_BYTES)
        .initial_connection_window_size(window::connection_bytes(limits.streams_max))
        .max_concurrent_streams(limits.streams_max)
        .keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_timeout)
        .max_header_list_size(limits.header_bytes_max)
        .max_pending_accept_reset_streams(20);
    builder
}
