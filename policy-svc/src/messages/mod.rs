//! Domain values as messages of the contract and back, without I/O. Used by the services, by the
//! gate for the answers it keeps, and by the configuration, whose log holds messages.

pub mod channel;
pub mod contact_policy;
pub mod facts;
pub mod judgement;
pub mod question;
pub mod rule;
pub mod settings;

use chrono::{DateTime, Datelike as _, Utc};

/// Longest id of a customer, decision, request or outcome, in bytes.
const ID_BYTES_MAX: usize = 128;
/// Longest name or reference, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;

/// What is wrong with an id that must be given.
pub fn id_fault(id: &str) -> Option<String> {
    match id.len() {
        0 => Some("is required".to_owned()),
        1..=ID_BYTES_MAX if id.chars().any(char::is_control) => {
            Some("must not hold control characters".to_owned())
        }
        1..=ID_BYTES_MAX => None,
        length => Some(format!("has {length} bytes, which exceeds the maximum {ID_BYTES_MAX}")),
    }
}

/// What is wrong with a text that may be empty.
pub fn text_fault(text: &str, bytes_max: usize) -> Option<String> {
    if text.len() > bytes_max {
        return Some(format!("has {} bytes, which exceeds the maximum {bytes_max}", text.len()));
    }
    text.contains('\0').then(|| "must not hold a null character".to_owned())
}

/// An instant from proto; a fault when it is out of range.
pub fn instant(at: &prost_types::Timestamp) -> Result<DateTime<Utc>, String> {
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let found = nanos.and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos));
    found
        .filter(|at| (1..=9999).contains(&at.year()))
        .map(|at| serve::from_micros(at.timestamp_micros()))
        .ok_or_else(|| "is not an instant of the years 1 to 9999".to_owned())
}
