//! Models as flows name them, and the kinds of models there are.

use super::{Estimate, Input, Logistic, Method};
use crate::domain::candidate::Candidate;

/// A model as a flow names it.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedModel {
    /// Id or name.
    pub reference: String,
    /// `None` until it is looked up, and when it is missing or not active.
    pub found: Option<FoundModel>,
}

/// A stored model.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundModel {
    /// What a trace calls it.
    pub title: String,
    /// The revision that wrote it.
    pub revision: i64,
    /// How it estimates.
    pub kind: ModelKind,
}

/// The kinds of models.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelKind {
    /// Logistic regression.
    Logistic(Logistic),
}

impl ModelKind {
    /// The kind's name in the contract.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Logistic(_) => "logistic_regression",
        }
    }

    /// What is wrong with it: (path within the kind's settings, message).
    pub fn faults(&self) -> Vec<(String, String)> {
        match self {
            Self::Logistic(model) => model.faults(),
        }
    }
}

impl Method for FoundModel {
    fn source(&self) -> &str {
        &self.title
    }

    fn inputs(&self) -> Vec<Input> {
        match &self.kind {
            ModelKind::Logistic(model) => model.inputs(),
        }
    }

    #[inline]
    fn estimate(&self, _: &Candidate, number: impl FnMut(usize) -> Option<f64>) -> Estimate<'_> {
        let (propensity, uplift) = match &self.kind {
            ModelKind::Logistic(model) => (model.propensity(number), None),
        };
        Estimate { propensity, source: &self.title, uplift }
    }
}
