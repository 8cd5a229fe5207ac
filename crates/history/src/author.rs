//! The author of a write, read from a call's metadata: tenant, actor and instant.

use chrono::{DateTime, Utc};
use serve::{Clock, metadata};
use tonic::{Status, metadata::MetadataMap};

/// Whose log, who writes, when.
#[derive(Clone, Debug)]
pub struct Author {
    /// The tenant whose log is written.
    pub tenant: String,
    /// The person or program that writes.
    pub actor: String,
    /// The instant of the write.
    pub at: DateTime<Utc>,
}

impl Author {
    /// The author of a call.
    pub fn of(metadata: &MetadataMap, clock: &Clock) -> Result<Self, Status> {
        Ok(Self {
            tenant: metadata::tenant(metadata)?,
            actor: metadata::actor(metadata),
            at: clock.now(),
        })
    }
}
