//! Asks for every customer's decision through the public door.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeZone as _, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};

use super::{
    customer::Customer,
    http::{Api, read},
    progress,
};

/// Questions on their way at once.
pub const IN_FLIGHT: usize = 32;

/// A customer and the answer.
#[derive(Clone, Debug)]
pub struct Decided<'a> {
    /// The customer.
    pub customer: &'a Customer,
    /// The answer.
    pub answer: Answer,
    /// The answer as it came.
    pub text: Bytes,
}

impl Decided<'_> {
    /// True when an offer is made.
    pub fn is_offered(&self) -> bool {
        !self.answer.decisions.is_empty()
    }

    /// True when no rule of any offer lets the customer in.
    pub fn is_unqualified(&self) -> bool {
        self.answer.reason_code == "nothing_qualified"
    }
}

/// A decision, as far as the demo tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answer {
    /// The offers, best first.
    pub decisions: Vec<Offered>,
    /// Why there are none.
    pub reason: String,
    /// The same for programs.
    pub reason_code: String,
    /// When contact would be allowed.
    pub deliver_after: Option<String>,
    /// The decision's id.
    pub decision_id: Option<String>,
    /// Held out of the experiment.
    pub control_group: bool,
    /// Time in the server.
    pub latency_ms: f64,
    /// How it came about.
    pub trace: Trace,
}

/// An offer of an answer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// Its score.
    pub score: f64,
    /// Why it is here.
    pub trace: OfferTrace,
}

/// Why an offer was made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OfferTrace {
    /// The computed fields of this customer.
    pub computed_fields: serde_json::Map<String, serde_json::Value>,
    /// The contact verdict in short.
    pub contact_policy: String,
}

/// What an explained answer tells of refused offers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Trace {
    /// The refused offers.
    pub refused: Vec<RefusedOffer>,
}

/// An offer that was not made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RefusedOffer {
    /// Its name.
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
    /// The comparison.
    pub op: String,
    /// With what.
    pub expected: String,
    /// What was there.
    pub actual: Option<String>,
    /// Why that is not known.
    pub unknown: Option<String>,
}

/// What is asked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Question<'a> {
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

impl<'a> Question<'a> {
    /// What the programme asks: the customer on the preferred channel, now.
    pub fn now(customer: &'a Customer) -> Self {
        let (customer_id, channel) = (customer.id.as_str(), customer.channel);
        Self { customer_id, channel, flow: "Winback", dry_run: None, at: None, explain: None }
    }

    /// The same for another instant, writing nothing.
    pub fn dry_at(customer: &'a Customer, at: String) -> Self {
        Self { dry_run: Some(true), at: Some(at), ..Self::now(customer) }
    }

    /// The same with every refused offer, writing nothing.
    pub fn dry_explained(customer: &'a Customer) -> Self {
        Self { dry_run: Some(true), explain: Some(true), ..Self::now(customer) }
    }
}

/// Asks for every customer; the answers in the customers' order.
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

/// Asks for one customer.
pub async fn one<'a>(api: &Api, customer: &'a Customer) -> anyhow::Result<Decided<'a>> {
    let text = api.post("/api/v1/recommend", &Question::now(customer)).await?;
    Ok(Decided { customer, answer: read(&text)?, text })
}

/// Asks another question.
pub async fn ask(api: &Api, question: &Question<'_>) -> anyhow::Result<Answer> {
    read(&api.post("/api/v1/recommend", question).await?)
}

/// Two in the morning of the customer's next night, as text with offset; none without a zone.
pub fn next_two_in_the_morning(customer: &Customer, now: DateTime<Utc>) -> Option<String> {
    let zone = customer.zone?;
    let tomorrow = now.with_timezone(&zone).date_naive().succ_opt()?;
    let two = zone.from_local_datetime(&tomorrow.and_hms_opt(2, 0, 0)?).earliest()?;
    Some(two.to_rfc3339_opts(SecondsFormat::Secs, true))
}
