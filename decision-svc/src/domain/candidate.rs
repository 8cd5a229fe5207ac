//! A candidate: the parts of an answer about an offer that are the same for every customer.

use std::ops::Deref;

use crate::domain::{
    offer_subject::OfferSubject,
    rank::Worth,
    schedule::{Mandate, Schedule},
    snapshot::Offer,
};

/// An offer as flows consider it. Reads as its subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// What it is about.
    pub subject: OfferSubject,
    /// Its name.
    pub name: String,
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
            subject: OfferSubject::of(offer, category_id),
            name: offer.name.clone(),
            worth: Worth::of(offer),
            schedule: offer.schedule,
            mandate: offer.mandate.clone(),
        }
    }
}

impl Deref for Candidate {
    type Target = OfferSubject;

    fn deref(&self) -> &OfferSubject {
        &self.subject
    }
}
