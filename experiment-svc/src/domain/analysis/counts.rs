//! The customers of an experiment, summed by split and arm on one metric.

use super::{Arm, strata::Strata};
use crate::domain::measure::Metric;

/// One assigned customer. Sums are those of the metric, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Drawn once, and never changed.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// Over the outcomes from the assignment on.
    pub since_assignment: Vec<i128>,
    /// Over the outcomes from the first offer on that they received, or would have received; none
    /// without such an offer.
    pub since_exposure: Option<Vec<i128>>,
}

/// All customers of an experiment on one metric.
#[derive(Clone, Debug)]
pub struct Counts {
    /// It makes one figure of each customer's sums.
    pub metric: Metric,
    /// Everyone assigned, by intention to treat.
    pub(super) assigned: Strata,
    /// Those who received, or would have received, an offer.
    pub(super) matched: Strata,
}

impl Counts {
    /// No customers.
    pub fn new(metric: Metric) -> Self {
        Self { metric, assigned: Strata::default(), matched: Strata::default() }
    }

    /// Counts one customer, as assigned and, where there was an offer, as matched.
    pub fn add(&mut self, customer: &Customer) {
        let (Customer { arm, epoch, .. }, figure) = (customer, self.metric.figure);
        self.assigned.add(*epoch, *arm, figure(&customer.since_assignment));
        if let Some(sums) = &customer.since_exposure {
            self.matched.add(*epoch, *arm, figure(sums));
        }
    }
}
