//! Plays scenarios against real processes, through every door: REST by curl, gRPC by a dynamic
//! client, gRPC by grpcurl.
//!
//! A scenario is written once, as REST calls and what they answer. For the gRPC doors this crate
//! translates calls and answers by itself ([`contract`]): it reads the same annotations as the
//! gateway and shares no code with it, so each checks the other.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

pub mod contract;
pub mod door;
pub mod drill;
pub mod expectation;
pub mod http;
pub mod page;
pub mod play;
pub mod process;
pub mod scenario;
pub mod seed;
pub mod suite;
pub mod variable;

use serde_json::Value;

/// What a call answered, whatever the door.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status, or the one that belongs to the gRPC code.
    pub status: u16,
    /// The body as REST shows it; null when there is none.
    pub body: Value,
    /// What is told about an error.
    pub error: Option<Told>,
}

/// An error as a caller sees it. A door that cannot show a part leaves it out.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// `INVALID_ARGUMENT` and so on.
    pub code: String,
    /// The text.
    pub message: String,
    /// The reason of `google.rpc.ErrorInfo`.
    pub reason: Option<String>,
    /// Paths of wrong fields, as REST writes them.
    pub fields: Option<Vec<String>>,
}

/// One call as a scenario writes it.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path with query.
    pub path: String,
    /// JSON body.
    pub body: Option<Value>,
    /// The seed's own text of this call; curl runs it as it stands.
    pub script: Option<String>,
}
