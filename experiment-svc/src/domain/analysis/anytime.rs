//! An interval that holds at every look: the asymptotic confidence sequence of Waudby-Smith,
//! Arbour, Sinha, Kennedy and Ramdas (2024).
//!
//! A fixed 95 % interval that is looked at every day excludes the truth sooner or later far too
//! often. This one is wider, and the chance that it ever excludes the truth is 5 %, however often
//! and at whatever moment somebody looks. It takes the pooled variance, because the unpooled one
//! runs low in a small holdout that misses the big spenders.

use super::{Effect, Interval};

/// The level: how often it may ever exclude the truth.
const ALPHA: f64 = 0.05;
/// Fewest buyers, or customers with an event, in the smaller arm.
pub const GUARDED_MIN: u64 = 10;
/// N* of an experiment that names no number of customers.
pub const N_STAR_DEFAULT: u64 = 5_000;

/// The interval, and the number of customers for which it is narrowest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Anytime {
    /// Of the difference.
    pub interval: Interval,
    /// Fixed when the experiment was created.
    pub n_star: u64,
}

/// The interval of an effect; none without variation.
pub fn anytime(effect: &Effect, n_star: u64) -> Option<Anytime> {
    let half = effect.pooled_variance.sqrt() * widening(effect.n, n_star);
    let interval = [effect.difference - half, effect.difference + half];
    (half > 0.0 && half.is_finite()).then_some(Anytime { interval, n_star })
}

/// What the standard error of `n` customers is multiplied by.
fn widening(n: f64, n_star: u64) -> f64 {
    let log = libm::log(ALPHA);
    let rho_squared = (-2.0 * log + libm::log(1.0 - 2.0 * log)) / n_star.max(1) as f64;
    let scaled = n * rho_squared;
    (2.0 * (scaled + 1.0) / scaled * libm::log((scaled + 1.0).sqrt() / ALPHA)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equation 9 of the paper's preprint (arXiv 2103.06476v7), by numpy, times the root of n.
    #[test]
    fn the_widening_is_that_of_the_paper() {
        for (n, expected) in [
            (100.0, 6.694_388_617_066_039),
            (5_000.0, 3.035_208_990_376_253),
            (64_000.0, 3.275_164_257_218_890_4),
        ] {
            let actual = widening(n, 5_000);
            assert!((actual - expected).abs() < 1e-12 * expected, "{n}: {actual}");
        }
    }
}
