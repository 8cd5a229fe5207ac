//! The contacts and live reservations a rule looks at.

use chrono::{DateTime, Utc};

use super::window::Window;
use crate::domain::{
    facts::{ContactFact, Standing, Subject},
    scope::Scope,
};

/// A customer's contacts at the ledger instant.
#[derive(Clone, Copy, Debug)]
pub struct ContactHistory<'a> {
    /// Contacts in the longest window, and reservations.
    pub facts: &'a [ContactFact],
    /// There are more than could be read.
    pub is_cut: bool,
    /// The ledger instant.
    pub now: DateTime<Utc>,
}

impl<'a> ContactHistory<'a> {
    /// What lies in a scope.
    pub fn within(&self, scope: &Scope) -> impl Iterator<Item = &'a ContactFact> {
        self.facts.iter().filter(move |fact| scope.matches(&fact.subject))
    }
}

/// Contacts in a window and live reservations, for rules that allow none.
#[derive(Clone, Debug)]
pub struct Recent {
    /// What they were about, when they stop to count, and whether they are only reserved.
    entries: Vec<(Subject, DateTime<Utc>, bool)>,
    is_cut: bool,
    window: Window,
}

impl Recent {
    /// Those in a scope.
    pub fn new(window: Window, scope: &Scope, history: &ContactHistory<'_>) -> Self {
        let entry = |fact: &ContactFact| match fact.standing {
            Standing::Committed(at) if window.holds(at, history.now) => {
                Some((fact.subject.clone(), window.end_for(at), false))
            }
            Standing::Reserved(until) if until > history.now => {
                Some((fact.subject.clone(), until, true))
            }
            Standing::Committed(_) | Standing::Reserved(_) => None,
        };
        Self {
            entries: history.within(scope).filter_map(entry).collect(),
            is_cut: history.is_cut,
            window,
        }
    }

    /// A slot was given.
    pub fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        self.entries.push((subject.clone(), until, true));
    }

    /// What those that are about something say: any of them refuses.
    pub fn told(&self, code: super::ReasonCode, about: impl Fn(&Subject) -> bool) -> super::Told {
        let (mut counted, mut reserved, mut last_end) = (0_usize, 0_usize, None);
        for (_, end, is_reserved) in self.entries.iter().filter(|(subject, ..)| about(subject)) {
            if *is_reserved {
                reserved += 1
            } else {
                counted += 1
            }
            last_end = last_end.max(Some(*end));
        }
        let window = self.window;
        let text = match last_end {
            _ if self.is_cut => Some(format!(
                "more contacts and reservations than can be looked through in last {window}"
            )),
            Some(end) => {
                let held =
                    if reserved > 0 { format!(", {reserved} reserved") } else { String::new() };
                let until = super::utc_text(end);
                Some(format!("{counted} contacts in last {window}{held}, rests until {until}"))
            }
            None => None,
        };
        super::Told {
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
