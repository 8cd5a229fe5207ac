//! REST calls and answers as protobuf messages and back, read off the annotations of the contracts.
//!
//! This is a second reading of what the gateway reads, short because it trusts its input: scenarios
//! are ours.

mod from_json;
mod into_json;
mod option;
mod route;

pub use from_json::message;
pub use into_json::json;
pub use route::{Route, Routes};
