//! The services: parse, call, convert.

pub mod answer;
pub mod decision;
pub mod decision_flow;
pub mod explain;
pub mod facts;
pub mod flow_config;
pub mod flow_parts;
pub mod model;
pub mod outcome;
pub mod outcome_of;
pub mod reason_code;
pub mod recommend;
pub mod recommend_batch;
pub mod record;
pub mod replay;
pub mod weight_profile;

use std::time::Duration;

use chrono::{DateTime, Utc};
use history::{AtHead, Collection, History, ServiceContext};
use proffer_proto::decision::v1::{DecisionFlow, Model, WeightProfile};
use serve::Clock;

use self::flow_parts::WholeFlow;
use crate::{
    compiled_flows::{CompiledFlows, PastFlows},
    neighbours::{Neighbours, follow::Followers, past::PastCatalogs},
    receipt::Receipts,
    store::Store,
};

/// What every service here works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Decisions, outcomes, outbox.
    pub store: Store,
    /// Flows.
    pub flows: Collection<DecisionFlow>,
    /// Weight profiles.
    pub weight_profiles: Collection<WeightProfile>,
    /// Models.
    pub models: Collection<Model>,
    /// The log these are in.
    pub history: History,
    /// Snapshots.
    pub followers: Followers,
    /// The other services.
    pub neighbours: Neighbours,
    /// The time.
    pub clock: Clock,
    /// Outcomes on their way into the store.
    pub receipts: Receipts,
    /// How long a decision waits for configuration that it knows to be newer than its own.
    pub snapshot_wait_max: Duration,
    /// Flows with their parts as last read.
    pub whole_flows: AtHead<WholeFlow>,
    /// Flows made ready.
    pub compiled: CompiledFlows,
    /// Flows of the past made ready.
    pub compiled_past: PastFlows,
    /// Catalogues of the past.
    pub past: PastCatalogs,
    /// Rung when there is something to deliver.
    pub bell: std::sync::Arc<tokio::sync::Notify>,
}

impl ServiceContext for Context {
    fn history(&self) -> &History {
        &self.history
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Bytes of a request; bulk reports are larger.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a bulk request.
pub const BULK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An instant from proto; a fault when it is out of range.
pub(crate) fn instant(at: &prost_types::Timestamp) -> Result<DateTime<Utc>, String> {
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let found = nanos.and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos));
    let years = 1..=9999;
    found
        .filter(|at| years.contains(&chrono::Datelike::year(at)))
        .map(|at| serve::from_micros(at.timestamp_micros()))
        .ok_or_else(|| "is not an instant of the years 1 to 9999".to_owned())
}

/// An id nobody has, in order of time: a UUID of version 7 behind `prefix`.
pub(crate) fn new_id(prefix: &str, now: DateTime<Utc>) -> String {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    let timestamp =
        uuid::Timestamp::from_unix(uuid::NoContext, seconds, now.timestamp_subsec_nanos());
    format!("{prefix}_{}", uuid::Uuid::new_v7(timestamp).simple())
}
