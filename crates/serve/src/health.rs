//! The readiness flag of a process, and the routes of its admin address.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{Router, http::StatusCode, routing::get};

use crate::telemetry;

/// Shared flag: ready for work or not. Not ready at first.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether work may come.
    pub fn set(&self, is_ready: bool) {
        self.0.store(is_ready, Ordering::SeqCst);
    }

    /// True when work may come.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The admin listener's routes: `/livez` answers 200 while the process runs, `/readyz` 200 or 503,
/// `/metrics` the process's figures in Prometheus' text format.
pub fn admin(readiness: Readiness) -> Router {
    let ready = move || {
        let readiness = readiness.clone();
        async move {
            if readiness.is_ready() {
                (StatusCode::OK, "ready\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
            }
        }
    };
    Router::new()
        .route("/livez", get(|| async { "live\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|| async { telemetry::figures() }))
}
