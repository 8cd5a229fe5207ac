//! What one limit of a cap has counted.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::{history::ContactHistory, period::Period, utc_text, window::Window};
use crate::domain::{facts::Standing, scope::Scope};

/// Where a cap counts contacts; live reservations count always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// In a sliding window.
    Sliding(Window),
    /// In a calendar period in the customer's zone.
    Calendar(Period),
}

impl Span {
    /// `in last 30d`, `today`.
    pub fn text(self) -> String {
        match self {
            Self::Sliding(window) => format!("in last {window}"),
            Self::Calendar(period) => period.text().to_owned(),
        }
    }
}

/// Contacts in the span and live reservations, in scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    span: Span,
    limit: usize,
    length: TimeDelta,
    /// When the contacts stop to count.
    contacts: Vec<DateTime<Utc>>,
    /// When the reservations lapse.
    reserved: Vec<DateTime<Utc>>,
    /// There are more than could be read.
    is_cut: bool,
}

impl Tally {
    /// Counts in a sliding window.
    pub fn sliding(
        window: Window,
        limit: usize,
        scope: &Scope,
        history: &ContactHistory<'_>,
    ) -> Self {
        let end = |at: DateTime<Utc>| window.holds(at, history.now()).then(|| window.end_for(at));
        Self::new(Span::Sliding(window), limit, window.length(), scope, history, end)
    }

    /// Counts in the calendar period of a zone.
    pub fn calendar(
        period: Period,
        zone: Tz,
        limit: usize,
        scope: &Scope,
        history: &ContactHistory<'_>,
    ) -> Self {
        let (first_date, (from, to)) =
            (period.first_date(zone, history.now()), period.bounds(zone, history.now()));
        let end = |at: DateTime<Utc>| (period.first_date(zone, at) == first_date).then_some(to);
        Self::new(Span::Calendar(period), limit, to - from, scope, history, end)
    }

    /// Live reservations count whatever their age. `end` says when a contact stops to count, if it
    /// still does.
    fn new(
        span: Span,
        limit: usize,
        length: TimeDelta,
        scope: &Scope,
        history: &ContactHistory<'_>,
        end: impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>>,
    ) -> Self {
        let mut tally = Self {
            span,
            limit,
            length,
            contacts: Vec::new(),
            reserved: Vec::new(),
            is_cut: history.is_cut(),
        };
        for fact in history.within(scope) {
            match fact.standing {
                Standing::Committed(at) => tally.contacts.extend(end(at)),
                Standing::Reserved(until) if until > history.now() => tally.reserved.push(until),
                Standing::Reserved(_) => {}
            }
        }
        tally
    }

    /// A slot was given.
    pub fn reserve(&mut self, until: DateTime<Utc>) {
        self.reserved.push(until);
    }

    /// True when one more fits. More than could be read is too much: nothing may pass by not being
    /// counted.
    pub fn has_room(&self) -> bool {
        !self.is_cut && self.used() < self.limit
    }

    /// Contacts counted.
    pub fn contacts(&self) -> usize {
        self.contacts.len()
    }

    /// Live reservations counted.
    pub fn reserved(&self) -> usize {
        self.reserved.len()
    }

    /// Length of the window or period.
    pub fn length(&self) -> TimeDelta {
        self.length
    }

    /// The limit.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// When there is room again if no live reservation is committed; `None` while there is room, or
    /// when the count was cut.
    pub fn next_room_at(&self) -> Option<DateTime<Utc>> {
        if self.is_cut {
            return None;
        }
        let left_over = self.used().checked_sub(self.limit)?;
        let mut ends: Vec<_> = self.contacts.iter().chain(&self.reserved).copied().collect();
        ends.sort_unstable();
        ends.get(left_over).copied()
    }

    /// `0 contacts in last 30d`, or `1 contacts in last 30d, 2 reserved`.
    pub fn passed_text(&self) -> String {
        let (contacts, reserved, span) = (self.contacts(), self.reserved(), self.span.text());
        let held = if reserved > 0 { format!(", {reserved} reserved") } else { String::new() };
        format!("passed ({contacts} contacts {span}{held})")
    }

    /// `3 of 3 in last 30d (0 contacts, 3 reserved until …)`: until the first of them lapses.
    pub fn refused_text(&self) -> String {
        let (used, limit, span, contacts) =
            (self.used(), self.limit, self.span.text(), self.contacts());
        if self.is_cut {
            return format!("more than {used} contacts and reservations to count {span}");
        }
        let first_lapse = self.reserved.iter().min();
        let held = first_lapse
            .map(|until| format!(", {} reserved until {}", self.reserved(), utc_text(*until)));
        format!("{used} of {limit} {span} ({contacts} contacts{})", held.unwrap_or_default())
    }

    fn used(&self) -> usize {
        self.contacts.len() + self.reserved.len()
    }
}

#[cfg(test)]
mod tests;
