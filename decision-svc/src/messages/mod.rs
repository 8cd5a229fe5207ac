//! Domain values as messages of the contracts, and back. No I/O: services, stored records and calls
//! to neighbours share these conversions.

pub mod answer;
pub mod flow_config;
pub mod model;
pub mod offer_subject;
pub mod question;
pub mod reason_code;
pub mod scalar;
pub mod trace;

use chrono::{DateTime, Utc};
use proffer_proto::values::v1::ResourceStatus;

/// An instant; a fault when it is out of range.
pub(crate) fn instant(at: &prost_types::Timestamp) -> Result<DateTime<Utc>, String> {
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let found = nanos.and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos));
    let years = 1..=9999;
    found
        .filter(|at| years.contains(&chrono::Datelike::year(at)))
        .map(|at| serve::from_micros(at.timestamp_micros()))
        .ok_or_else(|| "is not an instant of the years 1 to 9999".to_owned())
}

/// Whether a resource takes part in decisions.
pub(crate) fn is_active(status: i32) -> bool {
    matches!(
        ResourceStatus::try_from(status),
        Ok(ResourceStatus::Active | ResourceStatus::Unspecified)
    )
}
