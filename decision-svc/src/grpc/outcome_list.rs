//! A customer's outcomes, newest first.

use proffer_proto::{
    decision::v1 as proto,
    values::v1::{Value, value::Kind},
};
use serve::Problem;
use tonic::Status;
use wire::{amount, name::hint, named::OUTCOME_TYPE};

use super::range::Range;
use crate::{
    deciding::{kept_outcome::KeptOutcome, respond::Respond},
    domain::request::{id_fault, text_fault},
    store::{OutcomeFilter, OutcomeRow},
};

/// A page of a customer's outcomes.
pub async fn page(
    respond: &Respond,
    tenant: &str,
    asked: proto::ListOutcomesRequest,
) -> Result<proto::ListOutcomesResponse, Status> {
    let proto::ListOutcomesRequest { customer_id, decision_id, outcome, .. } = &asked;
    let faults = [
        ("customer_id", id_fault(customer_id)),
        ("decision_id", text_fault(decision_id)),
        ("outcome", text_fault(outcome)),
    ];
    let faults: Vec<_> =
        faults.into_iter().filter_map(|(field, fault)| Some((field.to_owned(), fault?))).collect();
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults).into());
    }
    let range = Range::read(asked.after.as_ref(), asked.before.as_ref())?;
    let [from, until] = range.marks();
    let listing =
        history::Listing::new(&["outcomes", customer_id, decision_id, outcome, &from, &until]);
    let (size, after) =
        listing.page(asked.page_size, &asked.page_token).map_err(Problem::invalid_fields)?;
    let before = place(&after).unwrap_or((range.until_us, i64::MIN));
    let filter =
        OutcomeFilter { customer_id, outcome_key: outcome, decision_id, from_us: range.from_us };
    // One more than asked for shows whether there is a next page.
    let found = respond.store.outcomes(tenant, filter, before, i64::from(size) + 1).await;
    let mut found = found.map_err(|error| serve::store_status(&error))?;
    if found.is_empty() && after.is_empty() && !outcome.is_empty() {
        refuse_unknown_type(respond, tenant, outcome).await?;
    }
    let size = usize::try_from(size).unwrap_or_default();
    let has_more = found.len() > size;
    found.truncate(size);
    let next_page_token = match found.last().filter(|_| has_more) {
        Some(last) => listing.token(&format!("{} {}", last.occurred_us, last.customer_seq)),
        None => String::new(),
    };
    let outcomes = found.into_iter().map(|row| printed(customer_id, row)).collect();
    Ok(proto::ListOutcomesResponse { outcomes, next_page_token })
}

/// Instant and place in the customer's order, where the previous page ended.
fn place(after: &str) -> Option<(i64, i64)> {
    let (occurred_us, customer_seq) = after.split_once(' ')?;
    Some((occurred_us.parse().ok()?, customer_seq.parse().ok()?))
}

/// Refuses a key that no outcome type has, unless catalog-svc cannot say which there are.
async fn refuse_unknown_type(respond: &Respond, tenant: &str, key: &str) -> Result<(), Problem> {
    let Some(catalog) = respond.names.of_kind(OUTCOME_TYPE) else { return Ok(()) };
    let heard = catalog.now(tenant).await;
    let all = heard.directory.all().filter(|(kind, _, _)| *kind == OUTCOME_TYPE);
    let keys: Vec<&str> = all.map(|(_, key, _)| key).collect();
    if !heard.is_current || keys.contains(&key) {
        return Ok(());
    }
    let hint = hint(key, keys.iter().copied());
    let message = format!("`{}` is not an outcome type{hint}", wire::text::quoted(key));
    Err(Problem::invalid_field("outcome", message))
}

fn printed(customer_id: &str, row: OutcomeRow) -> proto::Outcome {
    let kept = KeptOutcome::read(&row.record);
    let report = kept.report();
    let value = |value_e4| Value { kind: Some(Kind::DecimalValue(amount::text(value_e4))) };
    proto::Outcome {
        outcome_id: row.outcome_id,
        customer_id: customer_id.to_owned(),
        outcome: row.outcome_key,
        category: kept.category,
        decision_id: report.decision_id,
        rank: (kept.rank > 0).then_some(kept.rank),
        offer_id: kept.offer_id,
        channel: kept.channel,
        value: row.value_e4.map(value),
        occurred_at: Some(history::timestamp(serve::from_micros(row.occurred_us))),
        received_at: Some(history::timestamp(serve::from_micros(row.received_us))),
        idempotency_key: report.idempotency_key,
    }
}
