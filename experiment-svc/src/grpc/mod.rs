//! The gRPC services: each parses a request, calls the domain or the store, and prints the answer.

mod assignment;
pub mod experiment;
pub mod ledger;
mod resource;
mod results;

use chrono::{DateTime, Datelike as _, Utc};
use history::{History, ServiceContext};
use serve::Clock;

use crate::store::Store;

/// Bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a delivery.
pub const DELIVERY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest customer id, in bytes.
pub const CUSTOMER_ID_BYTES_MAX: usize = 128;

/// What every service here works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The ledger, and which experiment runs on a flow.
    pub store: Store,
    /// The log of the experiments.
    pub history: History,
    /// Every instant the service writes comes from it.
    pub clock: Clock,
}

impl ServiceContext for Context {
    fn history(&self) -> &History {
        &self.history
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// An instant from proto, to the microsecond; a fault when it is out of range.
fn instant(at: &prost_types::Timestamp) -> Result<DateTime<Utc>, String> {
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    nanos
        .and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos))
        .filter(|at| (1..=9999).contains(&at.year()))
        .map(|at| serve::from_micros(at.timestamp_micros()))
        .ok_or_else(|| "is not an instant of the years 1 to 9999".to_owned())
}

/// What is wrong with an id that another service made or a caller chose.
fn id_fault(id: &str) -> Option<String> {
    if id.is_empty() {
        Some("is required".to_owned())
    } else if id.len() > CUSTOMER_ID_BYTES_MAX {
        Some(format!("has {} bytes, which exceeds the maximum {CUSTOMER_ID_BYTES_MAX}", id.len()))
    } else if id.chars().any(char::is_control) {
        Some("must not hold control characters".to_owned())
    } else {
        None
    }
}
