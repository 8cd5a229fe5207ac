//! The draft of an experiment as a caller sends it, and the checks for create and update.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use super::Status;
use crate::domain::{Faults, duration, measure::Metric, share};

/// Longest reference to a flow, in characters.
pub const FLOW_MAX: usize = 200;
/// Longest salt, in characters.
pub const SALT_MAX: usize = 64;
/// Last year in which an experiment may end.
const YEAR_MAX: i32 = 9999;

/// What a caller wrote; unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExperimentDraft {
    /// None for a running one.
    pub status: Option<Status>,
    /// Id or name of the flow.
    pub flow: String,
    /// Share held out, in percent.
    pub holdout_percentage: f64,
    /// Empty for the default.
    pub primary_metric: String,
    /// Empty for the default.
    pub duration: String,
    /// None for the default.
    pub starts_at: Option<DateTime<Utc>>,
    /// Empty for a random one.
    pub salt: String,
}

/// The parts of a draft that are checked alike on create and update.
pub(super) struct Checked {
    pub(super) holdout_basis_points: u32,
    pub(super) primary_metric: Metric,
    pub(super) duration: String,
    pub(super) length: TimeDelta,
}

/// Those parts, unless one of them is wrong; and all faults.
pub(super) fn check(draft: &ExperimentDraft) -> (Option<Checked>, Faults) {
    let mut faults = Faults::new();
    text_faults(&mut faults, "flow_id", &draft.flow, FLOW_MAX);
    if draft.flow.trim().is_empty() {
        faults.push(("flow_id", "is required: id or name of the flow".to_owned()));
    }
    text_faults(&mut faults, "salt", &draft.salt, SALT_MAX);
    let mut parsed = |field: &'static str, fault: String| faults.push((field, fault));
    let points = share::basis_points(draft.holdout_percentage)
        .map_err(|fault| parsed("holdout_percentage", fault));
    let metric = match draft.primary_metric.as_str() {
        "" => Metric::parse(Metric::DEFAULT),
        name => Metric::parse(name),
    };
    let metric = metric.map_err(|fault| parsed("primary_metric", fault));
    let duration = if draft.duration.is_empty() {
        duration::DEFAULT.to_owned()
    } else {
        draft.duration.clone()
    };
    let length = duration::parse(&duration).map_err(|fault| parsed("duration", fault));
    let last_start = DateTime::<Utc>::MAX_UTC - TimeDelta::days(i64::from(duration::DAYS_MAX));
    if draft.starts_at.is_some_and(|start| {
        start > last_start || (start + length.unwrap_or_default()).year() > YEAR_MAX
    }) {
        parsed("starts_at", format!("plus the duration lies beyond the year {YEAR_MAX}"));
    }
    let checked = match (points, metric, length) {
        (Ok(holdout_basis_points), Ok(primary_metric), Ok(length)) => {
            Some(Checked { holdout_basis_points, primary_metric, duration, length })
        }
        _ => None,
    };
    (checked, faults)
}

fn text_faults(faults: &mut Faults, field: &'static str, text: &str, max: usize) {
    let length = text.chars().count();
    if length > max {
        faults.push((field, format!("has {length} characters, which exceeds the maximum {max}")));
    }
    if text.chars().any(char::is_control) {
        faults.push((field, "must not contain control characters".to_owned()));
    }
}
