//! Reports what the customers did, and waits until it is counted.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Api, Customer, ask::Contacted, configuration::Taken};
use crate::demo::{http::read, progress};

/// Outcomes per call, the limit of the API.
const OUTCOMES_MAX: usize = 1_000;
/// Pause between two reads.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Limit of the reads.
const POLLS_MAX: usize = 600;

/// Totals of what was reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reported {
    /// Of those who were contacted.
    pub contacted: Arm,
    /// Of those who were held out.
    pub held_out: Arm,
}

/// Totals of an arm.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arm {
    /// Customers.
    pub customers: usize,
    /// Of them, buyers.
    pub buyers: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    customer_id: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Results {
    counted_through: Option<String>,
}

/// Reports an impression for every contacted customer, and a conversion for every buyer.
pub async fn report(
    api: &Api,
    customers: &[Customer],
    contacted: &[Contacted],
) -> anyhow::Result<Reported> {
    let (mut reported, mut outcomes) = (Reported::default(), Vec::new());
    for (customer, decision_id) in customers.iter().zip(contacted) {
        let (customer_id, decision_id) = (customer.id.as_str(), decision_id.as_deref());
        let about = |outcome, idempotency_key| Outcome {
            customer_id,
            outcome,
            decision_id,
            idempotency_key,
        };
        let arm = match decision_id {
            Some(_) => &mut reported.contacted,
            None => &mut reported.held_out,
        };
        arm.customers += 1;
        if decision_id.is_some() {
            outcomes.push(about("impression", None));
        }
        if customer.does_buy(decision_id.is_some()) {
            arm.buyers += 1;
            outcomes.push(about("conversion", Some(format!("simulated-order-{customer_id}"))));
        }
    }
    let bar = progress::bar("reporting outcomes", outcomes.len());
    for some in outcomes.chunks(OUTCOMES_MAX) {
        let answer = api.post("/api/v1/respond/batch", &json!({"outcomes": some})).await?;
        let answer: Taken = read(&answer)?;
        anyhow::ensure!(answer.refused == 0, "{} outcomes were refused", answer.refused);
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
        let results: Results = api.get(&path).await?;
        let through = results.counted_through.unwrap_or_default();
        if DateTime::parse_from_rfc3339(&through).is_ok_and(|through| through >= until) {
            return Ok(());
        }
    }
    anyhow::bail!("after two minutes the results of {experiment} are not counted through {until}")
}
