//! Experiments and what they show; values in, values out, no I/O, no clock, no randomness.

pub mod analysis;
pub mod day;
pub mod duration;
pub mod effect_model;
pub mod experiment;
pub mod leak;
pub mod measure;
pub mod picture;
pub mod planning;
pub mod share;
pub mod tally;
pub mod training;

/// Faults of a request: the field, and what would be right.
pub type Faults = Vec<(&'static str, String)>;
