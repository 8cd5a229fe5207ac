//! Shorthands for an answer of a batch, which is a decision or a fault.

use crate::{
    decision::v1::{Decision, RecommendResult, recommend_result::Outcome},
    errors::v1::ItemFault,
};

impl RecommendResult {
    /// The decision, when there is one.
    pub fn decision(&self) -> Option<&Decision> {
        match &self.outcome {
            Some(Outcome::Decision(decision)) => Some(decision),
            _ => None,
        }
    }

    /// The decision, when there is one.
    pub fn into_decision(self) -> Option<Decision> {
        match self.outcome {
            Some(Outcome::Decision(decision)) => Some(decision),
            _ => None,
        }
    }

    /// Why there is no decision, when there is none.
    pub fn error(&self) -> Option<&ItemFault> {
        match &self.outcome {
            Some(Outcome::Error(fault)) => Some(fault),
            _ => None,
        }
    }
}
