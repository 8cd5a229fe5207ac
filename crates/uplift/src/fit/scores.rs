//! Doubly robust scores of single units.
//!
//! Robins, Rotnitzky and Zhao (1994), Estimation of regression coefficients when some regressors
//! are not always observed: μ1 − μ0 + T/e × (Y − μ1) − (1 − T)/(1 − e) × (Y − μ0). The probability
//! e is known, because the experiment was randomized: the mean of the scores is the mean effect,
//! however wrong μ is.

use super::{Figure, Row};

/// What was observed of a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// True when it was treated.
    pub is_treated: bool,
    /// Probability with which it was to be treated.
    pub probability: f64,
    /// Inverse of the probability with which it was let in: for how many it counts.
    pub count: f64,
    /// 1 or 0 for an outcome that happened or not, or a sum of money.
    pub outcome: f64,
}

impl Unit {
    pub(super) fn of(row: &Row, in_money: bool) -> Self {
        let outcome = if in_money { row.value } else { f64::from(u8::from(row.is_positive)) };
        let (is_treated, probability) = (row.is_treated, row.probability);
        Self { is_treated, probability, count: 1.0 / row.selection, outcome }
    }

    /// For how many it counts, by the inverse of the probability of its arm.
    pub fn weight(&self) -> f64 {
        self.count * self.inverse()
    }

    /// Inverse of the probability of its arm.
    fn inverse(&self) -> f64 {
        1.0 / if self.is_treated { self.probability } else { 1.0 - self.probability }
    }
}

/// For how many each unit counts.
pub fn weights(units: &[Unit]) -> Vec<f64> {
    units.iter().map(|unit| unit.count).collect()
}

/// The scores, from the outcomes expected without and with treatment.
pub fn doubly_robust(units: &[Unit], expected: &[[f64; 2]]) -> Vec<f64> {
    let score = |(unit, [without, with]): (&Unit, &[f64; 2])| {
        let residual = if unit.is_treated {
            unit.inverse() * (unit.outcome - with)
        } else {
            -unit.inverse() * (unit.outcome - without)
        };
        with - without + residual
    };
    units.iter().zip(expected).map(score).collect()
}

/// Weighted mean with its standard error; none of fewer than two.
pub fn mean(scores: &[f64], weights: &[f64]) -> Option<Figure> {
    if scores.len() < 2 {
        return None;
    }
    let (n, all) = (scores.len() as f64, weights.iter().sum::<f64>());
    let pairs = || scores.iter().zip(weights);
    let value = pairs().map(|(score, weight)| weight * score).sum::<f64>() / all;
    let squares: f64 = pairs().map(|(score, weight)| square(weight * (score - value))).sum();
    Some(Figure { value, error: (squares * n / (n - 1.0)).sqrt() / all })
}

/// x².
pub(super) fn square(x: f64) -> f64 {
    x * x
}

/// The median; 0 of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    let at = |place: usize| values.get(place).copied();
    let middle = if values.len() % 2 == 1 {
        at(half)
    } else {
        half.checked_sub(1).and_then(at).zip(at(half)).map(|(low, high)| f64::midpoint(low, high))
    };
    middle.unwrap_or(0.0)
}
