//! The draft of an experiment as a caller sends it, and the checks for create and update.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use super::{Covariate, EVERY_FLOW, Metrics, Source, Status};
use crate::domain::{Faults, duration, share};

/// Longest reference to a flow, in characters.
pub const FLOW_MAX: usize = 200;
/// Longest salt, in characters.
pub const SALT_MAX: usize = 64;
/// Longest outcome window, in days.
pub const WINDOW_DAYS_MAX: u32 = 365;
/// Customers expected when the caller says nothing.
pub const CUSTOMERS_DEFAULT: u64 = 5_000;
/// Fewest customers that may be expected.
pub const CUSTOMERS_MIN: i64 = 100;
/// Most customers that may be expected.
pub const CUSTOMERS_MAX: i64 = 1_000_000_000;
/// Last year in which an experiment may end.
const YEAR_MAX: i32 = 9999;

/// What a caller wrote; unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExperimentDraft {
    /// None for a running one.
    pub status: Option<Status>,
    /// Id or name of the flow.
    pub flow: String,
    /// Where arms come from.
    pub source: Source,
    /// Share held out, in percent.
    pub holdout_percentage: Option<f64>,
    /// Empty for the default.
    pub primary_metric: String,
    /// Empty for the default.
    pub duration: String,
    /// None for the default.
    pub starts_at: Option<DateTime<Utc>>,
    /// Empty for a random one.
    pub salt: String,
    /// None when outcomes count until the planned end.
    pub outcome_window_days: Option<i32>,
    /// 0 for the default.
    pub expected_customers: i64,
    /// Names of metrics.
    pub secondary_metrics: Vec<String>,
    /// Names of metrics; empty for the default.
    pub guardrail_metrics: Vec<String>,
    /// Empty for none.
    pub covariate: String,
}

/// The parts of a draft that are checked alike on create and update.
pub(super) struct Checked {
    pub(super) holdout_basis_points: u32,
    pub(super) metrics: Metrics,
    pub(super) duration: String,
    pub(super) length: TimeDelta,
    pub(super) outcome_window_days: Option<u32>,
    pub(super) expected_customers: u64,
    pub(super) covariate: Option<Covariate>,
}

/// Those parts, unless one of them is wrong; and all faults.
pub(super) fn check(draft: &ExperimentDraft) -> (Option<Checked>, Faults) {
    let mut faults = Faults::new();
    check_flow(draft, &mut faults);
    text_faults(&mut faults, "salt", &draft.salt, SALT_MAX);
    let points = draft
        .holdout_percentage
        .ok_or_else(|| "is required: the share held out, 0 to 100; write 0 for none".to_owned())
        .and_then(share::basis_points)
        .map_err(|fault| faults.push(("holdout_percentage", fault)));
    let metrics = Metrics::parse(
        &draft.primary_metric,
        &draft.secondary_metrics,
        &draft.guardrail_metrics,
        &mut faults,
    );
    let duration = if draft.duration.is_empty() {
        duration::DEFAULT.to_owned()
    } else {
        draft.duration.clone()
    };
    let length = duration::parse(&duration).map_err(|fault| faults.push(("duration", fault)));
    check_start(draft, length.unwrap_or_default(), &mut faults);
    let outcome_window_days = window(draft.outcome_window_days, &mut faults);
    let expected_customers = customers(draft.expected_customers, &mut faults);
    let covariate = covariate(draft, &mut faults);
    let checked = match (points, metrics, length) {
        (Ok(holdout_basis_points), Some(metrics), Ok(length)) => Some(Checked {
            holdout_basis_points,
            metrics,
            duration,
            length,
            outcome_window_days,
            expected_customers,
            covariate,
        }),
        _ => None,
    };
    (checked, faults)
}

fn check_flow(draft: &ExperimentDraft, faults: &mut Faults) {
    text_faults(faults, "flow_id", &draft.flow, FLOW_MAX);
    let is_empty = draft.flow.trim().is_empty();
    match draft.source {
        Source::Flow if is_empty => {
            let message = format!("is required: id or name of the flow, or `{EVERY_FLOW}`");
            faults.push(("flow_id", message));
        }
        Source::External if !is_empty => {
            let message = "must be empty: an external experiment runs on no flow".to_owned();
            faults.push(("flow_id", message));
        }
        Source::Flow | Source::External => {}
    }
}

fn check_start(draft: &ExperimentDraft, length: TimeDelta, faults: &mut Faults) {
    let days = duration::DAYS_MAX + WINDOW_DAYS_MAX;
    let last_start = DateTime::<Utc>::MAX_UTC - TimeDelta::days(i64::from(days));
    let is_beyond = |start: DateTime<Utc>| start > last_start || (start + length).year() > YEAR_MAX;
    if draft.starts_at.is_some_and(is_beyond) {
        let message = format!("plus the duration lies beyond the year {YEAR_MAX}");
        faults.push(("starts_at", message));
    }
}

fn window(days: Option<i32>, faults: &mut Faults) -> Option<u32> {
    let days = days?;
    match u32::try_from(days) {
        Ok(days @ 1..=WINDOW_DAYS_MAX) => Some(days),
        _ => {
            let message = format!("is {days}; it must be 1 to {WINDOW_DAYS_MAX} days");
            faults.push(("outcome_window_days", message));
            None
        }
    }
}

fn customers(expected: i64, faults: &mut Faults) -> u64 {
    match expected {
        0 => CUSTOMERS_DEFAULT,
        CUSTOMERS_MIN..=CUSTOMERS_MAX => expected.unsigned_abs(),
        _ => {
            let message = format!("is {expected}; it must be {CUSTOMERS_MIN} to {CUSTOMERS_MAX}");
            faults.push(("expected_customers", message));
            CUSTOMERS_DEFAULT
        }
    }
}

fn covariate(draft: &ExperimentDraft, faults: &mut Faults) -> Option<Covariate> {
    if draft.covariate.is_empty() {
        return None;
    }
    match Covariate::parse(&draft.covariate) {
        Ok(Covariate::Imported(name)) if draft.source == Source::Flow => {
            let message = format!(
                "`{name}` would be imported, which only an external experiment has; write \
                 `revenue_before:28` for the customer's own revenue"
            );
            faults.push(("covariate", message));
            None
        }
        Ok(covariate) => Some(covariate),
        Err(fault) => {
            faults.push(("covariate", fault));
            None
        }
    }
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
