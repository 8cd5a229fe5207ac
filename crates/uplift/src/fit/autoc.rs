//! The area under the targeting operator characteristic.
//!
//! Yadlowsky, Fleming, Shah, Brunskill and Wager (2025), Evaluating treatment prioritization rules
//! via rank-weighted average treatment effects. The characteristic at a share u is the mean effect
//! of the units with the largest scores, u of all, less the mean effect of all; the area is its
//! mean over u. Effects are doubly robust. Between equal scores the effects are spread evenly.
//! Units are weighted.

use super::ranking::{Measured, in_order, ranked, ties};

/// An effect, and for how many units it counts.
type Weighted = (f64, f64);

/// A tie of `count` units after `before` units, whose effects sum to `sum_before`.
struct Tie<'a> {
    members: &'a [super::ranking::Ranked<Weighted>],
    count: f64,
    before: f64,
    sum_before: f64,
    mean: f64,
}

impl Tie<'_> {
    fn end(&self) -> f64 {
        self.before + self.count
    }

    /// ln(end/before); 0 for the first tie, whose part does not depend on it.
    fn log(&self) -> f64 {
        if self.before > 0.0 { libm::log(self.end() / self.before) } else { 0.0 }
    }

    /// By how much the sum before exceeds what it were with this tie's mean.
    fn excess(&self) -> f64 {
        self.sum_before - self.mean * self.before
    }
}

/// The area and how each unit moves it; nothing without units.
pub fn autoc(scores: &[f64], effects: &[f64], weights: &[f64]) -> Option<Measured> {
    let items: Vec<Weighted> =
        effects.iter().zip(weights).map(|(effect, weight)| (*effect, *weight)).collect();
    let ranked = ranked(scores, &items);
    let all: f64 = weights.iter().sum();
    if ranked.is_empty() {
        return None;
    }
    let (mut before, mut sum_before) = (0.0, 0.0);
    let tied: Vec<Tie<'_>> = ties(&ranked)
        .map(|members| {
            let count: f64 = members.iter().map(|it| it.item.1).sum();
            let sum: f64 = members.iter().map(|it| it.item.1 * it.item.0).sum();
            let tie = Tie { members, count, before, sum_before, mean: sum / count };
            (before, sum_before) = (before + count, sum_before + sum);
            tie
        })
        .collect();
    // The integral of (sum before + mean × (x − before))/x over each tie, less the mean of all.
    let value = tied.iter().map(|tie| tie.excess() * tie.log()).sum::<f64>() / all;
    let mut influence = Vec::with_capacity(ranked.len());
    let (mut logs, mut means, mut shifts) = (0.0, 0.0, 0.0);
    for tie in tied.iter().rev() {
        let (log, end, count) = (tie.log(), tie.end(), tie.count);
        for member in tie.members {
            let (effect, weight) = member.item;
            let own = if tie.before > 0.0 {
                tie.excess() / end - (effect - tie.mean) / count * tie.before * log
            } else {
                0.0
            };
            let later = effect * logs - means + shifts;
            influence.push((member.index, weight * (own + later - value) / all));
        }
        if tie.before > 0.0 {
            logs += log;
            means += tie.mean * log;
            shifts += tie.excess() * (1.0 / end - 1.0 / tie.before);
        }
    }
    Some(Measured { value, influence: in_order(influence), curve: Vec::new() })
}
