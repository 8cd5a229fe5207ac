//! What one cap has counted.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    cap::{FrequencyCap, Window},
    facts::{ContactFact, Standing},
    scope::Scope,
};

/// Contacts in the window and live reservations, in scope. The scope is one shared budget, so one tally serves every
/// candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    cap: FrequencyCap,
    /// When the contacts happened.
    contacts: Vec<DateTime<Utc>>,
    /// When the reservations lapse.
    reserved: Vec<DateTime<Utc>>,
    /// There are more than could be read.
    is_cut: bool,
}

impl Tally {
    /// Counts what the cap looks at. Live reservations count whatever their age.
    pub fn new(cap: FrequencyCap, scope: &Scope, facts: &[ContactFact], now: DateTime<Utc>, is_cut: bool) -> Self {
        let mut tally = Self { cap, contacts: Vec::new(), reserved: Vec::new(), is_cut };
        for fact in facts.iter().filter(|fact| scope.matches(&fact.subject)) {
            match fact.standing {
                Standing::Committed(at) if cap.window.holds(at, now) => tally.contacts.push(at),
                Standing::Reserved(until) if until > now => tally.reserved.push(until),
                Standing::Committed(_) | Standing::Reserved(_) => {}
            }
        }
        tally
    }

    /// A slot was given.
    pub fn reserve(&mut self, until: DateTime<Utc>) {
        self.reserved.push(until);
    }

    /// True when one more fits. More than could be read is too much: nothing may pass by not being counted.
    pub fn has_room(&self) -> bool {
        !self.is_cut && self.used() < self.cap.limit
    }

    /// Contacts counted.
    pub fn contacts(&self) -> usize {
        self.contacts.len()
    }

    /// Live reservations counted.
    pub fn reserved(&self) -> usize {
        self.reserved.len()
    }

    /// The window.
    pub fn window(&self) -> Window {
        self.cap.window
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.cap.limit
    }

    /// When there is room again, live reservations taken to lapse; none while there is, or when nobody knows.
    pub fn next_room_at(&self) -> Option<DateTime<Utc>> {
        if self.is_cut {
            return None;
        }
        let left_over = self.used().checked_sub(self.cap.limit)?;
        let ends = self.contacts.iter().map(|at| self.cap.window.end_for(*at)).chain(self.reserved.iter().copied());
        let mut ends: Vec<_> = ends.collect();
        ends.sort_unstable();
        ends.get(left_over).copied()
    }

    /// `0 contacts in last 30d`, or `1 contacts in last 30d, 2 reserved`.
    pub fn passed_text(&self) -> String {
        let (contacts, reserved, window) = (self.contacts(), self.reserved(), self.cap.window);
        let held = if reserved > 0 { format!(", {reserved} reserved") } else { String::new() };
        format!("passed ({contacts} contacts in last {window}{held})")
    }

    /// `3 of 3 in last 30d (0 contacts, 3 reserved until …)`: until the first of them lapses.
    pub fn refused_text(&self) -> String {
        let (used, limit, window, contacts) = (self.used(), self.cap.limit, self.cap.window, self.contacts());
        if self.is_cut {
            return format!("more than {used} contacts and reservations to count in last {window}");
        }
        let first_lapse = self.reserved.iter().min();
        let held = first_lapse.map(|until| {
            let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
            format!(", {} reserved until {until}", self.reserved())
        });
        format!("{used} of {limit} in last {window} ({contacts} contacts{})", held.unwrap_or_default())
    }

    fn used(&self) -> usize {
        self.contacts.len() + self.reserved.len()
    }
}

#[cfg(test)]
mod tests;
