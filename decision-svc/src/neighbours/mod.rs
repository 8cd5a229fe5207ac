//! Outbound calls: proto on the way out and in, domain values for everyone else.

pub mod catalog;
pub mod experiment;
pub mod follow;
pub mod past;
pub mod policy;
pub mod scalar;

use chrono::{DateTime, Utc};
use serve::Neighbour;

/// The services decision-svc calls.
#[derive(Clone, Debug)]
pub struct Neighbours {
    /// catalog-svc.
    pub catalog: Neighbour,
    /// policy-svc.
    pub policy: Neighbour,
    /// experiment-svc.
    pub experiment: Neighbour,
}

/// Largest message taken from a neighbour, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An instant from proto; who sent it has checked it.
fn instant(at: Option<prost_types::Timestamp>) -> Option<DateTime<Utc>> {
    at.and_then(|at| DateTime::from_timestamp(at.seconds, at.nanos.unsigned_abs()))
}
