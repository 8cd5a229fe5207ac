//! The offer's priority, 0 to 100, as propensity.

use super::{Estimate, Method};
use crate::domain::candidate::Candidate;

/// Scores by priority.
pub(super) struct Priority;

const SOURCE: &str = "priority of the offer";

impl Method for Priority {
    fn source(&self) -> &str {
        SOURCE
    }

    #[inline]
    fn estimate(&self, offer: &Candidate, _: impl FnMut(usize) -> Option<f64>) -> Estimate<'_> {
        Estimate { propensity: offer.worth.priority / 100.0, source: SOURCE, uplift: None }
    }
}
