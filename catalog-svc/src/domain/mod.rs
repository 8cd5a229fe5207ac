//! The rules of the service, pure: no I/O, no clock, no proto messages.

pub mod behavioral_metric;
pub mod breakage;
pub mod catalogue;
pub mod category;
pub mod check;
pub mod cost;
pub mod creative;
pub mod decimal;
pub mod field_value;
pub mod mandate;
pub mod name;
pub mod offer;
pub mod outcome_type;
pub mod record;
pub mod resolve;
pub mod rule;
pub mod schedule;
pub mod schema;
#[cfg(test)]
mod testing;

/// Faults of something written: a path within it and what is wrong and would be right.
pub type Faults = Vec<(String, String)>;
