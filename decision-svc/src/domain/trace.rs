//! The trace of a decision, for people and for replays.

use formula::rule::Refusal;

use crate::domain::{judgment::PolicyVerdict, reason::Reason};

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
    pub reason_code: Reason,
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

impl Refused {
    /// An offer that was refused before it came to be ranked.
    pub fn unranked(offer_id: &str, name: &str, reason_code: Reason, reason: String) -> Self {
        Self {
            offer_id: offer_id.to_owned(),
            name: name.to_owned(),
            reason_code,
            reason,
            rule: None,
            was_ranked: false,
            is_refused_by_policy: false,
            policies: Vec::new(),
        }
    }

    /// An offer of which a rule does not hold: its own, or the flow's.
    pub fn failed(offer_id: &str, name: &str, reason_code: Reason, failed: Refusal) -> Self {
        let Refusal { field, op, expected, actual, cause } = failed;
        let found = match (&actual, &cause) {
            (Some(actual), _) => format!("it is {actual}"),
            (None, Some(cause)) => format!("it is unknown: {cause}"),
            (None, None) => "it is unknown".to_owned(),
        };
        let wanted = if expected.is_empty() { String::new() } else { format!(" {expected}") };
        let reason = format!("`{field}` {op}{wanted} is not true: {found}");
        let rule = Some(FailedRule { field, op, expected, actual, unknown: cause });
        Self { rule, ..Self::unranked(offer_id, name, reason_code, reason) }
    }
}
