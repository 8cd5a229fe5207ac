//! Which contacts a budget counts, and the budget's totals with changes that are not written yet.

use chrono::{DateTime, Utc};

use super::{
    contact::{Contact, State},
    scope::Scope,
    shared_use::{Limits, Used},
};

/// Contacts of a nearly used budget that are listed, those that leave first.
pub const LEAVING_MAX: usize = 1_000;

/// A contact or a reservation that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it leaves.
    pub until: DateTime<Utc>,
    /// What it costs, in 1/10,000 of the currency.
    pub cost: i64,
    /// It is a reservation.
    pub is_reserved: bool,
}

impl Entry {
    /// What a contact is to a budget of this scope at an instant; `None` when it does not count.
    pub fn of(
        scope: &Scope,
        limits: &Limits,
        contact: &Contact,
        at: DateTime<Utc>,
    ) -> Option<Self> {
        let instants = (contact.state, contact.committed_at, contact.reserved_until);
        let (until, is_reserved) = match instants {
            (State::Committed, Some(committed_at), _) => {
                (limits.window.end_for(committed_at), false)
            }
            (State::Reserved, _, Some(until)) => (until, true),
            _ => return None,
        };
        let counts = until > at && scope.matches(&contact.subject());
        counts.then_some(Self { until, cost: contact.offer.cost, is_reserved })
    }

    /// Adds it to totals, or takes it from them when `sign` is -1.
    pub fn count(&self, used: &mut Used, sign: i64) {
        used.contacts += sign;
        used.reserved += sign * i64::from(self.is_reserved);
        used.spend += sign * self.cost;
    }
}

/// The totals of a budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The totals.
    pub used: Used,
    /// The instant they hold at: what left by then is not among them.
    pub at: DateTime<Utc>,
}

impl Counted {
    /// The totals once contacts have changed, each with what it was before; `None` for a new one.
    pub fn with<'c>(
        &self,
        scope: &Scope,
        limits: &Limits,
        changed: impl Iterator<Item = (Option<&'c Contact>, &'c Contact)>,
    ) -> Used {
        let mut used = self.used.clone();
        let entry = |contact: &Contact| Entry::of(scope, limits, contact, self.at);
        for (before, after) in changed {
            if let Some(before) = before.and_then(entry) {
                before.count(&mut used, -1);
                let leaves = |leave: &(DateTime<Utc>, i64)| *leave == (before.until, before.cost);
                if let Some(place) = used.leaving.iter().position(leaves) {
                    used.leaving.remove(place);
                }
            }
            if let Some(after) = entry(after) {
                after.count(&mut used, 1);
                let place = used.leaving.partition_point(|(at, _)| *at <= after.until);
                // Behind a list that was cut there are others that leave before.
                if place < LEAVING_MAX {
                    used.leaving.insert(place, (after.until, after.cost));
                }
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::{
        contact::ChannelRef, question::Candidate, rule::window::Window, shared_use::Used,
    };

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::hours(hour)
    }

    fn contact(state: State, cost: i64) -> Contact {
        Contact {
            contact_id: "con_1".into(),
            decision_id: "dec_1".into(),
            rank: 1,
            offer: Candidate { offer_id: "off_1".into(), cost, ..Candidate::default() },
            channel: ChannelRef::default(),
            flow_id: String::new(),
            state,
            created_at: at(0),
            reserved_at: Some(at(0)),
            reserved_until: Some(at(24)),
            committed_at: (state == State::Committed).then(|| at(1)),
            is_unreserved: false,
        }
    }

    #[test]
    fn what_changed_is_counted_as_it_is_now_and_no_longer_as_it_was() {
        let limits = Limits { window: Window::Days(7), contacts_max: Some(3), spend_max: None };
        let leaving = vec![(at(24), 5), (at(30), 7)];
        let used = Used { contacts: 2, reserved: 1, spend: 12, leaving };
        let counted = Counted { used: used.clone(), at: at(2) };
        let (held, sent) = (contact(State::Reserved, 5), contact(State::Committed, 5));
        let given_back = contact(State::Released, 5);
        let with = |before: Option<&Contact>, after: &Contact| {
            let used = counted.with(&Scope::default(), &limits, std::iter::once((before, after)));
            (used.contacts, used.reserved, used.spend, used.leaving)
        };
        let week = at(1) + TimeDelta::days(7);
        assert_eq!(with(Some(&held), &sent), (2, 0, 12, vec![(at(30), 7), (week, 5)]));
        assert_eq!(with(Some(&held), &given_back), (1, 0, 7, vec![(at(30), 7)]));
        assert_eq!(with(None, &sent), (3, 1, 17, vec![(at(24), 5), (at(30), 7), (week, 5)]));
        // A slot that had lapsed by then was not among the totals.
        let late = Counted { used, at: at(24) };
        let used = late.with(&Scope::default(), &limits, std::iter::once((Some(&held), &sent)));
        assert_eq!((used.contacts, used.reserved, used.spend), (3, 1, 17));
    }
}
