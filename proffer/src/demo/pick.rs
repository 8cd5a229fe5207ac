//! Picks a few different decisions for the report, and asks the suite why each came out so.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    customer::{Customer, EMAIL},
    decide::{self, Answer, Decided, FailedRule, Offered, Request},
    http::Api,
    segment::{LAPSED_DAYS, Segment},
};

/// A decision to show.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// The decision.
    pub decided: &'a Decided<'a>,
    /// The reason, in the words of the suite.
    pub why: String,
}

/// One decision of each kind: offers first, then refusals by reason.
pub async fn rows<'a>(
    api: &Api,
    all: &'a [Decided<'a>],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Row<'a>>> {
    let mut rows = Vec::new();
    for category in ["apparel", "electronics", "home"] {
        let found = all.iter().find(|one| one.is_offered() && one.customer.category == category);
        if let Some((decided, offer)) =
            found.and_then(|one| Some((one, one.answer.decisions.first()?)))
        {
            rows.push(Row { decided, why: why_offered(offer) });
        }
    }
    for code in ["quiet_hours", "timezone_unknown", "consent_withheld", "consent_unknown"] {
        if let Some(decided) = all.iter().find(|one| one.answer.reason_code == code) {
            rows.push(Row { decided, why: decided.answer.reason.clone() });
        }
    }
    if let Some(decided) = held_out(api, all).await? {
        rows.push(decided);
    }
    for segment in [Segment::Lapsed, Segment::Lost, Segment::Active] {
        let found = all
            .iter()
            .find(|one| one.is_unqualified() && Segment::of(one.customer, now) == segment);
        if let Some(decided) = found {
            let why = failed_rule(api, decided).await?;
            rows.push(Row { decided, why });
        }
    }
    Ok(rows)
}

/// The computed fields, and the result of the contact policies.
fn why_offered(offer: &Offered) -> String {
    let computed =
        offer.trace.computed_fields.iter().map(|(name, value)| format!("{name} {value}, "));
    format!("{}contact policy {}", computed.collect::<String>(), offer.trace.contact_policy)
}

/// A held-out customer who would have received an offer. The record of the decision names the
/// offer.
async fn held_out<'a>(api: &Api, all: &'a [Decided<'a>]) -> anyhow::Result<Option<Row<'a>>> {
    for decided in all.iter().filter(|one| one.answer.reason_code == "holdout") {
        let Some(id) = &decided.answer.decision_id else { continue };
        let record: Record = api.get(&format!("/api/v1/decisions/{id}")).await?;
        if let Some(ghost) = record.ghost_offers.first() {
            let why = format!("{}; would have received {ghost}", decided.answer.reason);
            return Ok(Some(Row { decided, why }));
        }
    }
    Ok(None)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    ghost_offers: Vec<String>,
}

/// The failed rule of the offer in the customer's own category.
async fn failed_rule(api: &Api, decided: &Decided<'_>) -> anyhow::Result<String> {
    let explained = decide::ask(api, &Request::dry_explained(decided.customer)).await?;
    let mut refused = explained.trace.refused.iter();
    let own = refused.find_map(|offer| {
        let rule = offer.rule.as_ref().filter(|rule| rule.field != "primaryCategory")?;
        Some(format!("{}: {}", offer.name, in_words(rule)))
    });
    Ok(own.unwrap_or_else(|| decided.answer.reason.clone()))
}

fn in_words(rule: &FailedRule) -> String {
    let found = match (&rule.actual, &rule.unknown) {
        (Some(actual), _) => format!("is {actual}"),
        (None, Some(cause)) => cause.clone(),
        (None, None) => "is not met".to_owned(),
    };
    format!("wants {} {} {}, {found}", rule.field, rule.op, rule.expected)
}

/// The decision that the report shows in full: the first e-mail offer for apparel that is still
/// valid tomorrow.
pub fn shown<'a>(all: &'a [Decided<'a>], now: DateTime<Utc>) -> Option<&'a Decided<'a>> {
    let is_lasting = |one: &&Decided<'_>| {
        one.is_offered() && one.customer.silent_days(now) < Some(*LAPSED_DAYS.end())
    };
    let is_first =
        |one: &&Decided<'_>| one.customer.category == "apparel" && one.customer.channel == EMAIL;
    all.iter().filter(is_lasting).find(is_first).or_else(|| all.iter().find(is_lasting))
}

/// A customer with an offer, asked again until the cap refuses.
#[derive(Clone, Debug)]
pub struct Capped<'a> {
    /// The customer.
    pub customer: &'a Customer,
    /// Number of offers before the refusal.
    pub offers: usize,
    /// The refusal; `None` when the cap did not refuse.
    pub refusal: Option<Answer>,
}

/// Limit of the requests that test the cap of three.
const ASKED_MAX: usize = 5;

/// Repeats the request for a customer who already has one offer.
pub async fn capped<'a>(api: &Api, customer: &'a Customer) -> anyhow::Result<Capped<'a>> {
    for offers in 1..ASKED_MAX {
        let answer = decide::one(api, customer).await?.answer;
        if answer.decisions.is_empty() {
            return Ok(Capped { customer, offers, refusal: Some(answer) });
        }
    }
    Ok(Capped { customer, offers: ASKED_MAX, refusal: None })
}

/// Whole days since the last purchase, as text.
pub fn silent(customer: &Customer, now: DateTime<Utc>) -> String {
    customer.silent_days(now).map_or_else(|| "-".to_owned(), |days| days.to_string())
}
