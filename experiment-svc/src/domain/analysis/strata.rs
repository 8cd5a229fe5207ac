//! Customers by the split under which their arm was drawn.

use std::collections::BTreeMap;

use super::{Arm, Pair, Sample, sample::Figure};

/// The arms by split.
#[derive(Clone, Debug, Default)]
pub struct Strata(pub(super) BTreeMap<i32, Pair>);

/// A split in which the arms can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Stratum {
    /// Its number.
    pub epoch: i32,
    /// Its share of the treated in all splits that are compared.
    pub weight: f64,
    /// Its arms, of at least two customers each.
    pub arms: Pair,
}

impl Strata {
    /// Counts one customer.
    pub fn add(&mut self, epoch: i32, arm: Arm, figure: Figure) {
        self.add_sample(epoch, arm, &figure.into());
    }

    /// Counts customers whose figures are summed already.
    pub fn add_sample(&mut self, epoch: i32, arm: Arm, sample: &Sample) {
        let sum = self.0.entry(epoch).or_default().of(arm);
        *sum = sum.with(sample);
    }

    /// Counts the customers of other strata too.
    pub fn merge(&mut self, other: &Self) {
        for (epoch, pair) in other.iter() {
            self.add_sample(epoch, Arm::Treatment, &pair.treatment);
            self.add_sample(epoch, Arm::Holdout, &pair.holdout);
        }
    }

    /// Counts customers without a figure.
    pub fn add_customers(&mut self, epoch: i32, arm: Arm, n: u64) {
        self.0.entry(epoch).or_default().of(arm).n += n;
    }

    /// How many splits have customers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// By number of the split.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Pair)> {
        self.0.iter().map(|(epoch, pair)| (*epoch, pair))
    }

    /// The arms over all splits, unweighted.
    pub fn total(&self) -> Pair {
        self.0.values().fold(Pair::default(), |total, pair| Pair {
            treatment: total.treatment.with(&pair.treatment),
            holdout: total.holdout.with(&pair.holdout),
        })
    }

    /// The splits with two customers or more in each arm, each with all the weight.
    pub fn of_two(&self) -> Vec<Stratum> {
        let of_two = self.iter().filter(|(_, pair)| pair.treatment.n.min(pair.holdout.n) >= 2);
        of_two.map(|(epoch, pair)| Stratum { epoch, weight: 1.0, arms: *pair }).collect()
    }
}
