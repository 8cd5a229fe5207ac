//! Winsorized figures: the largest are clamped to a cap, so that a handful of big spenders does not
//! decide. Customers are never dropped, and the raw figures stand beside.

use std::collections::BTreeMap;

use super::{Arm, Effect, Figure, Pair, sample::Sample, strata::Strata};
use crate::domain::measure::{Metric, Scale};

/// One customer in so many is above the cap: 99.9 % are not.
const ABOVE_CAP: u64 = 1_000;

/// The figures of single customers, as a background task reads them. Only those other than zero
/// take memory.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    zeros: BTreeMap<(i32, bool), u64>,
    others: Vec<(i32, Arm, Figure)>,
}

/// The effect on the clamped figures.
#[derive(Clone, Debug)]
pub struct Winsorized {
    /// No figure is above it, in units of the metric.
    pub cap: f64,
    /// Customers whose figure was above it.
    pub clamped: u64,
    /// Both arms, clamped.
    pub arms: Pair,
    /// What separates them.
    pub effect: Effect,
}

impl Spread {
    /// Takes one customer's figure.
    pub fn add(&mut self, epoch: i32, arm: Arm, figure: Figure) {
        if figure.value == 0 {
            *self.zeros.entry((epoch, arm == Arm::Holdout)).or_default() += 1;
        } else {
            self.others.push((epoch, arm, figure));
        }
    }

    /// Clamps the figures to the value that 99.9 % of the customers of both arms, those with zero
    /// included, do not exceed. A fault says why there is nothing to show.
    pub fn winsorized(mut self, metric: &Metric) -> Result<Winsorized, String> {
        if metric.scale != Scale::Amount {
            return Err("only means are winsorized: a rate has no large figures".to_owned());
        }
        let zeros: u64 = self.zeros.values().sum();
        self.others.sort_unstable_by_key(|(_, _, figure)| figure.value);
        let negative = self.others.partition_point(|(_, _, figure)| figure.value < 0) as u64;
        let n = zeros + self.others.len() as u64;
        // Nearest rank: the largest after the topmost of each full thousand are set aside.
        let Some(rank) = n.checked_sub(n / ABOVE_CAP + 1) else {
            return Err(super::TWO_CUSTOMERS.to_owned());
        };
        let index = if rank < negative { Some(rank) } else { rank.checked_sub(zeros) };
        let index = index.filter(|index| rank < negative || *index >= negative);
        let found = index.and_then(|index| self.others.get(usize::try_from(index).ok()?));
        let cap = found.map_or(0, |(_, _, figure)| figure.value);
        if cap <= 0 {
            return Err(
                "fewer than 1 customer in 1,000 has a figure: the cap would be 0".to_owned()
            );
        }
        let mut strata = Strata::default();
        for ((epoch, is_holdout), n) in &self.zeros {
            let arm = if *is_holdout { Arm::Holdout } else { Arm::Treatment };
            strata.add_sample(*epoch, arm, &Sample { n: *n, ..Sample::default() });
        }
        let mut clamped = 0;
        for (epoch, arm, figure) in &self.others {
            clamped += u64::from(figure.value > cap);
            strata.add(*epoch, *arm, Figure { value: figure.value.min(cap), ..*figure });
        }
        let effect = Effect::of(metric, &strata).ok_or_else(|| super::TWO_CUSTOMERS.to_owned())?;
        Ok(Winsorized { cap: cap as f64 / metric.units, clamped, arms: strata.total(), effect })
    }
}
