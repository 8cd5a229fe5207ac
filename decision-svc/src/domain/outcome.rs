//! Outcomes: what is checked, and the key that makes a retry the same outcome.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{offer_subject::OfferSubject, snapshot::OutcomeType};

/// How far ahead of the clock an outcome may claim to have happened.
pub const FUTURE_MAX: TimeDelta = TimeDelta::minutes(5);
/// Largest absolute value, in 1/10,000 of the currency: 10^9 units.
pub const VALUE_MAX: i64 = 10_000_000_000_000;

/// An outcome as reported, checked as far as it can be alone.
#[derive(Clone, Debug)]
pub struct Report {
    /// The customer.
    pub customer_id: String,
    /// Key of the outcome type.
    pub key: String,
    /// The decision it answers; empty without.
    pub decision_id: String,
    /// Rank within the decision.
    pub rank: Option<i32>,
    /// The offer; empty without.
    pub offer_id: String,
    /// The channel; empty without.
    pub channel: String,
    /// Amount in 1/10,000 of the currency.
    pub value_e4: Option<i64>,
    /// When it happened.
    pub occurred_at: Option<DateTime<Utc>>,
    /// Makes retries safe; empty without.
    pub idempotency_key: String,
}

/// An offer as a decision returned it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecidedOffer {
    /// Its place, from 1; 0 for an offer reported without a decision.
    pub rank: i32,
    /// What it is about.
    pub subject: OfferSubject,
}

/// An outcome with everything its report refers to.
#[derive(Clone, Debug)]
pub struct ResolvedOutcome {
    /// Its id.
    pub outcome_id: String,
    /// The report.
    pub report: Report,
    /// The type it names.
    pub of_type: OutcomeType,
    /// The offer it is about.
    pub offer: Option<DecidedOffer>,
    /// The channel: as reported, else that of the decision.
    pub channel: String,
    /// Id of that channel; its folded name when there is none.
    pub channel_key: String,
    /// A contact may come of the decision it names; true without one.
    pub may_contact: bool,
    /// Id of the flow of the decision it names; empty without one.
    pub flow_id: String,
    /// Experiments that held the customer out of the decision it names.
    pub held_out_of: Vec<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

/// What an outcome says about contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactMeaning {
    /// It is a contact.
    pub counts_as_contact: bool,
    /// It is an impression that is none: the slot is free again.
    pub releases: bool,
}

impl ResolvedOutcome {
    /// What it says about contact. An impression is a contact unless its type says otherwise. A
    /// response to a decision's offer proves that the customer was contacted with it. A decision
    /// that contacts nobody, or whose customer is held out, never yields a contact.
    pub fn contact_meaning(&self) -> ContactMeaning {
        let OutcomeType { is_impression, is_response, counts_as_contact, .. } = self.of_type;
        let has_rank = self.offer.as_ref().is_some_and(|offer| offer.rank > 0);
        let is_evidence = is_response && has_rank && !self.report.decision_id.is_empty();
        let is_shown = is_impression && counts_as_contact;
        ContactMeaning {
            counts_as_contact: self.may_contact && (is_shown || is_evidence),
            releases: self.may_contact && is_impression && !counts_as_contact,
        }
    }
}

impl ResolvedOutcome {
    /// Whether both reports say the same of one event, however they are spelled.
    pub fn is_same(&self, other: &Self) -> bool {
        type Said<'a> = (
            (&'a str, &'a str, &'a str, &'a str),
            (Option<i64>, Option<DateTime<Utc>>),
            Option<(i32, &'a str)>,
            &'a str,
        );
        fn said(outcome: &ResolvedOutcome) -> Said<'_> {
            let ResolvedOutcome { report, offer, channel_key, .. } = outcome;
            let offer = offer.as_ref().map(|it| (it.rank, it.subject.offer_id.as_str()));
            let ids = (
                &*report.customer_id,
                &*report.key,
                &*report.decision_id,
                &*report.idempotency_key,
            );
            (ids, (report.value_e4, report.occurred_at), offer, channel_key)
        }
        said(self) == said(other)
    }
}

impl Report {
    /// The offer of a decision this report is about: by rank, by offer, or the only one. A fault
    /// names the field.
    pub fn offer_in<'a>(
        &self,
        offers: &'a [DecidedOffer],
    ) -> Result<Option<&'a DecidedOffer>, (&'static str, String)> {
        let held = || format!("the decision has {} offers", offers.len());
        let found = match (self.rank, self.offer_id.as_str()) {
            (Some(rank), _) => {
                let found = offers.iter().find(|offer| offer.rank == rank);
                let found = found.ok_or_else(|| {
                    ("rank", format!("{rank} is not in the decision: {}", held()))
                })?;
                let of_rank = &found.subject.offer_id;
                if !self.offer_id.is_empty() && self.offer_id != *of_rank {
                    let fault = format!("is not the offer of rank {rank}, which is `{of_rank}`");
                    return Err(("offer_id", fault));
                }
                found
            }
            (None, "") => match offers {
                [] => return Ok(None),
                [only] => only,
                _ => return Err(("rank", format!("is required: {}", held()))),
            },
            (None, offer_id) => {
                let found = offers.iter().find(|offer| offer.subject.offer_id == offer_id);
                found.ok_or_else(|| {
                    ("offer_id", format!("`{offer_id}` is not in the decision: {}", held()))
                })?
            }
        };
        Ok(Some(found))
    }

    /// What the caller identifies a retry by.
    pub fn retry_key(&self) -> &str {
        match self.idempotency_key.as_str() {
            "" => &self.decision_id,
            given => given,
        }
    }

    /// The key of this outcome about an offer; `None` when nothing identifies a retry.
    pub fn key(&self, offer: Option<&DecidedOffer>) -> Option<String> {
        let occurred = self.occurred_at.map(|at| at.timestamp_micros().to_string());
        if !self.idempotency_key.is_empty() {
            return Some(format!("given\u{1f}{}", self.idempotency_key));
        }
        if !self.decision_id.is_empty() {
            let rank = offer.map_or(0, |offer| offer.rank);
            let occurred = occurred.unwrap_or_default();
            return Some(format!(
                "decision\u{1f}{}\u{1f}{rank}\u{1f}{}\u{1f}{occurred}",
                self.decision_id, self.key
            ));
        }
        let (occurred, offer) = (occurred?, offer.map(|offer| offer.subject.offer_id.as_str()));
        Some(format!(
            "customer\u{1f}{}\u{1f}{}\u{1f}{occurred}\u{1f}{}",
            self.customer_id,
            self.key,
            offer.unwrap_or_default()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rank: Option<i32>, offer_id: &str) -> Report {
        Report {
            customer_id: "c".into(),
            key: "click".into(),
            decision_id: "dec_1".into(),
            rank,
            offer_id: offer_id.into(),
            channel: String::new(),
            value_e4: None,
            occurred_at: None,
            idempotency_key: String::new(),
        }
    }

    fn offers(ids: &[&str]) -> Vec<DecidedOffer> {
        let offer = |(id, rank): (&&str, i32)| DecidedOffer {
            rank,
            subject: OfferSubject { offer_id: (*id).into(), ..Default::default() },
        };
        ids.iter().zip(1..).map(offer).collect()
    }

    #[test]
    fn a_report_finds_its_offer() {
        let check = |rank, offer, ids: &[&str], expected: Result<Option<i32>, &str>| {
            let offers = offers(ids);
            let got =
                report(rank, offer).offer_in(&offers).map(|found| found.map(|offer| offer.rank));
            assert_eq!(got.map_err(|fault| fault.0), expected, "{rank:?} {offer}");
        };
        check(None, "", &["a"], Ok(Some(1)));
        check(None, "", &[], Ok(None));
        check(None, "", &["a", "b"], Err("rank"));
        check(None, "b", &["a", "b"], Ok(Some(2)));
        check(Some(2), "", &["a", "b"], Ok(Some(2)));
        check(Some(2), "a", &["a", "b"], Err("offer_id"));
        check(Some(3), "", &["a", "b"], Err("rank"));
        check(None, "z", &["a"], Err("offer_id"));
    }

    #[test]
    fn without_a_key_a_retry_would_be_a_second_outcome() {
        let mut lone = report(None, "");
        lone.decision_id.clear();
        assert_eq!(lone.key(None), None);
        lone.idempotency_key = "order-7".into();
        assert!(lone.key(None).is_some());
    }
}
