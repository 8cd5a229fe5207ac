//! The Qini area of a ranking.
//!
//! Radcliffe (2007), Using control groups to target on predicted lift. Of the units with the
//! largest scores, the gain is the outcomes of the treated less those of the untreated, scaled to
//! as many; the area is that between the curve of gains and the straight line to its end, per
//! treated unit. Units are weighted by the inverse of the probability of their arm; where it is the
//! same for all, the weights cancel. A unit that counts for several is as wide as these. Between
//! equal scores the curve is straight. While no untreated unit was met there is nothing to compare
//! with, and the gain is 0.

use super::{
    ranking::{Ranked, in_order, ranked, ties},
    scores::Unit,
};

pub use super::ranking::Measured;

/// Points of a drawn curve.
const POINTS: usize = 100;

/// Sums over the units from the largest score to a tie's end.
#[derive(Clone, Copy, Default)]
struct Sums {
    units: f64,
    treated: f64,
    untreated: f64,
    outcome_treated: f64,
    outcome_untreated: f64,
}

impl Sums {
    fn add(&mut self, unit: &Unit) {
        let weight = unit.weight();
        self.units += unit.count;
        if unit.is_treated {
            self.treated += weight;
            self.outcome_treated += weight * unit.outcome;
        } else {
            self.untreated += weight;
            self.outcome_untreated += weight * unit.outcome;
        }
    }

    /// Mean outcome of the untreated, and treated per untreated.
    fn ratios(&self) -> Option<[f64; 2]> {
        let is_compared = self.untreated > 0.0;
        is_compared
            .then(|| [self.outcome_untreated / self.untreated, self.treated / self.untreated])
    }

    fn gain(&self) -> f64 {
        let gain = |[mean, _]: [f64; 2]| self.outcome_treated - mean * self.treated;
        self.ratios().map_or(0.0, gain)
    }
}

/// A tie, with the sums at its end.
struct Tie<'a> {
    members: &'a [Ranked<Unit>],
    width: f64,
    gain_before: f64,
    end: Sums,
}

/// The area and how each unit moves it; nothing without a unit of each arm.
pub fn qini(scores: &[f64], units: &[Unit]) -> Option<Measured> {
    let ranked = ranked(scores, units);
    let mut sums = Sums::default();
    let tied: Vec<Tie<'_>> = ties(&ranked)
        .map(|members| {
            let gain_before = sums.gain();
            members.iter().for_each(|member| sums.add(&member.item));
            let width = members.iter().map(|member| member.item.count).sum();
            Tie { members, width, gain_before, end: sums }
        })
        .collect();
    let [mean, ratio] = sums.ratios()?;
    if sums.treated <= 0.0 {
        return None;
    }
    let (all, treated, gain) = (sums.units, sums.treated, sums.gain());
    let trapezoid = |tie: &Tie<'_>| tie.width * (tie.gain_before + tie.end.gain()) / 2.0;
    let under = tied.iter().map(trapezoid).sum::<f64>() / (treated * all);
    let value = under - gain / (2.0 * treated);
    // From the smallest score up: what moves the gain at every later tie, each times the half
    // widths beside it.
    let mut influence = Vec::with_capacity(ranked.len());
    let (mut treated_slope, mut treated_shift, mut slope, mut shift) = (0.0, 0.0, 0.0, 0.0);
    let mut width_after = 0.0;
    for tie in tied.iter().rev() {
        let width = tie.width;
        if let Some([mean, ratio]) = tie.end.ratios() {
            let half = (width + width_after) / 2.0;
            treated_slope += half;
            treated_shift += half * mean;
            slope += half * ratio;
            shift += half * ratio * mean;
        }
        width_after = width;
        let beside = (tie.gain_before + tie.end.gain()) / 2.0;
        for member in tie.members {
            let Unit { count, outcome: y, .. } = member.item;
            let weight = member.item.weight();
            let (later, end, of_treated) = if member.item.is_treated {
                (weight * (y * treated_slope - treated_shift), weight * (y - mean), weight)
            } else {
                (weight * (shift - y * slope), weight * ratio * (mean - y), 0.0)
            };
            let moved = (later + count * beside) / (treated * all) - end / (2.0 * treated);
            let scaled = count * under / all + value * of_treated / treated;
            influence.push((member.index, moved - scaled));
        }
    }
    let point = |tie: &Tie<'_>| [tie.end.units / all, tie.end.gain() / treated];
    let curve = tied.iter().map(point).collect();
    Some(Measured { value, influence: in_order(influence), curve })
}

/// Both curves at the same shares, thinned: share, gain by the first, gain by the second.
pub(super) fn curves(first: &Measured, second: &Measured) -> Vec<[f64; 3]> {
    let points = (0..=POINTS).map(|point| point as f64 / POINTS as f64);
    points.map(|share| [share, at(&first.curve, share), at(&second.curve, share)]).collect()
}

/// The curve at a share, straight between its points.
fn at(curve: &[[f64; 2]], share: f64) -> f64 {
    let after = curve.partition_point(|[reached, _]| *reached < share);
    let before = after.checked_sub(1).and_then(|before| curve.get(before));
    let [from, gained] = before.copied().unwrap_or([0.0, 0.0]);
    let [to, gain] = curve.get(after).or(curve.last()).copied().unwrap_or([1.0, 0.0]);
    if to <= from { gain } else { gained + (gain - gained) * (share - from) / (to - from) }
}
