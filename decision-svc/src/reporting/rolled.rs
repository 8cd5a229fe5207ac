//! What recorded rows add to the counts.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use prost::Message as _;

use crate::{
    deciding::{
        kept::KeptOffer,
        kept_outcome::{KeptOutcome, KeptPlace},
    },
    domain::{
        offer_subject::OfferSubject,
        report::{
            cell::{Cell, Count, Counted, NO_REASON, Place, Sums, category_of},
            day,
        },
        snapshot::{Policy, folded},
    },
    store::{CountedDecision, CountedOutcome},
};

/// What a report needs of a decision's record; the rest of it is skipped.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ReportedRecord {
    #[prost(message, optional, tag = "1")]
    shown: Option<ReportedShown>,
    #[prost(message, repeated, tag = "2")]
    offers: Vec<KeptOffer>,
    #[prost(message, optional, tag = "3")]
    facts: Option<ReportedFacts>,
}

/// Of `proffer.decision.v1.DecisionRecord`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct ReportedShown {
    #[prost(string, tag = "3")]
    channel: String,
    #[prost(string, tag = "4")]
    flow_id: String,
    #[prost(message, optional, tag = "6")]
    request: Option<ReportedRequest>,
}

/// Of `proffer.decision.v1.RecommendRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct ReportedRequest {
    #[prost(bool, optional, tag = "15")]
    contact: Option<bool>,
}

/// Of [`KeptFacts`](crate::deciding::kept_facts::KeptFacts).
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct ReportedFacts {
    #[prost(string, tag = "7")]
    channel_id: String,
}

impl ReportedRecord {
    /// From the stored bytes of a record.
    pub fn read(bytes: &[u8]) -> Self {
        // INVARIANT: written by `KeptRecord::bytes`, of which these are parts.
        Self::decode(bytes).unwrap_or_default()
    }

    /// The channel of the contact; empty for a decision without a contact.
    fn channel(&self) -> String {
        let shown = self.shown.as_ref();
        let request = shown.and_then(|shown| shown.request.as_ref());
        if request.and_then(|request| request.contact) == Some(false) {
            return String::new();
        }
        let named = self.facts.as_ref().map_or("", |facts| facts.channel_id.as_str());
        let named =
            if named.is_empty() { shown.map_or("", |it| it.channel.as_str()) } else { named };
        folded(named)
    }

    fn subjects(&self) -> impl Iterator<Item = OfferSubject> {
        self.offers.iter().map(|offer| offer.subject.clone().unwrap_or_default().into())
    }
}

/// Adds a decision, and the offers in its answer.
pub fn add_decision(sums: &mut Sums, zone: Tz, decision: &CountedDecision) {
    let record = ReportedRecord::read(&decision.record);
    let day = day::of(serve::from_micros(decision.decided_us), zone);
    let is_answered = !record.offers.is_empty();
    let reason = if is_answered { NO_REASON } else { &decision.reason };
    let cell = Cell {
        flow_id: decision.flow_id.clone(),
        channel: record.channel(),
        what: if reason.is_empty() { NO_REASON.to_owned() } else { reason.to_owned() },
        ..Cell::default()
    };
    for subject in record.subjects() {
        let category_id = category_of(&subject);
        let cell = Cell { offer_id: subject.offer_id, category_id, ..cell.clone() };
        sums.add(Place { counted: Counted::Offers, day, cell }, &Count::one(None));
    }
    sums.add(Place { counted: Counted::Decisions, day, cell }, &Count::one(None));
}

/// The decisions that outcomes name and that are needed to count them, by customer and id: those of
/// outcomes that an earlier version recorded.
pub fn decisions_needed(outcomes: &[CountedOutcome]) -> Vec<(&str, &str)> {
    let is_needed = |outcome: &&CountedOutcome| {
        !outcome.decision_id.is_empty() && KeptOutcome::read(&outcome.record).place.is_none()
    };
    let needed = outcomes.iter().filter(is_needed);
    let needed = needed.map(|outcome| (&*outcome.customer_id, &*outcome.decision_id));
    needed.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// What outcomes that an earlier version recorded are counted by.
pub struct Earlier<'a> {
    /// The decisions of [`decisions_needed`], as far as they are still there.
    pub decisions: BTreeMap<(String, String), ReportedRecord>,
    /// The channels.
    pub policy: &'a Policy,
}

/// Adds an outcome to the day on which it happened.
pub fn add_outcome(sums: &mut Sums, zone: Tz, outcome: &CountedOutcome, earlier: &Earlier<'_>) {
    let kept = KeptOutcome::read(&outcome.record);
    let place = match kept.place.clone() {
        Some(place) => place,
        None => earlier.place(outcome, &kept),
    };
    let cell = Cell {
        flow_id: place.flow_id,
        offer_id: kept.offer_id,
        category_id: place.category,
        channel: place.channel,
        what: outcome.outcome_key.clone(),
    };
    let day = day::of(serve::from_micros(outcome.occurred_us), zone);
    sums.add(Place { counted: Counted::Outcomes, day, cell }, &Count::one(outcome.value_e4));
}

impl Earlier<'_> {
    /// Flow and category come from the decision, if it is still there.
    fn place(&self, outcome: &CountedOutcome, kept: &KeptOutcome) -> KeptPlace {
        let ids = (outcome.customer_id.clone(), outcome.decision_id.clone());
        let decision = self.decisions.get(&ids);
        let shown = decision.and_then(|decision| decision.shown.as_ref());
        let mut subjects = decision.into_iter().flat_map(ReportedRecord::subjects);
        let subject = subjects.find(|subject| subject.offer_id == kept.offer_id);
        let known = self.policy.channel(&kept.channel);
        KeptPlace {
            flow_id: shown.map(|shown| shown.flow_id.clone()).unwrap_or_default(),
            category: subject.as_ref().map(category_of).unwrap_or_default(),
            channel: known.map_or_else(|| folded(&kept.channel), |channel| channel.id.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proffer_proto::{decision::v1 as proto, policy::v1 as policy};

    use super::*;
    use crate::deciding::{kept::KeptRecord, kept_facts::KeptFacts};

    fn record(contact: Option<bool>, channel_id: &str) -> KeptRecord {
        let request = proto::RecommendRequest { contact, ..Default::default() };
        let shown = proto::DecisionRecord {
            decision_id: "dec_1".to_owned(),
            channel: "EMail".to_owned(),
            flow_id: "flow_winback".to_owned(),
            request: Some(request),
            answer: Some(proto::Decision::default()),
            ..Default::default()
        };
        let subject = policy::OfferSubject {
            offer_id: "off_a".to_owned(),
            category: "Apparel".to_owned(),
            category_id: "cat_apparel".to_owned(),
            ..Default::default()
        };
        let facts = KeptFacts { channel_id: channel_id.to_owned(), ..Default::default() };
        let offers = vec![KeptOffer { rank: 1, subject: Some(subject) }];
        KeptRecord { shown: Some(shown), offers, facts: Some(facts), online: None }
    }

    #[test]
    fn a_report_reads_of_a_record_what_the_record_says() {
        let kept = record(None, "ch_email");
        let read = ReportedRecord::read(&kept.bytes());
        let shown = read.shown.clone().unwrap();
        assert_eq!((&*shown.flow_id, &*shown.channel), ("flow_winback", "EMail"));
        assert_eq!(read.channel(), "ch_email");
        assert_eq!(read.offers, kept.offers);
        assert_eq!(ReportedRecord::read(&record(None, "").bytes()).channel(), "email");
        assert_eq!(ReportedRecord::read(&record(Some(true), "x").bytes()).channel(), "x");
        assert_eq!(ReportedRecord::read(&record(Some(false), "ch_email").bytes()).channel(), "");
    }

    fn outcome(record: &KeptOutcome, decision_id: &str) -> CountedOutcome {
        CountedOutcome {
            tenant: "default".to_owned(),
            customer_id: "ann".to_owned(),
            outcome_key: "click".to_owned(),
            decision_id: decision_id.to_owned(),
            occurred_us: 0,
            value_e4: Some(5),
            record: record.bytes(),
        }
    }

    /// The earlier version kept neither flow nor category with an outcome.
    #[test]
    fn an_outcome_that_an_earlier_version_recorded_is_counted_by_its_decision() {
        let mut kept = KeptOutcome::default();
        (kept.offer_id, kept.channel) = ("off_a".to_owned(), "E-Mail".to_owned());
        let outcome = outcome(&kept, "dec_1");
        let needed = decisions_needed(std::slice::from_ref(&outcome));
        assert_eq!(needed, [("ann", "dec_1")]);
        let policy = Policy::default();
        let read = ReportedRecord::read(&record(None, "ch_email").bytes());
        let decisions = BTreeMap::from([(("ann".to_owned(), "dec_1".to_owned()), read)]);
        let cell = |decisions| {
            let mut sums = Sums::default();
            add_outcome(&mut sums, Tz::UTC, &outcome, &Earlier { decisions, policy: &policy });
            let (place, count) = sums.0.pop_first().unwrap();
            assert_eq!((count, place.day), (Count::one(Some(5)), 0));
            place.cell
        };
        let expected = Cell {
            flow_id: "flow_winback".to_owned(),
            offer_id: "off_a".to_owned(),
            category_id: "cat_apparel".to_owned(),
            channel: "e-mail".to_owned(),
            what: "click".to_owned(),
        };
        assert_eq!(cell(decisions), expected);
        let without = Cell { flow_id: String::new(), category_id: String::new(), ..expected };
        assert_eq!(cell(BTreeMap::new()), without);
    }
}
