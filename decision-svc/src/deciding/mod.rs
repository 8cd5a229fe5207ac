//! The use cases, one per file. Everything that decides builds a
//! [`Case`](crate::domain::case::Case) from live data, from a record, or for an instant of the
//! past, and calls [`plan`](crate::domain::plan::plan), by the [`planner`], and
//! [`conclude`](crate::domain::conclude::conclude).
//!
//! | builds a case | use case |
//! |---|---|
//! | [`live`] | [`recommend`], [`explain`] of now |
//! | [`recorded`] | [`replay`], [`candidates`] |
//! | [`as_of`] | [`explain`] of an instant |
//! | none | [`respond`], [`commit`], [`release`] |

pub mod as_of;
pub mod audit;
pub mod batch;
pub mod candidates;
pub mod commit;
pub mod explain;
mod fresh;
pub mod gathered;
pub mod ground;
pub mod judge;
pub mod kept;
pub mod kept_facts;
pub mod kept_online;
pub mod kept_outcome;
pub mod kept_responses;
pub mod live;
pub mod past;
pub mod planner;
pub mod recommend;
pub mod recorded;
pub mod release;
pub mod replay;
pub mod respond;
pub mod undelivered;
pub mod whole_flow;
pub mod write;

use chrono::{DateTime, Utc};

/// Names the rules by which decisions are made; changes when the same facts may decide otherwise.
pub const ENGINE: &str = concat!("proffer-", env!("CARGO_PKG_VERSION"));

/// A new id, ordered by time: a UUID of version 7 behind `prefix`.
pub(crate) fn new_id(prefix: &str, now: DateTime<Utc>) -> String {
    let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
    let timestamp =
        uuid::Timestamp::from_unix(uuid::NoContext, seconds, now.timestamp_subsec_nanos());
    format!("{prefix}_{}", uuid::Uuid::new_v7(timestamp).simple())
}
