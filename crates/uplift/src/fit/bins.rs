//! Ten bins of units whose raw effects are alike within their folds.
//!
//! Units are ranked within folds: the models of two folds may lie higher and lower, and ranking
//! them together would sort units by the fold they are in. A bin's mean effect is that of the
//! doubly robust scores, so it holds whatever the model says.

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{
    Figure,
    scores::{self, Unit, square},
};
use crate::{BINS, Bin, FOLDS, Money, Segment, predict::below};

/// Level at which all intervals of the bins together may miss.
const LEVEL: f64 = 0.05;

/// The nine raw effects that part a fold's units into bins of one size, ascending.
pub(super) fn edges(mut raw: Vec<f64>) -> Vec<f64> {
    raw.sort_unstable_by(f64::total_cmp);
    (1..BINS).filter_map(|edge| raw.get(edge * raw.len() / BINS).copied()).collect()
}

/// The bin of each unit within its fold, from 1.
pub fn numbers(raw: &[f64], folds: &[usize]) -> Vec<usize> {
    let edges: Vec<Vec<f64>> = (0..FOLDS)
        .map(|fold| {
            let own = folds.iter().zip(raw).filter(|(own, _)| **own == fold);
            self::edges(own.map(|(_, raw)| *raw).collect())
        })
        .collect();
    let number =
        |(fold, raw): (&usize, &f64)| 1 + edges.get(*fold).map_or(0, |edges| below(edges, *raw));
    folds.iter().zip(raw).map(number).collect()
}

/// Quantile of the intervals: two-sided, with Bonferroni's correction for the bins.
pub fn quantile() -> f64 {
    Normal::standard().inverse_cdf(1.0 - LEVEL / (2.0 * BINS as f64))
}

/// The bins by number, from the bin of each unit, its score, its score in money, and for how many
/// it counts. A bin of fewer than two units is left out.
pub fn bins(numbers: &[usize], robust: &[f64], money: Option<&[f64]>, weights: &[f64]) -> Vec<Bin> {
    let (quantile, normal) = (quantile(), Normal::standard());
    let of = |number: usize, scores: &[f64]| -> Vec<f64> {
        let pairs = numbers.iter().zip(scores).filter(|(own, _)| **own == number);
        pairs.map(|(_, score)| *score).collect()
    };
    (1..=BINS)
        .filter_map(|number| {
            let (own, weights) = (of(number, robust), of(number, weights));
            let Figure { value: effect, error } = scores::mean(&own, &weights)?;
            let money = money.and_then(|money| {
                scores::mean(&of(number, money), &weights)
                    .map(|Figure { value: effect, error }| Money { effect, error })
            });
            let helps = match () {
                () if error > 0.0 => normal.cdf(effect / error),
                () if effect > 0.0 => 1.0,
                () if effect < 0.0 => 0.0,
                () => 0.5,
            };
            let interval = [effect - quantile * error, effect + quantile * error];
            Some(Bin { number, effect, error, interval, helps, units: own.len() as u64, money })
        })
        .collect()
}

/// What was observed in a bin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// Its number, from 1.
    pub number: usize,
    /// Mean of the effects that the model predicts, shrunk.
    pub predicted: f64,
    /// Mean outcome of the treated less that of the untreated, each weighted by the inverse of the
    /// probability of its arm; none without two of each.
    pub difference: Option<Figure>,
}

/// What was observed, by bin.
pub fn observed(numbers: &[usize], units: &[Unit], shrunk: &[f64]) -> Vec<Observed> {
    let of = |number: usize| {
        let rows = numbers.iter().zip(units.iter().zip(shrunk));
        rows.filter(move |(own, _)| **own == number).map(|(_, row)| row)
    };
    (1..=BINS)
        .filter_map(|number| {
            let count = of(number).count();
            let all: f64 = of(number).map(|(unit, _)| unit.count).sum();
            let sum: f64 = of(number).map(|(unit, shrunk)| unit.count * shrunk).sum();
            let arm = |is_treated| {
                weighted(
                    of(number).map(|(unit, _)| unit).filter(move |it| it.is_treated == is_treated),
                )
            };
            let difference = arm(true).zip(arm(false)).map(|(treated, untreated)| Figure {
                value: treated.value - untreated.value,
                error: libm::hypot(treated.error, untreated.error),
            });
            let predicted = sum / all;
            (count > 0).then_some(Observed { number, predicted, difference })
        })
        .collect()
}

/// Weighted mean with its standard error; none of fewer than two.
fn weighted<'a>(units: impl Iterator<Item = &'a Unit> + Clone) -> Option<Figure> {
    if units.clone().count() < 2 {
        return None;
    }
    let weights: f64 = units.clone().map(Unit::weight).sum();
    let value = units.clone().map(|unit| unit.weight() * unit.outcome).sum::<f64>() / weights;
    let squares: f64 = units.map(|unit| square(unit.weight() * (unit.outcome - value))).sum();
    Some(Figure { value, error: squares.sqrt() / weights })
}

/// What the units of a bin are called, whatever their baseline.
pub fn name(bin: &Bin) -> Option<&'static str> {
    let segment = Segment::of(bin.interval, false, true);
    matches!(segment, Segment::Persuadable | Segment::SleepingDog).then(|| segment.name())
}
