//! Learns the online model of propensity, contact by contact, by FTRL-proximal of linfa-ftrl.
//!
//! McMahan et al., Ad Click Prediction: a View from the Trenches, KDD 2013, algorithm 1. Each
//! contact is predicted before it is learned, so the comparison with the shrinkage estimate is
//! about what the model had not seen (progressive validation).

use linfa::{DatasetBase, dataset::Pr};
use linfa_ftrl::Ftrl;
use ndarray::{Array1, Array2};

use crate::domain::score::{OnlineInput, OnlineModel, SLOTS, log_odds, logistic};

/// α of the algorithm: how far a step goes.
pub const ALPHA: f64 = 0.1;
/// β: how soon steps become smaller.
pub const BETA: f64 = 1.0;
/// λ₁: weights are never made zero.
pub const L1: f64 = 0.0;
/// λ₂: weights are drawn to zero, that is to the shrinkage estimate.
pub const L2: f64 = 1.0;
/// Bins of the calibration, equally wide.
pub const BINS: usize = 10;
/// Probabilities are kept this far from 0 and 1 where their logarithm is taken.
const LOSS_MARGIN: f64 = 1e-6;

/// A contact to be learned.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedContact {
    /// What was known of the customer.
    pub input: OnlineInput,
    /// The shrinkage estimate of the offer at the decision.
    pub shrunk: f64,
    /// The customer responded in time.
    pub is_positive: bool,
}

/// What is kept of a place: z and n of the algorithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinate {
    /// The place.
    pub slot: u32,
    /// Sum of the gradients, adjusted.
    pub z: f64,
    /// Sum of their squares.
    pub n: f64,
}

/// Contacts of one bin of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub contacts: u64,
    /// Those with a positive response.
    pub positives: u64,
    /// The sum of the predictions.
    pub predicted: f64,
}

/// How well contacts were predicted before they were learned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Validation {
    /// Contacts learned.
    pub contacts: u64,
    /// Those with a positive response.
    pub positives: u64,
    /// Log loss of the model, summed, in nats.
    pub loss: f64,
    /// Log loss of the shrinkage estimates, summed, in nats.
    pub loss_of_shrinkage: f64,
    /// By the tenth in which the prediction lies.
    pub bins: [Bin; BINS],
}

/// What is learned; everything that the next contact needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnlineState {
    /// Places that have learned something, in their order.
    pub coordinates: Vec<Coordinate>,
    /// How well it predicted.
    pub validation: Validation,
}

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the state of an online model cannot be read: {0}")]
pub struct BrokenState(#[from] serde_json::Error);

impl OnlineState {
    /// Learns contacts in this order.
    pub fn learn(&mut self, contacts: &[LearnedContact]) -> Result<(), BrokenState> {
        let mut model = self.ftrl()?;
        for contact in contacts {
            let mut row = Array2::zeros((1, SLOTS as usize));
            let weights = model.get_weights();
            let mut sum = log_odds(contact.shrunk);
            for (slot, value) in contact.input.complete(contact.shrunk) {
                let slot = slot as usize;
                sum += weights.get(slot).copied().unwrap_or_default() * value;
                if let Some(cell) = row.get_mut((0, slot)) {
                    *cell += value;
                }
            }
            let predicted = logistic(sum);
            self.validation.add(predicted, contact);
            let dataset = DatasetBase::new(row, Array1::from_elem(1, contact.is_positive));
            model.update(&dataset, Array1::from_elem(1, Pr::new(predicted as f32)).view());
        }
        let pairs = (0..).zip(model.z().iter().zip(model.n()));
        let all = pairs.map(|(slot, (z, n))| Coordinate { slot, z: *z, n: *n });
        self.coordinates = all.filter(|it| it.z != 0.0 || it.n != 0.0).collect();
        Ok(())
    }

    /// The model as it may be published.
    pub fn model(&self, version: u64) -> Result<OnlineModel, BrokenState> {
        let weights = (0..).zip(self.ftrl()?.get_weights());
        let weights = weights.filter(|(_, weight)| *weight != 0.0).collect();
        Ok(OnlineModel { version, weights })
    }

    /// The optimizer in this state. Its own form keeps each bit of a number.
    fn ftrl(&self) -> Result<Ftrl<f64>, BrokenState> {
        let (mut z, mut n) = (vec![0.0; SLOTS as usize], vec![0.0; SLOTS as usize]);
        for known in &self.coordinates {
            let slot = known.slot as usize;
            if let (Some(z), Some(n)) = (z.get_mut(slot), n.get_mut(slot)) {
                (*z, *n) = (known.z, known.n);
            }
        }
        let array = |data: Vec<f64>| serde_json::json!({"v": 1, "dim": [SLOTS], "data": data});
        let parts = serde_json::json!({
            "alpha": ALPHA, "beta": BETA, "l1_ratio": L1, "l2_ratio": L2,
            "z": array(z), "n": array(n),
        });
        Ok(serde_json::from_value(parts)?)
    }
}

impl Validation {
    fn add(&mut self, predicted: f64, contact: &LearnedContact) {
        let positive = u64::from(contact.is_positive);
        self.contacts += 1;
        self.positives += positive;
        self.loss += loss(predicted, contact.is_positive);
        self.loss_of_shrinkage += loss(contact.shrunk, contact.is_positive);
        let tenth = ((predicted * BINS as f64) as usize).min(BINS - 1);
        if let Some(bin) = self.bins.get_mut(tenth) {
            bin.contacts += 1;
            bin.positives += positive;
            bin.predicted += predicted;
        }
    }
}

fn loss(predicted: f64, is_positive: bool) -> f64 {
    let bounded = predicted.clamp(LOSS_MARGIN, 1.0 - LOSS_MARGIN);
    -libm::log(if is_positive { bounded } else { 1.0 - bounded })
}

#[cfg(test)]
mod tests;
