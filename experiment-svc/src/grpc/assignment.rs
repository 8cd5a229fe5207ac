//! Which arm customers are in.

use history::{Listing, ServiceContext as _, timestamp};
use proffer_proto::{
    errors::v1::ErrorReason,
    experiment::v1::{self as proto, Experiment},
};
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::{Context, id_fault};
use crate::{domain::analysis::Arm, store::ArmRow};

/// A page of assignments, by customer.
pub async fn list(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::ListAssignmentsRequest,
) -> Result<proto::ListAssignmentsResponse, Status> {
    let tenant = metadata::tenant(metadata)?;
    let experiment: Experiment = context.stored().get(&tenant, &request.id).await?;
    let arm = arm(request.arm)?;
    let listing = Listing::new(&["assignments", &experiment.id, &request.arm.to_string()]);
    let (size, after) =
        listing.page(request.page_size, &request.page_token).map_err(Problem::invalid_fields)?;
    // One more than asked for shows whether there is a next page.
    let asked = (experiment.id.as_str(), arm);
    let rows = context.store.arms(&tenant, asked, &after, i64::from(size) + 1).await;
    let mut rows = rows.map_err(|error| serve::store_status(&error))?;
    let has_more = rows.len() > size as usize;
    rows.truncate(size as usize);
    let next_page_token = rows
        .last()
        .filter(|_| has_more)
        .map(|row| listing.token(&row.customer_id))
        .unwrap_or_default();
    let assignments = rows.into_iter().map(assignment).collect();
    Ok(proto::ListAssignmentsResponse { assignments, next_page_token })
}

/// The arm of a request; none when it asks for all.
fn arm(number: i32) -> Result<Option<Arm>, Problem> {
    match proto::Arm::try_from(number) {
        Ok(proto::Arm::Unspecified) => Ok(None),
        Ok(proto::Arm::Treatment) => Ok(Some(Arm::Treatment)),
        Ok(proto::Arm::Holdout) => Ok(Some(Arm::Holdout)),
        Err(_) => {
            let message = format!("is {number}; it must be one of treatment, holdout");
            Err(Problem::invalid_field("arm", message))
        }
    }
}

/// The assignment of one customer.
pub async fn get(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::GetAssignmentRequest,
) -> Result<proto::GetAssignmentResponse, Status> {
    let tenant = metadata::tenant(metadata)?;
    if let Some(fault) = id_fault(&request.customer_id) {
        return Err(Problem::invalid_field("customer_id", fault).into());
    }
    let experiment: Experiment = context.stored().get(&tenant, &request.id).await?;
    let row = context.store.arm(&tenant, &experiment.id, &request.customer_id).await;
    let row = row.map_err(|error| serve::store_status(&error))?.ok_or_else(|| {
        let message = format!(
            "customer `{}` has no arm in experiment `{}`: the first decision assigns one",
            request.customer_id, experiment.id
        );
        Problem::not_found("assignment", &request.customer_id)
            .because(ErrorReason::NotFound, message)
            .with("experiment", experiment.id)
    })?;
    Ok(proto::GetAssignmentResponse { assignment: Some(assignment(row)) })
}

fn assignment(row: ArmRow) -> proto::Assignment {
    let arm = match row.arm {
        Arm::Treatment => proto::Arm::Treatment,
        Arm::Holdout => proto::Arm::Holdout,
    };
    proto::Assignment {
        customer_id: row.customer_id,
        arm: arm.into(),
        epoch: row.epoch,
        assigned_at: Some(timestamp(row.assigned_at)),
        first_exposure_at: row.first_exposure_at.map(timestamp),
    }
}
