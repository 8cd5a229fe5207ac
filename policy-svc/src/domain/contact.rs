//! One contact with a customer, or the slot held for one.

use chrono::{DateTime, Utc};

use super::{channel::Channel, facts::Subject, question::Candidate, scope::find_channel};

/// The state of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A slot is held.
    Reserved,
    /// It happened.
    Committed,
    /// The slot was given back.
    Released,
    /// The slot lapsed.
    Expired,
}

const STATES: [(State, &str); 4] = [
    (State::Reserved, "reserved"),
    (State::Committed, "committed"),
    (State::Released, "released"),
    (State::Expired, "expired"),
];

impl State {
    /// The state of this name.
    pub fn parse(word: &str) -> Option<Self> {
        STATES.iter().find(|(_, name)| *name == word).map(|(state, _)| *state)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        STATES.iter().find(|(state, _)| *state == self).map_or("", |(_, name)| name)
    }
}

/// A channel as it was when something happened there; both empty without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRef {
    /// Its id.
    pub id: String,
    /// Its name then.
    pub name: String,
}

impl ChannelRef {
    /// This channel, or none.
    pub fn of(channel: Option<&Channel>) -> Self {
        channel
            .map(|channel| Self { id: channel.id.clone(), name: channel.name.clone() })
            .unwrap_or_default()
    }

    /// The channel of this id or name. An unknown one keeps the name it was reported by.
    pub fn named(named: &str, channels: &[Channel]) -> Self {
        match find_channel(channels, named) {
            _ if named.is_empty() => Self::default(),
            Some(channel) => Self::of(Some(channel)),
            None => Self { id: named.to_owned(), name: named.to_owned() },
        }
    }
}

/// A contact, or the slot held for one. Known by decision and rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its id.
    pub contact_id: String,
    /// The decision it came from; empty for a report without one.
    pub decision_id: String,
    /// Rank within the decision, from 1; 0 for none.
    pub rank: i64,
    /// The offer as it was when it was decided.
    pub offer: Candidate,
    /// The channel.
    pub channel: ChannelRef,
    /// Id of the flow that decided; empty when unknown.
    pub flow_id: String,
    /// Its state.
    pub state: State,
    /// When it was written first.
    pub created_at: DateTime<Utc>,
    /// When the slot was reserved.
    pub reserved_at: Option<DateTime<Utc>>,
    /// When the slot lapses by itself.
    pub reserved_until: Option<DateTime<Utc>>,
    /// When the contact happened.
    pub committed_at: Option<DateTime<Utc>>,
    /// Reported without a live reservation.
    pub is_unreserved: bool,
}

impl Contact {
    /// True while the slot is held.
    pub fn is_live(&self, at: DateTime<Utc>) -> bool {
        self.state == State::Reserved && self.reserved_until.is_some_and(|until| until > at)
    }

    /// The state at an instant: a slot that lapsed has expired, whether anybody noted it or not.
    pub fn state_at(&self, at: DateTime<Utc>) -> State {
        if self.state == State::Reserved && !self.is_live(at) { State::Expired } else { self.state }
    }

    /// What it is about.
    pub fn subject(&self) -> Subject {
        Subject::new(&self.offer, &self.channel.id, &self.channel.name)
    }
}
