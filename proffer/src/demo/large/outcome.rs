//! Reports what the customers did, and waits until it is counted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Api, Customer, ask::Contacted};
use crate::demo::{http::read, progress};

/// Outcomes per call, the limit of the API.
const OUTCOMES_MAX: usize = 1_000;
/// Pause between two reads.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Limit of the reads.
const POLLS_MAX: usize = 600;

/// Totals of what was reported, the contacted first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported {
    /// Customers.
    pub customers: [usize; 2],
    /// Of them, buyers.
    pub buyers: [usize; 2],
}

/// Reports an impression for every contacted customer, and a conversion for every buyer.
pub async fn report(
    api: &Api,
    customers: &[Customer],
    contacted: &[Contacted],
) -> anyhow::Result<Reported> {
    let (mut reported, mut outcomes) = (Reported::default(), Vec::new());
    for (customer, decision_id) in customers.iter().zip(contacted) {
        let arm = usize::from(decision_id.is_none());
        reported.customers[arm] += 1;
        if let Some(decision_id) = decision_id {
            outcomes.push(json!({"customerId": customer.id, "outcome": "impression",
                "decisionId": decision_id}));
        }
        if customer.does_buy(decision_id.is_some()) {
            reported.buyers[arm] += 1;
            let key = format!("simulated-order-{}", customer.id);
            let mut outcome = json!({"customerId": customer.id, "outcome": "conversion",
                "idempotencyKey": key});
            if let Some(decision_id) = decision_id {
                outcome["decisionId"] = json!(decision_id);
            }
            outcomes.push(outcome);
        }
    }
    let bar = progress::bar("reporting outcomes", outcomes.len());
    for some in outcomes.chunks(OUTCOMES_MAX) {
        let answer = api.post("/api/v1/respond/batch", &json!({"outcomes": some})).await?;
        let answer: Value = read(&answer)?;
        anyhow::ensure!(answer["refused"] == 0, "outcomes were refused: {answer}");
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(reported)
}

/// Waits until everything acknowledged before `until` is counted.
pub async fn counted(api: &Api, experiment: &str, until: DateTime<Utc>) -> anyhow::Result<()> {
    let path = format!("/api/v1/experiments/{experiment}/results?metric=conversion_rate");
    let mut poll = tokio::time::interval(POLL_INTERVAL);
    for _ in 0..POLLS_MAX {
        poll.tick().await;
        let results: Value = api.get(&path).await?;
        let through = results["countedThrough"].as_str().unwrap_or_default();
        if DateTime::parse_from_rfc3339(through).is_ok_and(|through| through >= until) {
            return Ok(());
        }
    }
    anyhow::bail!("after two minutes the results of {experiment} are not counted through {until}")
}
