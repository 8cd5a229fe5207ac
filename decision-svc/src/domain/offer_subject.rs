//! What contact policies need to know about an offer: category, subcategory, purpose, cost.

use crate::domain::snapshot::Offer;

/// What a contact with an offer is about: what consent, contact policies and budgets look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferSubject {
    /// The offer.
    pub offer_id: String,
    /// Category as the offer names it.
    pub category: String,
    /// Id of the category; empty when none is stored and active under that name.
    pub category_id: String,
    /// A finer group; may be empty.
    pub subcategory: String,
    /// Purpose of the contact, for consent.
    pub purpose: String,
    /// What one contact costs, in 1/10,000 of the currency.
    pub cost_e4: i64,
}

impl OfferSubject {
    /// What an offer is about, in the category of this id.
    pub fn of(offer: &Offer, category_id: &str) -> Self {
        Self {
            offer_id: offer.id.clone(),
            category: offer.category.clone(),
            category_id: category_id.to_owned(),
            subcategory: offer.subcategory.clone(),
            purpose: offer.purpose.clone(),
            cost_e4: offer.cost_e4,
        }
    }
}
