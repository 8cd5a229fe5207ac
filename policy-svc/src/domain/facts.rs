//! What is known about a customer at the ledger instant.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{folded, question::Candidate, shared_use::Used};

/// What a contact or an outcome was about, ready to be compared with scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The offer; empty without one.
    pub offer_id: String,
    /// Name of its category, folded.
    pub category_folded: String,
    /// Id of its category.
    pub category_id: String,
    /// Its subcategory, folded.
    pub subcategory_folded: String,
    /// The channel; empty without one.
    pub channel_id: String,
    /// The channel's name when it happened, folded.
    pub channel_folded: String,
    /// What a contact costs, in 1/10,000 of the currency.
    pub cost: i64,
}

impl Subject {
    /// An offer on a channel.
    pub fn new(offer: &Candidate, channel_id: &str, channel_name: &str) -> Self {
        Self {
            offer_id: offer.offer_id.clone(),
            category_folded: folded(&offer.category),
            category_id: offer.category_id.clone(),
            subcategory_folded: folded(&offer.subcategory),
            channel_id: channel_id.to_owned(),
            channel_folded: folded(channel_name),
            cost: offer.cost,
        }
    }
}

/// Whether a contact happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It happened then.
    Committed(DateTime<Utc>),
    /// A slot is held until then.
    Reserved(DateTime<Utc>),
}

/// A contact or a live reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactFact {
    /// Its id.
    pub contact_id: String,
    /// What it is about.
    pub subject: Subject,
    /// Whether it happened, and the instant that counts.
    pub standing: Standing,
}

/// An outcome of a key that some policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeFact {
    /// Its key.
    pub key: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What it was about.
    pub subject: Subject,
}

/// What the customer said about one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentFact {
    /// A grant, or a withdrawal.
    pub is_grant: bool,
    /// When the customer said so.
    pub at: DateTime<Utc>,
}

/// The inputs of a judgment beside configuration and question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The instant caps are judged at.
    pub ledger_at: DateTime<Utc>,
    /// Contacts in the longest window, and live reservations.
    pub contacts: Vec<ContactFact>,
    /// Outcomes in the longest window.
    pub outcomes: Vec<OutcomeFact>,
    /// Consent records that speak for the channel.
    pub consents: Vec<ConsentFact>,
    /// What each budget has been used for, by policy.
    pub budgets: BTreeMap<String, Used>,
    /// True when there were more contacts than could be read; then no cap has room.
    pub are_contacts_cut: bool,
    /// True when there were more outcomes than could be read; then no rest is over.
    pub are_outcomes_cut: bool,
}
