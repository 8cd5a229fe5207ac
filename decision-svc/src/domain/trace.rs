//! How a decision came about, for people and for replay.

use crate::domain::judgement::PolicyVerdict;

/// Candidates through one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Id of the node.
    pub node: String,
    /// Its type.
    pub type_name: &'static str,
    /// Candidates in.
    pub entered: usize,
    /// Candidates out.
    pub left: usize,
}

/// Why a candidate was not offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The offer.
    pub offer_id: String,
    /// Its name.
    pub name: String,
    /// For programs.
    pub reason_code: String,
    /// For people.
    pub reason: String,
    /// The rule that failed.
    pub rule: Option<FailedRule>,
    /// It had come as far as the ranking.
    pub was_ranked: bool,
    /// A contact policy refused it.
    pub is_refused_by_policy: bool,
    /// Every policy that looked at it.
    pub policies: Vec<PolicyVerdict>,
}

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRule {
    /// The field.
    pub field: String,
    /// The comparison.
    pub op: String,
    /// What it was compared with.
    pub expected: String,
    /// What was there.
    pub actual: Option<String>,
    /// Why that is unknown.
    pub unknown: Option<String>,
}
