//! The slope of the best linear predictor.
//!
//! Chernozhukov, Demirer, Duflo and Fernández-Val (2018), Generic machine learning inference on
//! heterogeneous treatment effects: doubly robust effects are regressed on predicted ones. A slope
//! of 1 says that predicted differences are true, 0 that they are noise. The error allows for
//! unequal variances (HC1, MacKinnon and White 1985).

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::scores::square;

/// Spread of predictions, relative to their size, below which they are the same.
const SPREAD_MIN: f64 = 1e-12;

/// The slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// The slope.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
    /// One-sided p-value that it is above 0.
    pub p: f64,
}

/// The slope of `effects` on `predicted`, by weighted least squares; none when predictions do not
/// differ, or there are fewer than three.
pub fn slope(predicted: &[f64], effects: &[f64], weights: &[f64]) -> Option<Slope> {
    let (n, all) = (predicted.len() as f64, weights.iter().sum::<f64>());
    if predicted.len() < 3 {
        return None;
    }
    let mean = |values: &[f64]| {
        values.iter().zip(weights).map(|(value, weight)| weight * value).sum::<f64>() / all
    };
    let (mean_predicted, mean_effect) = (mean(predicted), mean(effects));
    let rows = || {
        let rows = predicted.iter().zip(effects).zip(weights);
        rows.map(|((predicted, effect), weight)| {
            (predicted - mean_predicted, effect - mean_effect, *weight)
        })
    };
    let squares: f64 = rows().map(|(x, _, weight)| weight * x * x).sum();
    let size: f64 = predicted.iter().zip(weights).map(|(x, weight)| weight * x * x).sum();
    if squares <= SPREAD_MIN * SPREAD_MIN * size {
        return None;
    }
    let value = rows().map(|(x, y, weight)| weight * x * y).sum::<f64>() / squares;
    let meat: f64 = rows().map(|(x, y, weight)| square(weight * x * (y - value * x))).sum();
    let error = (meat * n / (n - 2.0)).sqrt() / squares;
    // Without any residual the sign alone decides.
    let z = if error > 0.0 { value / error } else { value.signum() * f64::MAX };
    Some(Slope { value, error, p: Normal::standard().sf(z) })
}
