//! The slow, obvious way to plan a decision: every offer by itself, its formulas and rules as
//! trees, names looked up when they are met. What it says is what a decision means; tests hold the
//! compiled flow to it, and explanations are made by it, since it keeps every part.

mod compile;
mod node;
mod plan;

pub use compile::{OracleFlow, OracleOffer, OracleRule, Program};
pub use plan::{OraclePlan, OracleRanked, plan};

#[cfg(test)]
mod missing;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
