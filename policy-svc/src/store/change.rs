//! What is to be written about one customer.

use chrono::{DateTime, Utc};

use super::{known::Known, request::Earlier};
use crate::domain::{
    consent::ConsentRecord,
    contact::Contact,
    ledger::{Ledger, OutcomeRecord},
};

/// What is to be written about one customer.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version it was judged by. Nothing is written when the customer has another by now.
    pub version: i64,
    /// The ledger instant.
    pub ledger_at: DateTime<Utc>,
    /// The last outcome applied.
    pub applied_seq: i64,
    /// New and changed contacts.
    pub contacts: Vec<Contact>,
    /// Outcomes applied.
    pub outcomes: Vec<OutcomeRecord>,
    /// New consent records.
    pub consents: Vec<ConsentRecord>,
    /// What becomes of the answer kept for retries of a request.
    pub answer: Option<AnswerChange>,
}

/// What becomes of the answer kept for retries of a request.
#[derive(Clone, Debug)]
pub enum AnswerChange {
    /// It is kept under this request key.
    Keep(String, Earlier),
    /// The one of this request key is removed.
    Forget(String),
}

impl Change {
    /// Nothing but the ledger instant.
    pub fn none(known: &Known) -> Self {
        Self {
            version: known.version,
            ledger_at: known.ledger_at,
            applied_seq: known.applied_seq,
            contacts: Vec::new(),
            outcomes: Vec::new(),
            consents: Vec::new(),
            answer: None,
        }
    }

    /// What changed in the ledger.
    pub fn of(version: i64, ledger: Ledger) -> Self {
        let (ledger_at, applied_seq) = (ledger.at(), ledger.applied_seq());
        let changes = ledger.changes();
        Self {
            version,
            ledger_at,
            applied_seq,
            contacts: changes.contacts,
            outcomes: changes.outcomes,
            consents: changes.consents,
            answer: None,
        }
    }

    /// `None` when it changes nothing but the ledger instant: enough for a retry, by which nothing
    /// is judged.
    pub fn unless_empty(self) -> Option<Self> {
        let is_empty =
            self.contacts.is_empty() && self.outcomes.is_empty() && self.consents.is_empty();
        (!is_empty).then_some(self)
    }
}
