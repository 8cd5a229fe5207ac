//! What an answer says about an offer, the same for every customer.

use crate::domain::{
    rank::Worth,
    schedule::{Mandate, Schedule},
    snapshot::Offer,
};

/// An offer as flows consider it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// The offer.
    pub offer_id: String,
    /// Its name.
    pub name: String,
    /// Category as the offer names it.
    pub category: String,
    /// Id of the category, when it is stored and active.
    pub category_id: String,
    /// A finer group.
    pub subcategory: String,
    /// Purpose of the contact.
    pub purpose: String,
    /// What one contact costs, in 1/10,000 of the currency.
    pub cost_e4: i64,
    /// What the offer says about its rank.
    pub worth: Worth,
    /// When it may be offered.
    pub schedule: Schedule,
    /// Puts it above the others.
    pub mandate: Option<Mandate>,
}

impl Candidate {
    /// The candidate that an offer is.
    pub fn new(offer: &Offer, category_id: &str) -> Self {
        Self {
            offer_id: offer.id.clone(),
            name: offer.name.clone(),
            category: offer.category.clone(),
            category_id: category_id.to_owned(),
            subcategory: offer.subcategory.clone(),
            purpose: offer.purpose.clone(),
            cost_e4: offer.cost_e4,
            worth: Worth::of(offer),
            schedule: offer.schedule,
            mandate: offer.mandate.clone(),
        }
    }
}
