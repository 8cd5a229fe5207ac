//! Refuses a breakdown by a name that no first exposure recorded.

use std::collections::BTreeSet;

use proffer_proto::experiment::v1::ExposureEntry;
use prost::Message as _;
use serve::Problem;
use tonic::Status;

use crate::{
    domain::{analysis::Breakdown, tally::Plan},
    grpc::Context,
    store::Seen,
};

/// What every exposure has.
const ALWAYS: [&str; 2] = ["category", "channel"];
/// Customers up to which the recorded fields are looked up for the answer.
const CUSTOMERS_MAX: u64 = 5_000;

/// Refuses breakdowns by a field that no customer has.
pub async fn check(
    context: &Context,
    (tenant, plan): (&str, &Plan),
    breakdowns: &[Breakdown],
    customers: u64,
) -> Result<(), Status> {
    let is_unknown =
        |known: &&Breakdown| known.is_of_nothing() && !ALWAYS.contains(&known.by.as_str());
    let Some(unknown) = breakdowns.iter().find(is_unknown) else { return Ok(()) };
    let mut names: BTreeSet<String> = ALWAYS.map(str::to_owned).into();
    if customers <= CUSTOMERS_MAX {
        let visit = |seen: Seen| names.extend(recorded(&seen.features));
        let walked = context.store.walk(tenant, plan, visit).await;
        walked.map_err(|error| serve::store_status(&error))?;
    }
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "`{}` was recorded at no first exposure; write one of {}, or a field that the flow records",
        unknown.by,
        names.join(", ")
    );
    Err(Problem::invalid_field("breakdown", message).into())
}

/// Names of the fields of an exposure.
fn recorded(features: &[u8]) -> Vec<String> {
    ExposureEntry::decode(features).unwrap_or_default().features.into_keys().collect()
}
