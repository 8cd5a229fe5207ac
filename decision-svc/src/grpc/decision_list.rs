//! Decisions, newest first: of one customer or of all.

use history::PAGE_BYTES_MAX;
use proffer_proto::{decision::v1 as proto, values::v1::ReasonCode};
use serve::Problem;
use tonic::Status;
use wire::reason;

use super::range::Range;
use crate::{
    deciding::{kept::KeptRecord, whole_flow::WholeFlows},
    domain::request::id_fault,
    store::{DecisionFilter, DecisionRow, Store},
};

/// Records that are read at once: the largest of them fit in memory many times.
const READ_AT_ONCE: usize = 100;

/// A page of decisions.
pub async fn page(
    (store, flows): (&Store, &WholeFlows),
    tenant: &str,
    asked: proto::ListDecisionsRequest,
) -> Result<proto::ListDecisionsResponse, Status> {
    let proto::ListDecisionsRequest { customer_id, flow, .. } = &asked;
    if let Some(message) = id_fault(customer_id).filter(|_| !customer_id.is_empty()) {
        return Err(Problem::invalid_field("customer_id", message).into());
    }
    let range = Range::read(asked.after.as_ref(), asked.before.as_ref())?;
    let reason = reason_word(asked.reason)?;
    let flow_id = match flow.trim() {
        "" => String::new(),
        named => flows.past_id(tenant, named).await?,
    };
    let [from, until] = range.marks();
    let parts = ["decisions", customer_id, &flow_id, reason, &from, &until];
    let listing = history::Listing::new(&parts);
    let (size, after) =
        listing.page(asked.page_size, &asked.page_token).map_err(Problem::invalid_fields)?;
    let place = after.split_once(' ');
    let place = place.and_then(|(us, id)| Some((us.parse().ok()?, id)));
    let filter = DecisionFilter { customer_id, flow_id: &flow_id, reason, from_us: range.from_us };
    let size = usize::try_from(size).unwrap_or_default();
    let (rows, has_more) =
        read(store, tenant, filter, place.unwrap_or((range.until_us, "")), size).await?;
    let next_page_token = match rows.last().filter(|_| has_more) {
        Some(last) => listing.token(&format!("{} {}", last.decided_us, last.decision_id)),
        None => String::new(),
    };
    let decisions = rows.iter().filter_map(|row| KeptRecord::read(&row.record).shown).collect();
    Ok(proto::ListDecisionsResponse { decisions, next_page_token })
}

/// The word of a reason; empty when none is asked for.
fn reason_word(number: i32) -> Result<&'static str, Problem> {
    ReasonCode::try_from(number).map(reason::word).map_err(|_| {
        let known: Vec<_> = reason::words().collect();
        let message = format!("is {number}; it must be one of {}", known.join(", "));
        Problem::invalid_field("reason", message)
    })
}

/// At most `size` rows, fewer when their records are large, and whether there are more.
async fn read(
    store: &Store,
    tenant: &str,
    filter: DecisionFilter<'_>,
    before: (i64, &str),
    size: usize,
) -> Result<(Vec<DecisionRow>, bool), Status> {
    let (mut rows, mut bytes): (Vec<DecisionRow>, _) = (Vec::new(), 0);
    loop {
        // One more than asked for shows whether there is a next page.
        let limit = (size + 1 - rows.len()).min(READ_AT_ONCE);
        let place = rows.last().map_or(before, |last| (last.decided_us, &last.decision_id));
        let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = store.decisions(tenant, filter, place, limit_rows).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        let is_end = found.len() < limit;
        for row in found {
            bytes += row.record.len();
            if rows.len() == size || (bytes > PAGE_BYTES_MAX && !rows.is_empty()) {
                return Ok((rows, true));
            }
            rows.push(row);
        }
        if is_end {
            return Ok((rows, false));
        }
    }
}
