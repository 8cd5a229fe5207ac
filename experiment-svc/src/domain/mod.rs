//! Experiments and what they show; values in, values out, no I/O, no clock, no randomness.

pub mod analysis;
pub mod duration;
pub mod experiment;
pub mod measure;
pub mod picture;
pub mod share;

/// Faults of a request: the field, and what would be right.
pub type Faults = Vec<(&'static str, String)>;
