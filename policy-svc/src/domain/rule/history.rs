//! The contacts and live reservations that a kind reads.

use chrono::{DateTime, TimeDelta, Utc};

use super::{finding::Finding, utc_text, window::Window};
use crate::domain::{
    facts::{ContactFact, Facts, Standing, Subject},
    refusal::ReasonCode,
    scope::Scope,
};

/// A customer's contacts at the ledger instant.
#[derive(Clone, Copy, Debug)]
pub struct ContactHistory<'a> {
    facts: &'a Facts,
    reach: Option<TimeDelta>,
}

impl<'a> ContactHistory<'a> {
    /// The contacts not older than `reach`, and live reservations; nothing without.
    pub fn of(facts: &'a Facts, reach: Option<TimeDelta>) -> Self {
        Self { facts, reach }
    }

    /// The ledger instant.
    pub fn now(&self) -> DateTime<Utc> {
        self.facts.ledger_at
    }

    /// True when there are more than could be read.
    pub fn is_cut(&self) -> bool {
        self.reach.is_some() && self.facts.are_contacts_cut
    }

    /// Those in a scope.
    pub fn within(&self, scope: &Scope) -> impl Iterator<Item = &'a ContactFact> {
        let (now, reach) = (self.now(), self.reach);
        let is_read = move |fact: &&ContactFact| match fact.standing {
            Standing::Committed(at) => reach.is_some_and(|reach| at > now - reach),
            Standing::Reserved(until) => reach.is_some() && until > now,
        };
        self.facts.contacts.iter().filter(is_read).filter(move |fact| scope.matches(&fact.subject))
    }
}

/// Contacts in a window and live reservations, for kinds that allow none.
#[derive(Clone, Debug)]
pub struct Recent {
    /// What each was about, when it stops to count, and whether it is only reserved.
    contacts: Vec<(Subject, DateTime<Utc>, bool)>,
    is_cut: bool,
    window: Window,
}

impl Recent {
    /// Those in a scope.
    pub fn new(window: Window, scope: &Scope, history: &ContactHistory<'_>) -> Self {
        let entry = |fact: &ContactFact| match fact.standing {
            Standing::Committed(at) if window.holds(at, history.now()) => {
                Some((fact.subject.clone(), window.end_for(at), false))
            }
            Standing::Reserved(until) if until > history.now() => {
                Some((fact.subject.clone(), until, true))
            }
            Standing::Committed(_) | Standing::Reserved(_) => None,
        };
        Self {
            contacts: history.within(scope).filter_map(entry).collect(),
            is_cut: history.is_cut(),
            window,
        }
    }

    /// A slot was given.
    pub fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        self.contacts.push((subject.clone(), until, true));
    }

    /// A refusal by any of those that are about something.
    pub fn finding(&self, code: ReasonCode, about: impl Fn(&Subject) -> bool) -> Finding {
        let (mut counted, mut reserved, mut last_end) = (0_usize, 0_usize, None);
        for (_, end, is_reserved) in self.contacts.iter().filter(|(subject, ..)| about(subject)) {
            if *is_reserved {
                reserved += 1
            } else {
                counted += 1
            }
            last_end = last_end.max(Some(*end));
        }
        let window = self.window;
        let text = match last_end {
            _ if self.is_cut => {
                Some(format!("more contacts and reservations in last {window} than can be checked"))
            }
            Some(end) => {
                let held =
                    if reserved > 0 { format!(", {reserved} reserved") } else { String::new() };
                let until = utc_text(end);
                Some(format!("{counted} contacts in last {window}{held}, no contact until {until}"))
            }
            None => None,
        };
        Finding {
            refusal: text.map(|text| (code, text)),
            passed: None,
            counted,
            reserved,
            limit: 1,
            window_seconds: window.length().num_seconds(),
            next_allowed_at: last_end.filter(|_| !self.is_cut),
        }
    }
}
