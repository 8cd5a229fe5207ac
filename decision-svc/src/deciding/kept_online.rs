//! Stored forms of the online model of propensity: what a decision keeps to be learned from,
//! what is learned, and what is published.

use crate::domain::{
    online_learner::{BINS, Bin, Coordinate, LearnedContact, OnlineState, Validation},
    score::{OnlineEstimate, OnlineInput, OnlineModel},
};

/// What the online model learns of the contacts of a decision. Lists belong together.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptInput {
    /// Places of the encoded features: each is that much more than the one before.
    #[prost(uint32, repeated, tag = "1")]
    slots: Vec<u32>,
    /// Their values.
    #[prost(double, repeated, tag = "2")]
    values: Vec<f64>,
    /// Ranks of the offers.
    #[prost(int32, repeated, tag = "3")]
    ranks: Vec<i32>,
    /// The shrinkage estimate of each.
    #[prost(double, repeated, tag = "4")]
    shrunk: Vec<f64>,
}

/// What is learned of a flow. Lists belong together.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptState {
    #[prost(uint32, repeated, tag = "1")]
    slots: Vec<u32>,
    #[prost(double, repeated, tag = "2")]
    z: Vec<f64>,
    #[prost(double, repeated, tag = "3")]
    n: Vec<f64>,
    /// Contacts and positives in turn: of all, then of each bin.
    #[prost(uint64, repeated, tag = "4")]
    counts: Vec<u64>,
    /// Log loss of the model, of shrinkage, then the sum of the predictions of each bin.
    #[prost(double, repeated, tag = "5")]
    sums: Vec<f64>,
}

/// A published model. Lists belong together.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptModel {
    #[prost(uint32, repeated, tag = "1")]
    slots: Vec<u32>,
    #[prost(double, repeated, tag = "2")]
    weights: Vec<f64>,
}

impl KeptInput {
    /// What is kept of the encoded features, and of offers by rank.
    pub fn of(
        input: &OnlineInput,
        offers: impl Iterator<Item = (i32, Option<OnlineEstimate>)>,
    ) -> Self {
        let mut kept = Self::default();
        let mut before = 0;
        for (slot, value) in &input.0 {
            kept.slots.push(slot - before);
            kept.values.push(*value);
            before = *slot;
        }
        for (rank, estimate) in offers {
            let Some(estimate) = estimate else { continue };
            kept.ranks.push(rank);
            kept.shrunk.push(estimate.shrunk);
        }
        kept
    }

    /// The contact with the offer of a rank; none when the offer is not kept.
    pub fn contact(&self, rank: i64, is_positive: bool) -> Option<LearnedContact> {
        let mut offers = self.ranks.iter().zip(&self.shrunk);
        let (_, shrunk) = offers.find(|(known, _)| i64::from(**known) == rank)?;
        let mut slot = 0;
        let input = self.slots.iter().zip(&self.values).map(|(step, value)| {
            slot += step;
            (slot, *value)
        });
        let input = OnlineInput(input.collect());
        Some(LearnedContact { input, shrunk: *shrunk, is_positive })
    }
}

impl KeptState {
    /// What is kept.
    pub fn of(state: &OnlineState) -> Self {
        let (of, bins) = (&state.validation, &state.validation.bins);
        let mut counts = vec![of.contacts, of.positives];
        counts.extend(bins.iter().flat_map(|bin| [bin.contacts, bin.positives]));
        let mut sums = vec![of.loss, of.loss_of_shrinkage];
        sums.extend(bins.iter().map(|bin| bin.predicted));
        Self {
            slots: state.coordinates.iter().map(|it| it.slot).collect(),
            z: state.coordinates.iter().map(|it| it.z).collect(),
            n: state.coordinates.iter().map(|it| it.n).collect(),
            counts,
            sums,
        }
    }

    /// What was kept.
    pub fn state(&self) -> OnlineState {
        let pairs = self.slots.iter().zip(self.z.iter().zip(&self.n));
        let coordinates =
            pairs.map(|(slot, (z, n))| Coordinate { slot: *slot, z: *z, n: *n }).collect();
        let count = |place: usize| self.counts.get(place).copied().unwrap_or_default();
        let sum = |place: usize| self.sums.get(place).copied().unwrap_or_default();
        let mut bins = [Bin::default(); BINS];
        for (place, bin) in bins.iter_mut().enumerate() {
            let (contacts, positives) = (count(2 + 2 * place), count(3 + 2 * place));
            *bin = Bin { contacts, positives, predicted: sum(2 + place) };
        }
        let validation = Validation {
            contacts: count(0),
            positives: count(1),
            loss: sum(0),
            loss_of_shrinkage: sum(1),
            bins,
        };
        OnlineState { coordinates, validation }
    }
}

impl KeptModel {
    /// What is kept.
    pub fn of(model: &OnlineModel) -> Self {
        let (slots, weights) = model.weights.iter().map(|(slot, weight)| (*slot, *weight)).unzip();
        Self { slots, weights }
    }

    /// What was kept under a version.
    pub fn model(&self, version: u64) -> OnlineModel {
        let weights = self.slots.iter().copied().zip(self.weights.iter().copied()).collect();
        OnlineModel { version, weights }
    }
}
