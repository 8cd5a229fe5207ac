//! A customer's contacts, and how outcomes change them.
//!
//! The same code applies outcomes that were delivered, that are pending inside a Reserve, and that
//! a Check only assumes, so the answers agree. A caller with the lock writes the changes; a Check
//! writes nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    channel::Channel,
    consent::{ConsentRecord, EVERY_CHANNEL},
    contact::{ChannelRef, Contact, State},
    facts::{ContactFact, OutcomeFact, Standing, Subject},
    folded,
    question::{Candidate, Outcome},
};

/// Key of the outcome that withdraws consent.
pub const OPT_OUT: &str = "opt_out";

/// An outcome as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeRecord {
    /// Its id.
    pub outcome_id: String,
    /// Its place in the customer's order.
    pub customer_seq: i64,
    /// Key of its type.
    pub key: String,
    /// The offer it names.
    pub offer: Candidate,
    /// The channel it names.
    pub channel: ChannelRef,
    /// When it happened: never after its receipt.
    pub at: DateTime<Utc>,
}

impl OutcomeRecord {
    /// The part that policies read.
    pub fn fact(&self) -> OutcomeFact {
        let subject = Subject::new(&self.offer, &self.channel.id, &self.channel.name);
        OutcomeFact { key: self.key.clone(), at: self.at, subject }
    }
}

/// What is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New and changed contacts.
    pub contacts: Vec<Contact>,
    /// Outcomes applied.
    pub outcomes: Vec<OutcomeRecord>,
    /// Withdrawals.
    pub consents: Vec<ConsentRecord>,
}

/// A customer's contacts at the ledger instant.
#[derive(Clone, Debug)]
pub struct Ledger {
    at: DateTime<Utc>,
    applied_seq: i64,
    contacts: Vec<Contact>,
    /// By index, what a changed contact was before; nothing for a new one.
    touched: BTreeMap<usize, Option<Contact>>,
    outcomes: Vec<OutcomeRecord>,
    consents: Vec<ConsentRecord>,
}

impl Ledger {
    /// The ledger as stored. Outcomes up to `applied_seq` were applied before.
    pub fn new(at: DateTime<Utc>, applied_seq: i64, contacts: Vec<Contact>) -> Self {
        Self {
            at,
            applied_seq,
            contacts,
            touched: BTreeMap::new(),
            outcomes: Vec::new(),
            consents: Vec::new(),
        }
    }

    /// The ledger instant.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The last outcome applied.
    pub fn applied_seq(&self) -> i64 {
        self.applied_seq
    }

    /// The contact of a decision and rank.
    pub fn find(&self, decision_id: &str, rank: i64) -> Option<&Contact> {
        self.contacts.get(self.position(decision_id, rank)?)
    }

    /// Contacts and live reservations. With `as_of`, what is later is left out and reservations
    /// count while they last beyond it.
    pub fn contact_facts(&self, as_of: Option<DateTime<Utc>>) -> Vec<ContactFact> {
        let now = as_of.unwrap_or(self.at);
        let standing =
            |contact: &Contact| match (contact.state, contact.committed_at, contact.reserved_until)
            {
                (State::Committed, Some(at), _) if as_of.is_none_or(|as_of| at <= as_of) => {
                    Some(Standing::Committed(at))
                }
                (State::Reserved | State::Expired, _, Some(until)) if until > now => {
                    Some(Standing::Reserved(until))
                }
                _ => None,
            };
        let fact = |contact: &Contact| {
            let (contact_id, standing) = (contact.contact_id.clone(), standing(contact)?);
            Some(ContactFact { contact_id, subject: contact.subject(), standing })
        };
        self.contacts.iter().filter_map(fact).collect()
    }

    /// Contacts that changed here, each with what it was before; nothing for a new one.
    pub fn changed(&self) -> impl Iterator<Item = (Option<&Contact>, &Contact)> {
        let touched = self.touched.iter();
        touched.filter_map(|(index, before)| Some((before.as_ref(), self.contacts.get(*index)?)))
    }

    /// How many contacts and reservations are known.
    pub fn contact_count(&self) -> usize {
        self.contacts.len()
    }

    /// Outcomes applied here.
    pub fn new_outcomes(&self) -> &[OutcomeRecord] {
        &self.outcomes
    }

    /// Withdrawals applied here.
    pub fn new_consents(&self) -> &[ConsentRecord] {
        &self.consents
    }

    /// Adds a contact or a reservation.
    pub fn add(&mut self, contact: Contact) {
        self.touched.insert(self.contacts.len(), None);
        self.contacts.push(contact);
    }

    /// Commits the contact of a decision and rank at the ledger instant, or else `fresh`. What is
    /// not held any more is reserved and committed at once. Gives the contact's id.
    pub fn commit(
        &mut self,
        decision_id: &str,
        rank: i64,
        fresh: impl FnOnce() -> Contact,
    ) -> String {
        let at = self.at;
        let index = self.position(decision_id, rank).unwrap_or_else(|| {
            self.add(fresh());
            self.contacts.len() - 1
        });
        let commit = |contact: &mut Contact| {
            if !contact.is_live(at) {
                (contact.reserved_at, contact.reserved_until) = (Some(at), Some(at));
            }
            (contact.state, contact.committed_at, contact.is_unreserved) =
                (State::Committed, Some(at), false);
            contact.contact_id.clone()
        };
        self.touch(index).map(commit).unwrap_or_default()
    }

    /// Gives the live slots of a decision back, all or that of one rank; says how many.
    pub fn release(&mut self, decision_id: &str, rank: Option<i64>) -> usize {
        let at = self.at;
        let mut released = 0;
        let is_held = |contact: &Contact| {
            let is_named =
                contact.decision_id == decision_id && rank.is_none_or(|rank| contact.rank == rank);
            is_named && contact.is_live(at)
        };
        for index in 0..self.contacts.len() {
            if self.contacts.get(index).is_some_and(is_held)
                && let Some(contact) = self.touch(index)
            {
                contact.state = State::Released;
                released += 1;
            }
        }
        released
    }

    /// Applies an outcome, once. `new_contact_id` is used for a contact that was not known.
    pub fn apply(
        &mut self,
        outcome: &Outcome,
        channels: &[Channel],
        new_contact_id: impl FnOnce() -> String,
    ) {
        if outcome.customer_seq <= self.applied_seq {
            return;
        }
        self.applied_seq = outcome.customer_seq;
        let channel = ChannelRef::named(&outcome.channel, channels);
        // The sender's clock may be ahead: nothing happened after it got here.
        let received_at = outcome.received_at.map_or(self.at, |at| at.min(self.at));
        let occurred_at = outcome.occurred_at.map_or(received_at, |at| at.min(received_at));
        if outcome.counts_as_contact {
            self.contact_happened(outcome, &channel, occurred_at, new_contact_id);
        } else if outcome.releases && !outcome.decision_id.is_empty() && outcome.rank > 0 {
            self.release(&outcome.decision_id, Some(outcome.rank));
        }
        if outcome.key == OPT_OUT {
            self.withdraw(outcome, &channel, occurred_at);
        }
        self.outcomes.push(OutcomeRecord {
            outcome_id: outcome.outcome_id.clone(),
            customer_seq: outcome.customer_seq,
            key: outcome.key.clone(),
            offer: outcome.offer.clone(),
            channel,
            at: occurred_at,
        });
    }

    /// What is to be written. Slots that lapsed are marked so, that they are not read for ever.
    pub fn changes(self) -> Changes {
        let Self { at, contacts, touched, outcomes, consents, .. } = self;
        let changed = |(index, mut contact): (usize, Contact)| {
            let is_lapsed = contact.state != contact.state_at(at);
            contact.state = contact.state_at(at);
            (is_lapsed || touched.contains_key(&index)).then_some(contact)
        };
        Changes {
            contacts: contacts.into_iter().enumerate().filter_map(changed).collect(),
            outcomes,
            consents,
        }
    }

    fn position(&self, decision_id: &str, rank: i64) -> Option<usize> {
        if decision_id.is_empty() || rank <= 0 {
            return None;
        }
        self.contacts
            .iter()
            .position(|contact| contact.decision_id == decision_id && contact.rank == rank)
    }

    /// The reservation an impression commits: the one it names, else the oldest live one of that
    /// offer and channel.
    fn contact_happened(
        &mut self,
        outcome: &Outcome,
        channel: &ChannelRef,
        occurred_at: DateTime<Utc>,
        new_contact_id: impl FnOnce() -> String,
    ) {
        let at = self.at;
        if let Some(index) = self.position(&outcome.decision_id, outcome.rank) {
            self.happened(index, occurred_at);
            return;
        }
        let oldest = self.oldest_live(&outcome.offer.offer_id, channel);
        let is_named = !outcome.decision_id.is_empty() && outcome.rank > 0;
        if let (Some(index), false) = (oldest, is_named) {
            self.happened(index, occurred_at);
            return;
        }
        // A decision that held no slot of its own takes the other's over and stays known by its own
        // name. Were it counted under the other's, the other's impression would be the same contact
        // and go uncounted.
        let taken = oldest.and_then(|index| self.touch(index));
        let reserved_at = taken.as_ref().and_then(|contact| contact.reserved_at);
        let reserved_until = taken.as_ref().and_then(|contact| contact.reserved_until);
        let is_unreserved = taken.is_none();
        if let Some(contact) = taken {
            contact.state = State::Released;
        }
        self.add(Contact {
            contact_id: new_contact_id(),
            decision_id: outcome.decision_id.clone(),
            rank: outcome.rank,
            offer: outcome.offer.clone(),
            channel: channel.clone(),
            flow_id: outcome.flow_id.clone(),
            state: State::Committed,
            created_at: at,
            reserved_at,
            reserved_until,
            committed_at: Some(
                reserved_at.map_or(occurred_at, |reserved_at| occurred_at.max(reserved_at)),
            ),
            is_unreserved,
        });
    }

    /// The contact happened; twice is once. Its instant lies between its reservation and its
    /// receipt.
    fn happened(&mut self, index: usize, occurred_at: DateTime<Utc>) {
        let at = self.at;
        if self.contacts.get(index).is_none_or(|contact| contact.state == State::Committed) {
            return;
        }
        let Some(contact) = self.touch(index) else { return };
        contact.is_unreserved = !contact.is_live(at);
        contact.state = State::Committed;
        contact.committed_at = Some(
            contact.reserved_at.map_or(occurred_at, |reserved_at| occurred_at.max(reserved_at)),
        );
    }

    /// A contact that is about to change.
    fn touch(&mut self, index: usize) -> Option<&mut Contact> {
        let contact = self.contacts.get_mut(index)?;
        self.touched.entry(index).or_insert_with(|| Some(contact.clone()));
        Some(contact)
    }

    fn oldest_live(&self, offer_id: &str, channel: &ChannelRef) -> Option<usize> {
        if offer_id.is_empty() {
            return None;
        }
        let fits = |contact: &Contact| {
            contact.is_live(self.at)
                && contact.offer.offer_id == offer_id
                && (channel.id.is_empty() || contact.channel.id == channel.id)
        };
        let live = self.contacts.iter().enumerate().filter(|(_, contact)| fits(contact));
        live.min_by_key(|(_, contact)| (contact.reserved_at, &contact.contact_id))
            .map(|(index, _)| index)
    }

    /// Without a channel it holds for every channel that contacts people. Unless the customer's
    /// instant was reported apart from the receipt it is the ledger instant, which nothing recorded
    /// before can outdo.
    fn withdraw(&mut self, outcome: &Outcome, channel: &ChannelRef, occurred_at: DateTime<Utc>) {
        let is_at_receipt =
            outcome.occurred_at.is_none() || outcome.occurred_at == outcome.received_at;
        let (channel_id, channel_folded) = match channel.id.as_str() {
            "" => (EVERY_CHANNEL.to_owned(), EVERY_CHANNEL.to_owned()),
            id => (id.to_owned(), folded(&channel.name)),
        };
        self.consents.push(ConsentRecord {
            channel_id,
            channel_folded,
            is_grant: false,
            at: if is_at_receipt { self.at } else { occurred_at },
            source: format!("outcome {OPT_OUT}"),
            evidence: outcome.outcome_id.clone(),
            received_at: self.at,
        });
    }
}

#[cfg(test)]
mod tests;
