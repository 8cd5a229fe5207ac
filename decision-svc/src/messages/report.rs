//! Reads the report of an outcome: when it arrives, and again from its record, to see whether
//! another report says the same.

use chrono::{DateTime, Utc};
use proffer_proto::decision::v1 as proto;
use serve::Problem;
use wire::amount;

use super::instant;
use crate::domain::{
    outcome::{FUTURE_MAX, Report, VALUE_MAX},
    request::{id_fault, text_fault},
};

/// The report, or all its faults.
pub fn read(reported: proto::OutcomeReport, now: DateTime<Utc>) -> Result<Report, Problem> {
    let mut faults: Vec<(String, String)> = Vec::new();
    let mut fault =
        |field: &str, message: String| faults.push((format!("outcome.{field}"), message));
    if let Some(message) = id_fault(&reported.customer_id) {
        fault("customer_id", message);
    }
    if reported.outcome.is_empty() {
        fault("outcome", "is required: key of an outcome type".to_owned());
    }
    let texts = [
        ("outcome", &reported.outcome),
        ("decision_id", &reported.decision_id),
        ("offer_id", &reported.offer_id),
        ("channel", &reported.channel),
    ];
    for (field, text) in texts {
        if let Some(message) = text_fault(text) {
            fault(field, message);
        }
    }
    if let Some(message) =
        wire::text::text_fault(&reported.idempotency_key, wire::text::ID_BYTES_MAX)
    {
        fault("idempotency_key", message);
    }
    if reported.rank.is_some_and(|rank| rank < 1) {
        fault("rank", "must be 1 or more".to_owned());
    }
    if reported.rank.is_some() && reported.decision_id.is_empty() {
        fault("decision_id", "is required with `rank`".to_owned());
    }
    let value_e4 = reported_amount(&reported, &mut fault);
    let occurred_at =
        reported.occurred_at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
            fault("occurred_at", message);
            None
        });
    if occurred_at.is_some_and(|at| at > now + FUTURE_MAX) {
        fault("occurred_at", "is more than 5 minutes ahead".to_owned());
    }
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults));
    }
    Ok(Report {
        customer_id: reported.customer_id,
        key: reported.outcome,
        decision_id: reported.decision_id,
        rank: reported.rank,
        offer_id: reported.offer_id,
        channel: reported.channel,
        value_e4,
        occurred_at,
        idempotency_key: reported.idempotency_key,
    })
}

/// The amount, which has two names, in 1/10,000 of the currency; all faults by field.
fn reported_amount(
    reported: &proto::OutcomeReport,
    fault: &mut impl FnMut(&str, String),
) -> Option<i64> {
    let mut amounts = Vec::new();
    for (field, value) in
        [("value", &reported.value), ("conversion_value", &reported.conversion_value)]
    {
        let Some(value) = value else { continue };
        match amount::read(value, -VALUE_MAX..=VALUE_MAX) {
            Ok(amount) => amounts.extend(amount),
            Err(message) => fault(field, message),
        }
    }
    if let [value, other] = amounts[..]
        && value != other
    {
        fault("conversion_value", "differs from `value`; give one of them".to_owned());
    }
    amounts.first().copied()
}
