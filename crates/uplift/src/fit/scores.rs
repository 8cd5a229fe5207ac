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
    /// 1 or 0 for an outcome that happened or not, or a sum of money.
    pub outcome: f64,
}

impl Unit {
    pub(super) fn of(row: &Row, in_money: bool) -> Self {
        let outcome = if in_money { row.value } else { f64::from(u8::from(row.is_positive)) };
        Self { is_treated: row.is_treated, probability: row.probability, outcome }
    }

    /// Inverse of the probability of its arm.
    pub fn weight(&self) -> f64 {
        1.0 / if self.is_treated { self.probability } else { 1.0 - self.probability }
    }
}

/// The scores, from the outcomes expected without and with treatment.
pub fn doubly_robust(units: &[Unit], expected: &[[f64; 2]]) -> Vec<f64> {
    let score = |(unit, [without, with]): (&Unit, &[f64; 2])| {
        let residual = if unit.is_treated {
            unit.weight() * (unit.outcome - with)
        } else {
            -unit.weight() * (unit.outcome - without)
        };
        with - without + residual
    };
    units.iter().zip(expected).map(score).collect()
}

/// Mean with its standard error; none of fewer than two.
pub fn mean(scores: &[f64]) -> Option<Figure> {
    if scores.len() < 2 {
        return None;
    }
    let n = scores.len() as f64;
    let value = scores.iter().sum::<f64>() / n;
    let squares = scores.iter().map(|score| square(score - value)).sum::<f64>();
    Some(Figure { value, error: (squares / (n - 1.0) / n).sqrt() })
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
