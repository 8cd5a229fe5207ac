//! Requests a decision for every customer through the public API.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeZone as _, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::{
    customer::Customer,
    http::{Api, read},
    progress,
};

/// Requests in flight.
pub const IN_FLIGHT: usize = 32;

/// A customer and the decision for them.
#[derive(Clone, Debug)]
pub struct Decided<'a> {
    /// The customer.
    pub customer: &'a Customer,
    /// The parsed answer.
    pub answer: Answer,
    /// The answer as received.
    pub text: Bytes,
}

impl Decided<'_> {
    /// True when the decision has an offer.
    pub fn is_offered(&self) -> bool {
        !self.answer.decisions.is_empty()
    }

    /// True when the customer qualifies for no offer.
    pub fn is_unqualified(&self) -> bool {
        self.answer.reason_code == "nothing_qualified"
    }
}

/// The fields of a decision that the demo reads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answer {
    /// The offers, best first.
    pub decisions: Vec<Offered>,
    /// Why there are none.
    pub reason: String,
    /// The reason code.
    pub reason_code: String,
    /// First instant at which contact is allowed.
    pub deliver_after: Option<String>,
    /// Id of the decision.
    pub decision_id: Option<String>,
    /// True for customers in the holdout.
    pub control_group: bool,
    /// Time in the server, in ms.
    pub latency_ms: f64,
    /// The trace.
    pub trace: Trace,
}

/// An offer of an answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Offered {
    /// Name of the offer.
    pub name: String,
    /// Rank score.
    pub score: f64,
    /// Trace of the offer.
    pub trace: OfferTrace,
}

/// Why an offer was made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OfferTrace {
    /// The computed fields of this customer.
    pub computed_fields: serde_json::Map<String, serde_json::Value>,
    /// Short result of the contact policies.
    pub contact_policy: String,
}

/// The refused offers of an explained decision.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// The refused offers.
    pub refused: Vec<RefusedOffer>,
}

/// An offer that was refused.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RefusedOffer {
    /// Name of the offer.
    pub name: String,
    /// The rule that did not hold.
    pub rule: Option<FailedRule>,
}

/// A rule that did not hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FailedRule {
    /// The field.
    pub field: String,
    /// The operator.
    pub op: String,
    /// The value of the rule.
    pub expected: String,
    /// The value of the customer.
    pub actual: Option<String>,
    /// Why the value of the customer is unknown.
    pub unknown: Option<String>,
}

/// A request for a decision.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    customer_id: &'a str,
    channel: &'a str,
    flow: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<bool>,
}

impl<'a> Request<'a> {
    /// A request for the customer on the preferred channel, now.
    pub fn now(customer: &'a Customer) -> Self {
        let (customer_id, channel) = (customer.id.as_str(), customer.channel);
        Self { customer_id, channel, flow: "Winback", dry_run: None, at: None, explain: None }
    }

    /// A dry run for another instant.
    pub fn dry_at(customer: &'a Customer, at: String) -> Self {
        Self { dry_run: Some(true), at: Some(at), ..Self::now(customer) }
    }

    /// A dry run that lists every refused offer.
    pub fn dry_explained(customer: &'a Customer) -> Self {
        Self { dry_run: Some(true), explain: Some(true), ..Self::now(customer) }
    }
}

/// Requests a decision for every customer. The answers are in the order of the customers.
pub async fn everyone<'a>(
    api: &Api,
    customers: &'a [Customer],
) -> anyhow::Result<Vec<Decided<'a>>> {
    let bar = progress::bar("deciding", customers.len());
    let asked = stream::iter(customers).map(|customer| async {
        let decided = one(api, customer).await;
        bar.inc(1);
        decided
    });
    let decided = asked.buffered(IN_FLIGHT).try_collect().await;
    bar.finish_and_clear();
    decided
}

/// Requests a decision for one customer.
pub async fn one<'a>(api: &Api, customer: &'a Customer) -> anyhow::Result<Decided<'a>> {
    let text = api.post("/api/v1/recommend", &Request::now(customer)).await?;
    Ok(Decided { customer, answer: read(&text)?, text })
}

/// Sends any request.
pub async fn ask(api: &Api, request: &Request<'_>) -> anyhow::Result<Answer> {
    read(&api.post("/api/v1/recommend", request).await?)
}

/// 02:00 in the customer's next night, as text with offset; `None` without a zone.
pub fn next_two_in_the_morning(customer: &Customer, now: DateTime<Utc>) -> Option<String> {
    let zone = customer.zone?;
    let tomorrow = now.with_timezone(&zone).date_naive().succ_opt()?;
    let two = zone.from_local_datetime(&tomorrow.and_hms_opt(2, 0, 0)?).earliest()?;
    Some(two.to_rfc3339_opts(SecondsFormat::Secs, true))
}
