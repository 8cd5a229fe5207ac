//! The question to the gate: a customer, a channel, candidates, and the facts that come with them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// A customer field as policy reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// No value.
    Null,
    /// Text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// A number as its text.
    Number(String),
    /// Anything policy makes nothing of.
    Other,
}

/// The customer's record by field name.
pub type Fields = BTreeMap<String, FieldValue>;

/// An offer to be judged, as the catalogue describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The offer.
    pub offer_id: String,
    /// Its category's name as the offer gives it.
    pub category: String,
    /// Its category's id, when that is stored.
    pub category_id: String,
    /// Its subcategory.
    pub subcategory: String,
    /// Why it contacts.
    pub purpose: String,
    /// What one contact with it costs, in 1/10,000 of the tenant's currency.
    pub cost: i64,
}

/// Who is to be contacted, where, when, with what.
#[derive(Clone, Debug)]
pub struct Question {
    /// The customer.
    pub customer_id: String,
    /// Name or id of the channel; empty when nobody is contacted.
    pub channel: String,
    /// The decision's instant.
    pub now: DateTime<Utc>,
    /// The customer's record.
    pub fields: Fields,
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// Acknowledged, not yet delivered.
    pub pending: Vec<Outcome>,
    /// Leaves out what is later.
    pub as_of: Option<DateTime<Utc>>,
    /// The policy revision that the caller planned with; any when `None`.
    pub policy_revision: Option<i64>,
    /// Id of the flow that decides; empty when unknown.
    pub flow_id: String,
}

/// Something the customer did, or that was done to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Its id.
    pub outcome_id: String,
    /// The customer.
    pub customer_id: String,
    /// Its place in the customer's order.
    pub customer_seq: i64,
    /// Key of its type.
    pub key: String,
    /// True when it is a contact.
    pub counts_as_contact: bool,
    /// True when it gives its reservation back.
    pub releases: bool,
    /// The decision it names.
    pub decision_id: String,
    /// The rank it names; 0 for none.
    pub rank: i64,
    /// Id of the flow of that decision; empty without one.
    pub flow_id: String,
    /// The offer.
    pub offer: Candidate,
    /// Name or id of the channel.
    pub channel: String,
    /// When it happened.
    pub occurred_at: Option<DateTime<Utc>>,
    /// When it was received.
    pub received_at: Option<DateTime<Utc>>,
}
