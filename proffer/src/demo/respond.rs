//! SIMULATES the response of the customers: two weeks of purchases, reported as a shop would report
//! them.
//!
//! A draw from the customer id decides who buys. The rates are known only here, so the result of
//! the experiment can be compared with the truth.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    customer::{Pounds, draw},
    decide::Decided,
    http::{Api, read},
    progress,
    segment::Segment,
};

/// Outcomes per call, the limit of the API.
const OUTCOMES_MAX: usize = 1_000;
/// Share of active customers who buy within two weeks without an offer, in units of 1/10,000.
pub const ACTIVE_BUY: u64 = 1_000;
/// The same share of lapsed customers.
pub const LAPSED_BUY: u64 = 300;
/// The same share of all other customers.
pub const OTHERS_BUY: u64 = 50;
/// What an offer adds to the share, in units of 1/10,000.
pub const OFFER_ADDS: u64 = 800;
/// Smallest amount of a simulated purchase.
const PURCHASE_MIN: Pounds = Pounds(5_00);

/// Totals of what was reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Impressions, one per offer.
    pub impressions: usize,
    /// Customers who bought.
    pub buyers: usize,
    /// Held-out customers who bought.
    pub held_out_buyers: usize,
    /// Amount of all purchases.
    pub revenue: Pounds,
    /// Amount that the offers add, averaged over all draws.
    pub truth: Pounds,
}

/// An outcome that is reported.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome<'a> {
    /// The customer.
    pub customer_id: &'a str,
    /// What happened.
    pub outcome: &'static str,
    /// The decision behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<&'a str>,
    /// What it is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// Where no decision tells a retry from a second outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Amount of the customer's simulated purchase; `None` for customers who do not buy.
fn purchase(decided: &Decided<'_>, now: DateTime<Utc>) -> Option<Pounds> {
    let by_themselves = match Segment::of(decided.customer, now) {
        Segment::Active => ACTIVE_BUY,
        Segment::Recoverable | Segment::Lapsed => LAPSED_BUY,
        Segment::Lost | Segment::NeverBought => OTHERS_BUY,
    };
    let rate = by_themselves + if decided.is_offered() { OFFER_ADDS } else { 0 };
    (draw("purchase", &decided.customer.id) < rate).then(|| amount(decided))
}

/// Amount of a simulated purchase: the mean of the customer's purchases in the file.
fn amount(decided: &Decided<'_>) -> Pounds {
    decided.customer.mean_purchase().max(PURCHASE_MIN)
}

/// Reports an impression for every offer and a conversion for every simulated purchase.
pub async fn simulate(
    api: &Api,
    all: &[Decided<'_>],
    now: DateTime<Utc>,
) -> anyhow::Result<Reported> {
    let mut reported = Reported::default();
    let mut outcomes = Vec::new();
    for decided in all {
        // The purchase of a held-out customer, or of one without an offer, names no decision.
        let decision_id = decided.answer.decision_id.as_deref().filter(|_| decided.is_offered());
        let customer_id = decided.customer.id.as_str();
        let about = |outcome| Outcome {
            customer_id,
            outcome,
            decision_id,
            value: None,
            idempotency_key: None,
        };
        if decision_id.is_some() {
            reported.impressions += 1;
            reported.truth.0 += amount(decided).0 * OFFER_ADDS as i64 / 10_000;
            outcomes.push(about("impression"));
        }
        if let Some(paid) = purchase(decided, now) {
            reported.buyers += 1;
            reported.held_out_buyers += usize::from(decided.answer.control_group);
            reported.revenue.0 += paid.0;
            let value = Some(RawValue::from_string(paid.to_string())?);
            let idempotency_key = Some(format!("simulated-order-{customer_id}"));
            outcomes.push(Outcome { value, idempotency_key, ..about("conversion") });
        }
    }
    report(api, &outcomes).await?;
    Ok(reported)
}

/// Reports outcomes.
pub async fn report(api: &Api, outcomes: &[Outcome<'_>]) -> anyhow::Result<()> {
    let bar = progress::bar("reporting outcomes", outcomes.len());
    for some in outcomes.chunks(OUTCOMES_MAX) {
        post(api, some).await?;
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

#[derive(Serialize)]
struct Bulk<'a> {
    outcomes: &'a [Outcome<'a>],
}

#[derive(Deserialize)]
struct Answer {
    refused: usize,
    results: Vec<OneResult>,
}

#[derive(Deserialize)]
struct OneResult {
    error: Option<serde_json::Value>,
}

async fn post(api: &Api, outcomes: &[Outcome<'_>]) -> anyhow::Result<()> {
    let answer: Answer = read(&api.post("/api/v1/respond/batch", &Bulk { outcomes }).await?)?;
    let first = answer.results.iter().find_map(|result| result.error.as_ref());
    anyhow::ensure!(
        answer.refused == 0,
        "{} outcomes were refused, the first: {first:?}",
        answer.refused
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::{
        customer::{customers, tests::at},
        decide::{Answer, Offered},
    };

    #[test]
    fn an_offer_only_ever_adds_buyers_and_adds_its_share() {
        let now = at("2026-11-25T10:00:00Z");
        let customers = customers(now).unwrap();
        let buyers = |offers: usize| {
            let decisions = vec![Offered::default(); offers];
            let answer = Answer { decisions, ..Answer::default() };
            let all = customers.iter().map(|customer| Decided {
                customer,
                answer: answer.clone(),
                text: Default::default(),
            });
            all.filter(|decided| purchase(decided, now).is_some()).count()
        };
        let (alone, offered) = (buyers(0), buyers(1));
        let added = (offered - alone) * 10_000 / customers.len();
        assert!(added.abs_diff(OFFER_ADDS as usize) < 200, "{added}");
    }
}
