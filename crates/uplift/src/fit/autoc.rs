//! The area under the targeting operator characteristic.
//!
//! Yadlowsky, Fleming, Shah, Brunskill and Wager (2025), Evaluating treatment prioritization rules
//! via rank-weighted average treatment effects. The characteristic at a share u is the mean effect
//! of the units with the largest scores, u of all, less the mean effect of all; the area is its
//! mean over u. Effects are doubly robust. Between equal scores the effects are spread evenly.

use super::ranking::{Measured, in_order, ranked, ties};

/// A tie of `members` after `before` units, whose effects sum to `sum_before`.
struct Tie<'a> {
    members: &'a [super::ranking::Ranked<f64>],
    before: f64,
    sum_before: f64,
    mean: f64,
}

impl Tie<'_> {
    fn end(&self) -> f64 {
        self.before + self.members.len() as f64
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
pub fn autoc(scores: &[f64], effects: &[f64]) -> Option<Measured> {
    let ranked = ranked(scores, effects);
    let all = ranked.len() as f64;
    if ranked.is_empty() {
        return None;
    }
    let (mut before, mut sum_before) = (0.0, 0.0);
    let tied: Vec<Tie<'_>> = ties(&ranked)
        .map(|members| {
            let (count, sum) =
                (members.len() as f64, members.iter().map(|it| it.item).sum::<f64>());
            let tie = Tie { members, before, sum_before, mean: sum / count };
            (before, sum_before) = (before + count, sum_before + sum);
            tie
        })
        .collect();
    // The integral of (sum before + mean × (x − before))/x over each tie, less the mean of all.
    let value = tied.iter().map(|tie| tie.excess() * tie.log()).sum::<f64>() / all;
    let mut influence = Vec::with_capacity(ranked.len());
    let (mut logs, mut means, mut shifts) = (0.0, 0.0, 0.0);
    for tie in tied.iter().rev() {
        let (log, end, count) = (tie.log(), tie.end(), tie.members.len() as f64);
        for member in tie.members {
            let own = if tie.before > 0.0 {
                tie.excess() / end - (member.item - tie.mean) / count * tie.before * log
            } else {
                0.0
            };
            let later = member.item * logs - means + shifts;
            influence.push((member.index, (own + later - value) / all));
        }
        if tie.before > 0.0 {
            logs += log;
            means += tie.mean * log;
            shifts += tie.excess() * (1.0 / end - 1.0 / tie.before);
        }
    }
    Some(Measured { value, influence: in_order(influence), curve: Vec::new() })
}
