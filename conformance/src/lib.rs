//! Plays scenarios against real processes, through every door: REST by curl, gRPC by a dynamic
//! client, gRPC by grpcurl.
//!
//! A scenario is written once, as REST calls and what they answer. For the gRPC doors this crate
//! translates calls and answers by itself ([`contract`]): it reads the same annotations as the
//! gateway and shares no code with it, so each checks the other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

pub mod acknowledged;
pub mod admin;
pub mod answer;
pub mod campaign;
pub mod cluster;
pub mod collector;
pub mod contract;
pub mod door;
pub mod drill;
pub mod expectation;
pub mod http;
mod inflated;
pub mod page;
pub mod play;
pub mod process;
pub mod scenario;
pub mod seed;
pub mod suite;
pub mod variable;

pub use answer::{Answer, Fault};

use serde_json::Value;

/// One call as a scenario writes it.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path with query.
    pub path: String,
    /// JSON body.
    pub body: Option<Value>,
    /// The seed's own text of this call; curl runs it unchanged.
    pub script: Option<String>,
}
