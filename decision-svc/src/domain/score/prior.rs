//! Score method `propensity` without data: the prior of 0.5.

use super::{Estimate, Method};
use crate::domain::candidate::Candidate;

/// Propensity without data.
pub const PROPENSITY_PRIOR: f64 = 0.5;

/// The same propensity for all offers and customers.
pub(super) struct Prior {
    source: &'static str,
}

impl Prior {
    /// There are no outcomes to learn from.
    pub const NO_DATA: Self = Self { source: "prior: no data" };
    /// The model that the flow names is missing.
    pub const NO_MODEL: Self = Self { source: "prior: no model" };
}

impl Method for Prior {
    fn source(&self) -> &str {
        self.source
    }

    #[inline]
    fn estimate(&self, _: &Candidate, _: impl FnMut(usize) -> Option<f64>) -> Estimate<'static> {
        Estimate { propensity: PROPENSITY_PRIOR, source: self.source, uplift: None }
    }
}
