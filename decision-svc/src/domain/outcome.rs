//! Outcomes: what is checked, and the key that makes a retry the same outcome.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{offer_subject::OfferSubject, scalar::Scalar, snapshot::OutcomeType};

/// How far ahead of the clock an outcome may claim to have happened.
pub const FUTURE_MAX: TimeDelta = TimeDelta::minutes(5);
/// Largest absolute value, in units of the currency.
pub const VALUE_MAX: i64 = 1_000_000_000;

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

impl OutcomeType {
    /// What an outcome of this type says about contact.
    pub fn contact_meaning(&self) -> ContactMeaning {
        ContactMeaning {
            counts_as_contact: self.is_impression && self.counts_as_contact,
            releases: self.is_impression && !self.counts_as_contact,
        }
    }
}

impl Report {
    /// The offer of a decision this report is about: by rank, by offer, or the only one. A fault
    /// names the field.
    pub fn offer_in<'a>(
        &self,
        offers: &'a [DecidedOffer],
    ) -> Result<Option<&'a DecidedOffer>, (&'static str, String)> {
        let held = || format!("the decision holds {} offers", offers.len());
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

    /// The key of this outcome; `None` when nothing identifies a retry.
    pub fn key(&self, rank: Option<i32>) -> Option<String> {
        let occurred = self.occurred_at.map(|at| at.timestamp_micros().to_string());
        if !self.idempotency_key.is_empty() {
            return Some(format!("given\u{1f}{}", self.idempotency_key));
        }
        if !self.decision_id.is_empty() {
            let rank = rank.unwrap_or_default();
            let occurred = occurred.unwrap_or_default();
            return Some(format!(
                "decision\u{1f}{}\u{1f}{rank}\u{1f}{}\u{1f}{occurred}",
                self.decision_id, self.key
            ));
        }
        let occurred = occurred?;
        Some(format!(
            "customer\u{1f}{}\u{1f}{}\u{1f}{occurred}\u{1f}{}",
            self.customer_id, self.key, self.offer_id
        ))
    }
}

/// An amount in 1/10,000, exact; a fault says what is wrong.
pub fn value_e4(value: &Scalar) -> Result<i64, String> {
    let decimal = match value {
        Scalar::Integer(number) => rust_decimal::Decimal::from(*number),
        // An exact decimal may be written as text, for callers whose numbers are not exact.
        Scalar::Decimal(text) | Scalar::String(text) => rust_decimal::Decimal::from_str_exact(text)
            .map_err(|_| format!("`{text}` is not a decimal number of at most 28 digits"))?,
        Scalar::Double(number) => {
            number.to_string().parse().map_err(|_| format!("{number} is not a decimal number"))?
        }
        Scalar::Boolean(_) | Scalar::List(_) => return Err("must be a number".to_owned()),
    };
    if decimal.normalize().scale() > 4 {
        return Err(format!("{decimal} has more than 4 decimals"));
    }
    if decimal.abs() > rust_decimal::Decimal::from(VALUE_MAX) {
        return Err(format!("{decimal} is beyond the maximum {VALUE_MAX}"));
    }
    let scaled = decimal * rust_decimal::Decimal::from(10_000);
    i64::try_from(scaled.trunc())
        .map_err(|_| format!("{decimal} is beyond the maximum {VALUE_MAX}"))
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
    fn amounts_are_exact_to_a_ten_thousandth() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(value_e4(&Scalar::Decimal(text.into())).ok(), expected, "{text}");
        };
        check("19.90", Some(199_000));
        check("-0.0001", Some(-1));
        check("0.00001", None);
        check("1000000000", Some(10_000_000_000_000));
        check("1000000000.0001", None);
        check("1.10000", Some(11_000));
        assert_eq!(value_e4(&Scalar::Integer(3)), Ok(30_000));
        assert_eq!(value_e4(&Scalar::String("3.5".into())), Ok(35_000));
        assert!(value_e4(&Scalar::String("three".into())).is_err());
        assert!(value_e4(&Scalar::Boolean(true)).is_err());
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
