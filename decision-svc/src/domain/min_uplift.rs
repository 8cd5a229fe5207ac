//! Contact only where it pays: whether an offer is refused because contact of the customer cannot
//! earn what it costs. Never on a point estimate: only when the upper bound lies below the cost.

use wire::amount;

use crate::domain::{
    candidate::Candidate,
    effect::{EffectModel, Effects},
    facts::Facts,
    lot::lot,
    score::Uplift,
};

/// One in so many pairs of customer and offer passes whatever the model says, so that it can be
/// learned whether the model is right.
pub const PASSING_ONE_IN: u32 = 20;

/// The gate of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinUplift {
    /// What one more positive outcome is worth, in 1/10,000 of the currency; without it a model's
    /// effect in money counts.
    pub value_e4: Option<i64>,
}

/// What the gate says of a customer and an offer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gate {
    /// Contact may pay, or nobody knows.
    Open,
    /// Contact does not pay, and the pair is one of those that pass all the same.
    Passing,
    /// Contact does not pay: it earns at most so much, in 1/10,000 of the currency.
    Shut(f64),
}

impl Gate {
    /// The probability with which such a pair passes.
    pub fn probability(self) -> f64 {
        match self {
            Self::Open => 1.0,
            Self::Passing | Self::Shut(_) => 1.0 / f64::from(PASSING_ONE_IN),
        }
    }
}

impl MinUplift {
    /// Index of the model that says what contact with offers of a category earns.
    pub fn model(self, effects: &Effects, category_id: &str) -> Option<usize> {
        match self.value_e4 {
            Some(_) => effects.of(category_id),
            None => effects.of_money(category_id),
        }
    }

    /// What it says of an offer, from what the model says of the customer. A mandatory offer, one
    /// without a cost and one of which no model says anything always pass.
    pub fn judge(self, offer: &Candidate, found: Option<&Uplift>, facts: &Facts<'_>) -> Gate {
        let Some(found) = found.filter(|_| offer.cost_e4 > 0) else { return Gate::Open };
        let most = self.earns_at_most(found);
        let is_mandatory =
            || offer.mandate.as_ref().is_some_and(|mandate| facts.moment.now < mandate.expires_at);
        // What is not a number refuses nothing.
        let is_short = most < offer.cost_e4 as f64;
        if !is_short || is_mandatory() {
            return Gate::Open;
        }
        match passes(facts.flow_id, facts.customer_id, &offer.offer_id) {
            true => Gate::Passing,
            false => Gate::Shut(most),
        }
    }

    /// The upper bound of what contact earns, in 1/10,000 of the currency.
    fn earns_at_most(self, found: &Uplift) -> f64 {
        found.interval.1 * self.value_e4.unwrap_or(amount::PARTS) as f64
    }
}

/// Why an offer is refused whose contact earns at most so much, in 1/10,000 of the currency.
pub fn refusal(most_e4: f64, offer: &Candidate, model: &EffectModel) -> String {
    // INVARIANT: below the cost, so it fits.
    let (most, cost) = (amount::text(most_e4.round() as i64), amount::text(offer.cost_e4));
    let EffectModel { id, version, .. } = model;
    format!("contact earns at most {most} by `{id}` version {version}, and costs {cost}")
}

/// Whether a pair passes whatever the model says: for good, since nothing else is hashed. The salt
/// is the flow's own, and no experiment hashes an offer, so it is independent of every arm.
///
/// The first 8 bytes, big-endian, of SHA-256(`gate:` flow id ‖ 0x00 ‖ customer id ‖ 0x00 ‖ offer
/// id), as a share of 2^64, lie below 1/20. Integers of 128 bits, so every machine and language
/// agrees.
pub fn passes(flow_id: &str, customer_id: &str, offer_id: &str) -> bool {
    let head = lot(&[&format!("gate:{flow_id}"), customer_id, offer_id]);
    u128::from(head) * u128::from(PASSING_ONE_IN) < 1_u128 << 64
}

#[cfg(test)]
mod tests;
