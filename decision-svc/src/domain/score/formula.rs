//! The score method that takes the result of the flow's own formula as propensity.

use super::{Estimate, Input, Method};
use crate::domain::candidate::Candidate;

const SOURCE: &str = "formula of the flow";

impl Method for String {
    fn source(&self) -> &str {
        SOURCE
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input { formula: self.clone(), types: Vec::new() }]
    }

    #[inline]
    fn estimate(
        &self,
        _: &Candidate,
        mut number: impl FnMut(usize) -> Option<f64>,
    ) -> Estimate<'_> {
        Estimate { propensity: number(0).unwrap_or(f64::NAN), source: SOURCE, uplift: None }
    }
}
