//! An experiment's life: draft, running, concluded.

mod change;
mod covariate;
mod draft;
mod metrics;

use chrono::{DateTime, TimeDelta, Utc};

pub use change::{ChangeError, EPOCHS_MAX};
pub use covariate::{Covariate, DAYS_MAX as COVARIATE_DAYS_MAX, name_fault as covariate_fault};
pub use draft::{
    CUSTOMERS_DEFAULT, CUSTOMERS_MAX, CUSTOMERS_MIN, ExperimentDraft, FLOW_MAX, SALT_MAX,
};
pub use metrics::{METRICS_MAX, Metrics, guardrail_text};

use super::{Faults, share};

/// The flow of a universal holdout.
pub const EVERY_FLOW: &str = "*";

/// Where arms come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The flow's decisions draw them.
    #[default]
    Flow,
    /// They are imported.
    External,
}

/// The state of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not started: no customer has an arm.
    Draft,
    /// Customers get arms until the planned end, and outcomes count.
    Running,
    /// No new arms; the figures stay.
    Concluded,
}

impl Status {
    /// The state in lower case, as callers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Concluded => "concluded",
        }
    }
}

/// A share held out, in force from an instant until the next split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitEpoch {
    /// Counts the splits of an experiment from 1.
    pub epoch: i32,
    /// Share held out, in 1/10,000.
    pub holdout_basis_points: u32,
    /// Customers drawn from this instant on belong to it.
    pub since: DateTime<Utc>,
}

/// How long after it is set running an experiment starts, unless the caller says when: every
/// replica of decision-svc knows it by then, so that it assigns every customer from its start on.
pub const START_DELAY: TimeDelta = TimeDelta::seconds(2);

/// A holdout on a flow, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// Decides whether customers are assigned, and what may change.
    pub status: Status,
    /// Id or name of the flow, [`EVERY_FLOW`], or empty without one.
    pub flow: String,
    /// Where arms come from.
    pub source: Source,
    /// What it counts.
    pub metrics: Metrics,
    /// How long it runs, as the caller wrote it.
    pub duration: String,
    /// When it starts; a draft without one starts [`START_DELAY`] after it is set running.
    pub starts_at: Option<DateTime<Utc>>,
    /// No customer is assigned from this instant on.
    pub planned_end: Option<DateTime<Utc>>,
    /// Mixed into the assignment hash.
    pub salt: String,
    /// The splits so far, oldest first.
    pub epochs: Vec<SplitEpoch>,
    /// None before the conclusion.
    pub concluded_at: Option<DateTime<Utc>>,
    /// Everyone is treated from the conclusion on.
    pub is_shipped: bool,
    /// For how many days a customer's outcomes count; until the planned end without it.
    pub outcome_window_days: Option<u32>,
    /// At how many customers the anytime interval is narrowest.
    pub expected_customers: u64,
    /// What narrows the intervals.
    pub covariate: Option<Covariate>,
}

impl Experiment {
    /// A new experiment; it runs unless the caller asks for a draft.
    pub fn create(
        draft: ExperimentDraft,
        random_salt: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, Faults> {
        let (checked, mut faults) = draft::check(&draft);
        if draft.status == Some(Status::Concluded) {
            faults.push((
                "status",
                "must be draft or running; conclude it by its own call".to_owned(),
            ));
        }
        let Some(checked) = checked.filter(|_| faults.is_empty()) else { return Err(faults) };
        let split =
            SplitEpoch { epoch: 1, holdout_basis_points: checked.holdout_basis_points, since: now };
        let created = Self {
            status: Status::Draft,
            flow: draft.flow,
            source: draft.source,
            metrics: checked.metrics,
            duration: checked.duration,
            starts_at: draft.starts_at,
            planned_end: draft.starts_at.map(|start| start + checked.length),
            salt: if draft.salt.is_empty() { random_salt.to_owned() } else { draft.salt },
            epochs: vec![split],
            concluded_at: None,
            is_shipped: false,
            outcome_window_days: checked.outcome_window_days,
            expected_customers: checked.expected_customers,
            covariate: checked.covariate,
        };
        if draft.status == Some(Status::Draft) {
            Ok(created)
        } else {
            created.started(checked.length, now)
        }
    }

    /// The experiment after its conclusion; a fault says why it cannot be concluded.
    pub fn concluded(&self, ship: bool, now: DateTime<Utc>) -> Result<Self, String> {
        match self.status {
            Status::Running => Ok(Self {
                status: Status::Concluded,
                concluded_at: Some(now),
                is_shipped: ship,
                ..self.clone()
            }),
            Status::Draft => {
                Err("is a draft; set its status to running first, or delete it".to_owned())
            }
            Status::Concluded => Err("is already concluded".to_owned()),
        }
    }

    /// True when it holds customers out of every flow.
    pub fn is_universal(&self) -> bool {
        self.flow.trim() == EVERY_FLOW
    }

    /// When the last outcome that counts may happen, unless it is concluded before: the planned
    /// end plus the outcome window. None before it starts.
    pub fn end(&self) -> Option<DateTime<Utc>> {
        let window = TimeDelta::days(self.outcome_window_days.unwrap_or_default().into());
        Some(self.planned_end? + window)
    }

    /// Share held out now.
    pub fn holdout_basis_points(&self) -> u32 {
        self.epochs.last().map_or(0, |last| last.holdout_basis_points)
    }

    /// What is allowed and likely not meant.
    pub fn warnings(&self) -> Vec<String> {
        let warn = |what: &str| {
            vec![format!("holdout_percentage {what}: there is nothing to compare with")]
        };
        match self.holdout_basis_points() {
            0 => warn("0 holds nobody out"),
            share::WHOLE => warn("100 treats nobody"),
            _ => Vec::new(),
        }
    }

    fn started(mut self, length: TimeDelta, now: DateTime<Utc>) -> Result<Self, Faults> {
        if self.starts_at.is_none() && self.source == Source::External {
            let message = "is required: when the test that ran elsewhere began; with the duration \
                           it says when it ends";
            return Err(vec![("starts_at", message.to_owned())]);
        }
        let start = self.starts_at.unwrap_or(now + START_DELAY);
        let end = start + length;
        if end <= now && self.source == Source::Flow {
            let message = format!(
                "plus the duration is {}, which is past: nobody would be assigned",
                rfc3339(end)
            );
            return Err(vec![("starts_at", message)]);
        }
        for split in &mut self.epochs {
            split.since = now;
        }
        Ok(Self { status: Status::Running, starts_at: Some(start), planned_end: Some(end), ..self })
    }
}

/// A reference to a flow in the form in which two are compared: without regard to case.
pub fn folded_flow(flow: &str) -> String {
    flow.trim().to_lowercase()
}

/// An instant in messages: RFC 3339, whole seconds.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
#[path = "experiment/tests.rs"]
mod tests;
