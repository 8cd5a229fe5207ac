//! The gateway: gRPC and REST on one port, in front of the four services. No state, no rules.
//!
//! The REST calls, their paths and their JSON come from the descriptors of the contracts.
//! [`route_table`] holds every call, [`json`] converts messages, [`rest`] serves a call and
//! [`problem`] forms errors. [`grpc_door`] forwards gRPC unchanged. A new RPC needs no code here.

mod ask;
pub mod config;
mod grpc_door;
mod json;
pub mod neighbours;
mod origin;
mod part_turns;
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
use serve::{Readiness, Surface};
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
    has_reflection: bool,
}

impl Gateway {
    /// Plans every public call of the contracts. Binds and spawns nothing.
    pub fn build(config: Config, neighbours: Neighbours) -> anyhow::Result<Self> {
        let table = RouteTable::build(&proffer_proto::POOL).context("plan the REST calls")?;
        let hosts = config.hosts();
        let origins = Origins::new(config.allowed_origins, hosts);
        let admission = serve::Admission::new(&config.admission);
        let index = rest::index::of(&proffer_proto::POOL).context("list the REST calls")?;
        let table = Arc::new(table);
        let rest = Rest { table, index, neighbours, origins, deadline: config.deadline, admission };
        let doors = Router::new().fallback(answer).with_state(Arc::new(rest));
        Ok(Self { doors, has_reflection: config.has_reflection })
    }

    /// Full names of the public services.
    pub fn services() -> &'static [&'static str] {
        &SERVICES
    }

    /// Everything on one port: REST, gRPC, the health of a process with this readiness, and
    /// reflection.
    pub fn router(&self, readiness: &Readiness) -> anyhow::Result<Router> {
        let surface = Surface { has_reflection: self.has_reflection };
        let doors = Routes::from(self.doors.clone());
        let whole = surface.around(doors, readiness, Self::services())?;
        Ok(serve::by_protocol(whole, self.doors.clone()).into_axum_router())
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
