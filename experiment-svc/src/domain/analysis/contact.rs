//! What the contacts of the treated cost, beside what treatment earned.

use super::{IncrementalTotal, Interval};
use crate::domain::measure::Metric;

/// The name of the one metric that is money.
const MONEY: &str = "revenue_per_customer";

/// Contacts of the treated within the experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    /// Those delivered.
    pub delivered: u64,
    /// What they cost, in 1/10,000.
    pub cost_e4: i128,
    /// Contacts of held-out customers, which the experiment should have prevented.
    pub leaks: u64,
}

/// The total after costs, and by contact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Net {
    /// The contacts.
    pub contacts: Contacts,
    /// Total less cost, with its interval; none for a metric that is not money. The cost is known,
    /// so the interval only moves.
    pub total: Option<(f64, Option<Interval>)>,
    /// Total by delivered contact; none without a contact.
    pub per_contact: Option<(f64, Option<Interval>)>,
}

impl Contacts {
    /// The cost in units of currency.
    pub fn cost(&self) -> f64 {
        self.cost_e4 as f64 / 10_000.0
    }

    /// Total after cost and by contact.
    pub fn net(self, metric: &Metric, total: IncrementalTotal) -> Option<Net> {
        let of = |change: &dyn Fn(f64) -> f64| {
            (change(total.value), total.interval.map(|bounds| bounds.map(change)))
        };
        Some(Net {
            contacts: self,
            total: (metric.name == MONEY).then(|| of(&|value| value - self.cost())),
            per_contact: (self.delivered > 0).then(|| of(&|value| value / self.delivered as f64)),
        })
    }
}
