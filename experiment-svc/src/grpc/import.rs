//! Imports the arms of an external experiment.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use history::ServiceContext as _;
use proffer_proto::{
    errors::v1::ItemFault,
    experiment::v1::{self as proto, Experiment as Stored},
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::{Context, id_fault, instant, resource};
use crate::{
    domain::experiment::{Covariate, Source, Status as Stage, covariate_fault, rfc3339},
    store::{Assignment, Differs, ImportedArm},
};

/// Most rows of an import.
pub const ROWS_MAX: usize = 1_000;
/// Most covariates of a row.
const COVARIATES_MAX: usize = 50;
/// Bytes of a row's covariates.
const COVARIATES_BYTES_MAX: usize = 16 * 1024;
/// Most faults reported of a row.
const FAULTS_MAX: usize = 10;
/// Largest magnitude of a covariate.
const NUMBER_MAX: f64 = 1e12;
/// Whole numbers per 1.
const UNITS: f64 = 10_000.0;

/// Faults of one row: field and message.
type Faults = Vec<(String, String)>;

/// Stores the arms of the rows without a fault.
pub async fn import(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::ImportAssignmentsRequest,
) -> Result<proto::ImportAssignmentsResponse, Status> {
    let tenant = metadata::tenant(metadata)?;
    let proto::ImportAssignmentsRequest { id, assignments, unread } = request;
    if assignments.len() > ROWS_MAX {
        return Err(Problem::limit("assignments", assignments.len(), ROWS_MAX).into());
    }
    let stored: Stored = context.stored().get(&tenant, &id).await?;
    let experiment = resource::stored(&stored)?;
    if experiment.source != Source::External || experiment.status == Stage::Concluded {
        let why = if experiment.source == Source::External {
            "is concluded: its arms are final"
        } else {
            "draws its arms itself; only one with `assignmentSource: external` imports them"
        };
        let message = format!("experiment `{}` {why}", stored.id);
        return Err(Problem::wrong_state(&stored.id, experiment.status.name(), message).into());
    }
    let covariate = match &experiment.covariate {
        Some(Covariate::Imported(name)) => Some(name.as_str()),
        _ => None,
    };
    let mut rows: Vec<Result<ImportedArm, Faults>> = assignments
        .iter()
        .map(|row| within(experiment.planned_end, parse(&stored.id, covariate, row)))
        .collect();
    refuse_unread(&mut rows, unread);
    let (places, arms): (Vec<usize>, Vec<ImportedArm>) = rows
        .iter()
        .enumerate()
        .filter_map(|(place, row)| Some((place, row.as_ref().ok()?.clone())))
        .unzip();
    let differs = context.store.import(&tenant, &stored.id, &arms).await;
    let differs = differs.map_err(|error| serve::store_status(&error))?;
    for (place, differs) in places.into_iter().zip(differs) {
        if let (Some(row), Some(differs)) = (rows.get_mut(place), differs) {
            *row = Err(vec![told(differs)]);
        }
    }
    Ok(answer(&assignments, rows))
}

fn refuse_unread(rows: &mut [Result<ImportedArm, Faults>], unread: BTreeMap<i32, ItemFault>) {
    for (index, fault) in unread {
        let row = usize::try_from(index).ok().and_then(|index| rows.get_mut(index));
        let Some(row) = row else { continue };
        let faults = fault.field_violations.into_iter();
        *row = Err(faults.map(|it| (it.field, it.description)).collect());
    }
}

fn told(differs: Differs) -> (String, String) {
    let (field, what) = match differs {
        Differs::Arm => ("arm", "the customer has the other arm already; an arm never changes"),
        Differs::Instant => {
            ("assignedAt", "the customer was assigned at another instant; it never changes")
        }
        Differs::Covariates => {
            ("covariates", "the customer has other covariates already; they never change")
        }
    };
    (field.to_owned(), what.to_owned())
}

fn answer(
    assignments: &[proto::ImportedAssignment],
    rows: Vec<Result<ImportedArm, Faults>>,
) -> proto::ImportAssignmentsResponse {
    let count = |rows: usize| i32::try_from(rows).unwrap_or(i32::MAX);
    let (all, mut refused, mut faults) = (rows.len(), 0, Vec::new());
    for (index, (row, read)) in (0..).zip(assignments.iter().zip(rows)) {
        let Err(found) = read else { continue };
        refused += 1;
        faults.extend(found.into_iter().take(FAULTS_MAX).map(|(field, message)| {
            let customer_id = row.customer_id.chars().take(128).collect();
            proto::AssignmentFault { index, customer_id, field, message }
        }));
    }
    proto::ImportAssignmentsResponse {
        accepted: count(all - refused),
        refused: count(refused),
        faults,
    }
}

/// Refuses an arm from the planned end on: no outcome of the customer would count, and the figures
/// would be diluted.
fn within(
    planned_end: Option<DateTime<Utc>>,
    row: Result<ImportedArm, Faults>,
) -> Result<ImportedArm, Faults> {
    let row = row?;
    match planned_end.filter(|end| row.assignment.assigned_at >= *end) {
        None => Ok(row),
        Some(end) => {
            let message = format!(
                "must lie before {}, the planned end: `startsAt` plus `duration` of the experiment \
                 must cover every assignment",
                rfc3339(end)
            );
            Err(vec![("assignedAt".to_owned(), message)])
        }
    }
}

fn parse(
    experiment_id: &str,
    covariate: Option<&str>,
    row: &proto::ImportedAssignment,
) -> Result<ImportedArm, Faults> {
    let mut faults = Faults::new();
    let mut fault = |field: &str, message: String| faults.push((field.to_owned(), message));
    if let Some(message) = id_fault(&row.customer_id) {
        fault("customerId", message);
    }
    let is_holdout = match row.arm() {
        proto::Arm::Treatment => false,
        proto::Arm::Holdout => true,
        proto::Arm::Unspecified => {
            fault("arm", "is required: treatment or holdout".to_owned());
            false
        }
    };
    let assigned_at: Result<DateTime<Utc>, String> =
        row.assigned_at.as_ref().ok_or_else(|| "is required".to_owned()).and_then(instant);
    let assigned_at = assigned_at.map_err(|message| fault("assignedAt", message));
    let covariates = &row.covariates;
    if covariates.len() > COVARIATES_MAX {
        let count = covariates.len();
        fault("covariates", format!("has {count}, which exceeds the maximum {COVARIATES_MAX}"));
    }
    for (name, value) in covariates {
        let message = covariate_fault(name).or_else(|| wire::value::fault(value));
        if let Some(message) = message {
            fault(&format!("covariates.{name}"), message);
        }
    }
    // Kept as it was sent: a row with nothing but its covariates.
    let bytes = proto::ImportedAssignment { covariates: covariates.clone(), ..Default::default() }
        .encode_to_vec();
    if bytes.len() > COVARIATES_BYTES_MAX {
        let max = COVARIATES_BYTES_MAX;
        fault("covariates", format!("has {} bytes, which exceeds the maximum {max}", bytes.len()));
    }
    let named = covariate.and_then(|name| Some((name, covariates.get(name)?)));
    let number_e4 = named.and_then(|(name, value)| {
        number_e4(value).map_err(|message| fault(&format!("covariates.{name}"), message)).ok()
    });
    let Some(assigned_at) = assigned_at.ok().filter(|_| faults.is_empty()) else {
        return Err(faults);
    };
    let assignment = Assignment {
        experiment_id: experiment_id.to_owned(),
        customer_id: row.customer_id.clone(),
        is_holdout,
        epoch: 1,
        assigned_at,
    };
    Ok(ImportedArm { assignment, covariates: bytes, number_e4 })
}

/// A number in 1/10,000, rounded.
fn number_e4(value: &Value) -> Result<i64, String> {
    let number = match &value.kind {
        Some(Kind::IntegerValue(number)) => *number as f64,
        Some(Kind::DoubleValue(number)) => *number,
        Some(Kind::DecimalValue(text)) => text.parse().unwrap_or(f64::NAN),
        Some(Kind::BooleanValue(is)) => f64::from(u8::from(*is)),
        _ => f64::NAN,
    };
    if number.abs() <= NUMBER_MAX {
        return Ok((number * UNITS).round() as i64);
    }
    Err(format!("must be a number of at most {NUMBER_MAX:e}: the experiment compares by it"))
}
