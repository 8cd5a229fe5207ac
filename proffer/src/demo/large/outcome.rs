//! Reports what the customers did, and waits until it is counted.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{Api, Customer, ask::Contacted};
use crate::demo::{
    read_out,
    respond::{self, Outcome},
};

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
            value: None,
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
    respond::report(api, &outcomes).await?;
    Ok(reported)
}

/// Waits until everything acknowledged before `until` is counted.
pub async fn counted(api: &Api, experiment: &str, until: DateTime<Utc>) -> anyhow::Result<()> {
    let path = format!("/api/v1/experiments/{experiment}/results?metric=conversion_rate");
    let is_through = |results: &Results| {
        let through = results.counted_through.as_deref().unwrap_or_default();
        DateTime::parse_from_rfc3339(through).is_ok_and(|through| through >= until)
    };
    let found = read_out::until(api, &path, POLLS_MAX, is_through).await?;
    found.map(drop).with_context(|| {
        format!("after two minutes the results of {experiment} are not counted through {until}")
    })
}
