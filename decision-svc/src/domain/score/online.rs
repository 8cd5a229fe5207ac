//! The online model of propensity: what the flow's features say beyond the shrinkage estimate.
//!
//! It is a logistic model. Its log odds are those of the shrinkage estimate plus a weighted sum of
//! the encoded features, so a model that has learned nothing is the shrinkage estimate. Weights are
//! learned elsewhere; encoding and prediction are fixed, so that learning can go on for ever.

use std::collections::BTreeMap;

use super::PROPENSITY_PRIOR;
use crate::domain::{
    lot::lot,
    scalar::{Fields, Scalar},
};

/// Places of an input. Place 0 is always 1, place 1 the log odds of the shrinkage estimate, and
/// names are hashed to the others.
pub const SLOTS: u32 = 4_096;
/// Places that no name is hashed to.
const OWN_SLOTS: u32 = 2;
/// Begins what is hashed, so that another encoding has other places.
const SALT: &str = "proffer online propensity 1";
/// Log odds are cut off here, as linfa-ftrl does.
const LOG_ODDS_MAX: f64 = 35.0;

/// Whether and how a flow uses the online model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnlinePropensity {
    /// Nothing is learned online.
    #[default]
    Off,
    /// It is learned, recorded and shown, and not used.
    Shadow,
    /// It gives the propensity.
    Active,
}

/// What a flow's features are for the model: values by place, in the order of places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnlineInput(pub Vec<(u32, f64)>);

/// A published model.
#[derive(Clone, Debug, PartialEq)]
pub struct OnlineModel {
    /// Its version, from 1 for each flow.
    pub version: u64,
    /// Weights by place; others are 0.
    pub weights: BTreeMap<u32, f64>,
}

/// A model with the features of one customer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnlineScorer {
    /// The model's version.
    pub version: u64,
    /// What the features add to the log odds.
    pub shift: f64,
    /// The weight of the log odds of the shrinkage estimate.
    pub slope: f64,
    /// It gives the propensity.
    pub is_used: bool,
}

/// What the model says of an offer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OnlineEstimate {
    /// The shrinkage estimate.
    pub shrunk: f64,
    /// Version and propensity of the model; none when no version is published.
    pub found: Option<(u64, f64)>,
    /// The propensity is used.
    pub is_used: bool,
}

impl OnlineInput {
    /// The features of these names, encoded. What has no value is missing.
    pub fn encode<'a>(names: impl IntoIterator<Item = &'a str>, features: &Fields) -> Self {
        let mut values: BTreeMap<u32, f64> = BTreeMap::new();
        for name in names {
            let (slot, value) = match features.get(name) {
                Some(Scalar::Boolean(is)) => (slot(&["boolean", name]), f64::from(u8::from(*is))),
                Some(Scalar::String(text)) => (slot(&["text", name, text]), 1.0),
                Some(Scalar::Integer(number)) => {
                    (slot(&["number", name]), signed_log(*number as f64))
                }
                Some(Scalar::Double(number)) => (slot(&["number", name]), signed_log(*number)),
                Some(Scalar::Decimal(text)) => {
                    (slot(&["number", name]), signed_log(text.parse().unwrap_or_default()))
                }
                Some(Scalar::List(_)) | None => (slot(&["missing", name]), 1.0),
            };
            *values.entry(slot).or_default() += value;
        }
        Self(values.into_iter().filter(|(_, value)| *value != 0.0).collect())
    }

    /// The same with the places that belong to every input.
    pub fn complete(&self, shrunk: f64) -> impl Iterator<Item = (u32, f64)> {
        [(0, 1.0), (1, log_odds(shrunk))].into_iter().chain(self.0.iter().copied())
    }
}

impl OnlineModel {
    /// The model with the features of one customer.
    pub fn scorer(&self, input: &OnlineInput, is_used: bool) -> OnlineScorer {
        let weight = |slot: u32| self.weights.get(&slot).copied().unwrap_or_default();
        let mut shift = weight(0);
        for (slot, value) in &input.0 {
            shift += weight(*slot) * value;
        }
        OnlineScorer { version: self.version, shift, slope: weight(1), is_used }
    }
}

impl OnlineScorer {
    /// The propensity of an offer with this shrinkage estimate.
    #[inline]
    pub fn propensity(&self, shrunk: f64) -> f64 {
        let odds = log_odds(shrunk);
        logistic(odds + self.slope * odds + self.shift)
    }

    /// The same beside what it rests on.
    pub fn estimate(&self, shrunk: f64) -> OnlineEstimate {
        let found = Some((self.version, self.propensity(shrunk)));
        OnlineEstimate { shrunk, found, is_used: self.is_used }
    }
}

/// The logistic function, in the form that linfa-ftrl uses.
pub fn logistic(log_odds: f64) -> f64 {
    let bounded = log_odds.clamp(-LOG_ODDS_MAX, LOG_ODDS_MAX);
    if bounded < 0.0 {
        let odds = libm::exp(bounded);
        odds / (odds + 1.0)
    } else {
        1.0 / (1.0 + libm::exp(-bounded))
    }
}

/// ln(p / (1 − p)); that of the prior where there is none.
pub fn log_odds(probability: f64) -> f64 {
    let known = probability > 0.0 && probability < 1.0;
    let probability = if known { probability } else { PROPENSITY_PRIOR };
    libm::log(probability / (1.0 - probability))
}

/// sign(x) · ln(1 + |x|).
fn signed_log(number: f64) -> f64 {
    if number.is_finite() { libm::copysign(libm::log1p(number.abs()), number) } else { 0.0 }
}

fn slot(parts: &[&str]) -> u32 {
    let mut texts = vec![SALT];
    texts.extend(parts);
    let place = lot(&texts) % u64::from(SLOTS - OWN_SLOTS);
    OWN_SLOTS + u32::try_from(place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }

    #[test]
    fn every_kind_of_value_has_a_place_of_its_own() {
        let features = Fields::from([
            ("age".to_owned(), Scalar::Integer(-40)),
            ("member".to_owned(), Scalar::Boolean(true)),
            ("tier".to_owned(), Scalar::String("gold".to_owned())),
        ]);
        let input = OnlineInput::encode(["age", "member", "tier", "spent"], &features);
        let expected = BTreeMap::from([
            (slot(&["number", "age"]), -libm::log(41.0)),
            (slot(&["boolean", "member"]), 1.0),
            (slot(&["text", "tier", "gold"]), 1.0),
            (slot(&["missing", "spent"]), 1.0),
        ]);
        assert_eq!(input.0.len(), expected.len());
        for ((slot, value), (place, number)) in input.0.iter().zip(&expected) {
            assert_eq!(slot, place);
            close(*value, *number);
        }
        assert!(input.0.iter().all(|(slot, _)| (OWN_SLOTS..SLOTS).contains(slot)));
    }

    #[test]
    fn without_weights_it_is_the_shrinkage_estimate() {
        let model = OnlineModel { version: 1, weights: BTreeMap::new() };
        let scorer = model.scorer(&OnlineInput(vec![(7, 3.0)]), true);
        for shrunk in [0.001, 0.2, 0.5, 0.97] {
            close(scorer.propensity(shrunk), shrunk);
        }
        close(scorer.propensity(f64::NAN), 0.5);
    }

    #[test]
    fn weights_shift_the_log_odds() {
        let weights = BTreeMap::from([(0, 0.5), (1, -0.25), (7, 0.1), (9, 4.0)]);
        let scorer = OnlineModel { version: 3, weights }.scorer(&OnlineInput(vec![(7, 3.0)]), true);
        let odds = libm::log(0.2 / 0.8);
        close(scorer.propensity(0.2), 1.0 / (1.0 + libm::exp(-(0.75 * odds + 0.8))));
        close(logistic(-100.0), logistic(-LOG_ODDS_MAX));
    }
}
