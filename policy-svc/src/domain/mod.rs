//! The rules of the service, pure: no I/O, no clock, no proto messages.

pub mod channel;
pub mod configuration;
pub mod consent;
pub mod contact;
pub mod contact_policy;
pub mod counted;
pub mod facts;
pub mod lapse;
pub mod ledger;
pub mod list;
pub mod local_time;
pub mod question;
pub mod quiet_hours;
pub mod refusal;
pub mod rule;
pub mod scope;
pub mod settings;
pub mod shared_use;
pub mod usage;
pub mod verdict;
pub mod wall_hours;
pub mod zone;

/// Faults of something written, by field path within the resource.
pub type Faults = Vec<(String, String)>;

pub use wire::name::folded;
