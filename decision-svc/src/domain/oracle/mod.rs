//! The oracle: the slow, obvious way to plan a decision. It evaluates every offer by itself, with
//! formulas and rules as trees. Its result defines what a decision means. Tests compare the
//! compiled flow with it, and explanations use it because it keeps every part of a rule.

mod compile;
mod node;
mod plan;

pub use compile::{OracleFlow, OracleOffer, OracleProgram, OracleRule};
pub use plan::{OraclePlan, OracleRanked, plan};

#[cfg(test)]
mod missing;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
