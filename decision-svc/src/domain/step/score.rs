//! `score`: estimates how likely the customer responds to each candidate.

use super::NodeType;
use crate::domain::score::{NamedModel, ScoreMethod};

/// How a flow scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The method; each has a file in `score/`.
    pub method: ScoreMethod,
}

impl NodeType for Score {
    fn order(&self) -> Option<u8> {
        Some(50)
    }

    fn missing(&self) -> Option<String> {
        match &self.method {
            ScoreMethod::Model(NamedModel { reference, found: None }) => {
                Some(format!("model `{reference}` does not exist or is not active: propensity 0.5"))
            }
            _ => None,
        }
    }
}
