//! The rules: values in, values out. No I/O, no clock, no messages.

pub mod cap;
pub mod channel;
pub mod configuration;
pub mod consent;
pub mod contact;
pub mod contact_policy;
pub mod facts;
pub mod ledger;
pub mod question;
pub mod quiet_hours;
pub mod scope;
pub mod settings;
pub mod suppression;
pub mod tally;
pub mod verdict;
pub mod zone;

/// Faults of something written, by field path within the resource.
pub type Faults = Vec<(String, String)>;

/// Names compare without case and without space around them.
pub fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}
