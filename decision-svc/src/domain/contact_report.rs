//! What a report says about the contact that came of a decision: that there was one, or that the
//! customer answered it.

use chrono::TimeDelta;

use crate::domain::{
    outcome::ResolvedOutcome,
    responses::{Count, category_key},
};

/// A report about a customer's contact with an offer of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactReport {
    /// The decision.
    pub decision_id: String,
    /// The offer.
    pub offer_id: String,
    /// The offer's category when it was decided, as responses are counted.
    pub category: String,
    /// Id of the decision's channel; its name in lower case when there is no such channel.
    pub channel: String,
    /// What is reported.
    pub says: Says,
    /// When it happened, in microseconds since 1970.
    pub occurred_us: i64,
    /// How long after the contact a response counts, in microseconds.
    pub window_us: i64,
    /// When it is received, in microseconds since 1970.
    pub received_us: i64,
    /// The flow and the rank of the offer, where the online model learns from the contact.
    pub online: Option<(String, i32)>,
}

/// What is reported of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The customer saw the offer.
    Contacted,
    /// The customer responded positively.
    Responded,
}

/// What is known of a contact: the earliest report of each kind. So it does not depend on the order
/// in which reports arrive, nor on how often they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContactState {
    /// When it happened, in microseconds since 1970; none until it is reported.
    pub contact_us: Option<i64>,
    /// When the customer responded positively.
    pub responded_us: Option<i64>,
}

/// What changes in the counts of an offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Contacts more.
    pub contacts: i64,
    /// Positive ones more, or fewer.
    pub positives: i64,
}

impl ContactReport {
    /// What an outcome says; none when it says nothing about the contact of a decision. Nobody is
    /// contacted by a decision that holds the customer out or asks for no contact. A response whose
    /// value is zero or less is not positive.
    pub fn of(outcome: &ResolvedOutcome, channel: &str, window_days: u32) -> Option<Self> {
        let (report, of_type) = (&outcome.report, &outcome.of_type);
        let offer = outcome.offer.as_ref().filter(|offer| offer.rank > 0)?;
        if report.decision_id.is_empty() || !outcome.may_contact {
            return None;
        }
        let is_worth = report.value_e4.is_none_or(|value| value > 0);
        let says = if of_type.is_impression && of_type.counts_as_contact {
            Says::Contacted
        } else if of_type.is_response && of_type.is_positive && is_worth {
            Says::Responded
        } else {
            return None;
        };
        Some(Self {
            decision_id: report.decision_id.clone(),
            offer_id: offer.subject.offer_id.clone(),
            category: category_key(&offer.subject).into_owned(),
            channel: channel.to_owned(),
            says,
            occurred_us: outcome.occurred_at.timestamp_micros(),
            window_us: window_us(window_days),
            received_us: outcome.received_at.timestamp_micros(),
            online: None,
        })
    }
}

impl ContactReport {
    /// The same about a decision from which the online model learns.
    #[must_use]
    pub fn online(self, outcome: &ResolvedOutcome) -> Self {
        let rank = outcome.offer.as_ref().map_or(0, |offer| offer.rank);
        Self { online: Some((outcome.flow_id.clone(), rank)), ..self }
    }

    /// When a contact that is known for the first time is due to be learned: its window is closed,
    /// and it is received. In microseconds since 1970.
    pub fn due_us(&self, contact_us: i64) -> i64 {
        contact_us.saturating_add(self.window_us).max(self.received_us)
    }
}

fn window_us(days: u32) -> i64 {
    TimeDelta::days(i64::from(days)).num_microseconds().unwrap_or(i64::MAX)
}

impl ContactState {
    /// This and what a report says.
    pub fn with(self, report: &ContactReport) -> Self {
        let earliest = |known: Option<i64>| {
            Some(known.map_or(report.occurred_us, |known| known.min(report.occurred_us)))
        };
        match report.says {
            Says::Contacted => Self { contact_us: earliest(self.contact_us), ..self },
            Says::Responded => Self { responded_us: earliest(self.responded_us), ..self },
        }
    }

    /// What it counts for. The instants of two reports may come from two clocks, so a response may
    /// seem earlier than the contact it answers.
    pub fn count(self, window_us: i64) -> Count {
        let Some(contact_us) = self.contact_us else { return Count::default() };
        let is_in_time = |at: i64| at <= contact_us.saturating_add(window_us);
        Count { contacts: 1, positives: u64::from(self.responded_us.is_some_and(is_in_time)) }
    }

    /// What changes when this was `before`.
    pub fn change_since(self, before: Self, window_us: i64) -> Change {
        let (now, before) = (self.count(window_us), before.count(window_us));
        let more = |now: u64, before: u64| now as i64 - before as i64;
        Change {
            contacts: more(now.contacts, before.contacts),
            positives: more(now.positives, before.positives),
        }
    }
}

impl Change {
    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        Self {
            contacts: self.contacts + other.contacts,
            positives: self.positives + other.positives,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report((says, occurred_us): (Says, i64)) -> ContactReport {
        ContactReport {
            decision_id: "dec_1".to_owned(),
            offer_id: "off_1".to_owned(),
            category: "cat_1".to_owned(),
            channel: "ch_1".to_owned(),
            says,
            occurred_us,
            window_us: 100,
            received_us: 0,
            online: None,
        }
    }

    /// The counts after each report are the sum of the changes, and in the end those of any order.
    fn counted(reports: &[(Says, i64)]) -> (i64, i64) {
        let (mut state, mut sum) = (ContactState::default(), Change::default());
        for found in reports.iter().copied().map(report) {
            let next = state.with(&found);
            sum = sum.plus(next.change_since(state, found.window_us));
            state = next;
            assert!(0 <= sum.positives && sum.positives <= sum.contacts && sum.contacts <= 1);
        }
        (sum.contacts, sum.positives)
    }

    #[test]
    fn the_order_of_reports_does_not_matter() {
        use Says::{Contacted, Responded};
        for (reports, expected) in [
            (vec![(Contacted, 10)], (1, 0)),
            (vec![(Responded, 10)], (0, 0)),
            (vec![(Contacted, 10), (Responded, 110)], (1, 1)),
            (vec![(Contacted, 10), (Responded, 111)], (1, 0)),
            (vec![(Contacted, 10), (Responded, 5)], (1, 1)),
            (vec![(Contacted, 50), (Contacted, 10), (Responded, 120), (Responded, 130)], (1, 0)),
            (vec![(Contacted, 50), (Contacted, 10), (Responded, 120), (Responded, 60)], (1, 1)),
        ] {
            let mut order = reports.clone();
            for turn in 0..reports.len() {
                order.rotate_left(1);
                assert_eq!(counted(&order), expected, "{order:?}");
                let mut back = order.clone();
                back.reverse();
                assert_eq!(counted(&back), expected, "{back:?} {turn}");
            }
            let twice: Vec<_> = reports.iter().chain(&reports).copied().collect();
            assert_eq!(counted(&twice), expected, "each report twice");
        }
    }
}
