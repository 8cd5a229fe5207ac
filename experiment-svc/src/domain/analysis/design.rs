//! What was settled about an experiment before anybody looked.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{
    experiment::{Experiment, Source, SplitEpoch, Status},
    measure::Metric,
};

/// The plan of an experiment, as the analysis needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    /// Whether it runs.
    pub status: Status,
    /// The metric that decides.
    pub primary_metric: Metric,
    /// No customer is assigned from this instant on; none of a draft.
    pub planned_end: Option<DateTime<Utc>>,
    /// How long outcomes of a customer count; none when they count until the planned end.
    pub outcome_window: Option<TimeDelta>,
    /// None before the conclusion.
    pub concluded_at: Option<DateTime<Utc>>,
    /// The splits so far, oldest first.
    pub epochs: Vec<SplitEpoch>,
    /// N*: for so many customers the anytime interval is narrowest.
    pub expected_customers: u64,
    /// Arms and outcomes are imported, so no outcome is late.
    pub is_external: bool,
}

impl Design {
    /// The plan of an experiment.
    pub fn of(experiment: &Experiment) -> Self {
        Self {
            status: experiment.status,
            primary_metric: experiment.metrics.primary.clone(),
            planned_end: experiment.planned_end,
            outcome_window: experiment.outcome_window_days.map(|days| TimeDelta::days(days.into())),
            concluded_at: experiment.concluded_at,
            epochs: experiment.epochs.clone(),
            expected_customers: experiment.expected_customers,
            is_external: experiment.source == Source::External,
        }
    }

    /// The instant at which the last window closes; none of a draft.
    pub fn end(&self) -> Option<DateTime<Utc>> {
        let planned = self.planned_end.filter(|_| self.status != Status::Draft)?;
        let window = self.outcome_window.unwrap_or_default();
        Some(planned.checked_add_signed(window).unwrap_or(planned))
    }

    /// True while an early verdict may be said: nothing has ended or stopped it.
    pub fn is_before_end(&self, now: DateTime<Utc>) -> bool {
        let last = self.stopped_at().or(self.end());
        last.is_some_and(|last| now < last)
    }

    /// The conclusion, where it came before the end.
    pub fn stopped_at(&self) -> Option<DateTime<Utc>> {
        let end = self.end()?;
        self.concluded_at.filter(|concluded| *concluded < end)
    }
}
