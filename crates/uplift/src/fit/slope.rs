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

/// The slope of `effects` on `predicted`; none when predictions do not differ, or there are fewer
/// than three.
pub fn slope(predicted: &[f64], effects: &[f64]) -> Option<Slope> {
    let n = predicted.len() as f64;
    if predicted.len() < 3 {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_predicted, mean_effect) = (mean(predicted), mean(effects));
    let pairs = || {
        let pairs = predicted.iter().zip(effects);
        pairs.map(|(predicted, effect)| (predicted - mean_predicted, effect - mean_effect))
    };
    let squares: f64 = pairs().map(|(x, _)| x * x).sum();
    let size: f64 = predicted.iter().map(|x| x * x).sum();
    if squares <= SPREAD_MIN * SPREAD_MIN * size {
        return None;
    }
    let value = pairs().map(|(x, y)| x * y).sum::<f64>() / squares;
    let meat: f64 = pairs().map(|(x, y)| square(x * (y - value * x))).sum();
    let error = (meat * n / (n - 2.0)).sqrt() / squares;
    // Without any residual the sign alone decides.
    let z = if error > 0.0 { value / error } else { value.signum() * f64::MAX };
    Some(Slope { value, error, p: Normal::standard().sf(z) })
}
