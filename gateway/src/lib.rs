//! The gateway: gRPC and REST on one port, in front of the four services. No state, no rules.
//!
//! The REST calls, their paths and their JSON come from the descriptors of the contracts.
//! [`route_table`] holds every call, [`json`] converts messages, [`rest`] serves a call and
//! [`problem`] forms errors. [`grpc_door`] forwards gRPC unchanged. A new RPC needs no code here.

pub mod config;
mod grpc_door;
mod json;
pub mod neighbours;
mod origin;
mod path_template;
mod problem;
mod query;
mod rest;
mod route_table;

use std::sync::{Arc, LazyLock};

use anyhow::Context as _;
use axum::{Router, body::Body, extract::State};
use http::{Request, Response};
use proffer_proto::json::annotation;
use tonic::service::Routes;

pub use config::{Config, DoorSettings, Settings};
pub use neighbours::Neighbours;

use crate::{origin::Origins, rest::Rest, route_table::RouteTable};

/// Full names of the public services.
static SERVICE_NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    // INVARIANT: contracts without a plan fail `Gateway::build`, which reports the reason.
    RouteTable::build(&proffer_proto::POOL)
        .map(|table| table.services().into_iter().collect())
        .unwrap_or_default()
});
static SERVICES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| SERVICE_NAMES.iter().map(String::as_str).collect());

/// The gateway.
pub struct Gateway {
    doors: Router,
    whole: Router,
}

impl Gateway {
    /// Plans every public call of the contracts. Binds and spawns nothing.
    pub fn build(config: Config, neighbours: Neighbours) -> anyhow::Result<Self> {
        let table = RouteTable::build(&proffer_proto::POOL).context("plan the REST calls")?;
        let hosts = serve::Hosts::new(config.allowed_hosts);
        let origins = Origins::new(config.allowed_origins, hosts);
        let admission = serve::Admission::new(&config.admission);
        let index = rest::index::of(&proffer_proto::POOL).context("list the REST calls")?;
        let rest = Rest { table, index, neighbours, origins, deadline: config.deadline, admission };
        let doors = Router::new().fallback(answer).with_state(Arc::new(rest));
        // Health reports that it answers; the admin listener reports readiness.
        let (_, health) = tonic_health::server::health_reporter();
        let whole = Routes::from(doors.clone()).add_service(health);
        let whole =
            if config.has_reflection { serve::reflection(whole, Self::services())? } else { whole };
        let whole = serve::by_protocol(whole, doors.clone());
        Ok(Self { doors, whole: whole.into_axum_router() })
    }

    /// Full names of the public services.
    pub fn services() -> &'static [&'static str] {
        &SERVICES
    }

    /// Everything on one port: REST, gRPC, health and reflection.
    pub fn router(&self) -> Router {
        self.whole.clone()
    }

    /// REST and gRPC alone, for a process that adds health and reflection itself.
    pub fn doors(&self) -> Router {
        self.doors.clone()
    }
}

async fn answer(State(doors): State<Arc<Rest>>, request: Request<Body>) -> Response<Body> {
    if serve::is_grpc(request.headers()) {
        grpc_door::forward(&doors, request).await
    } else {
        doors.answer(request).await
    }
}
