//! Changes of an experiment: what may still change, and when.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Experiment, ExperimentDraft, Source, SplitEpoch, Status, draft};
use crate::domain::{Faults, duration, share};

/// Most splits over an experiment's life.
pub const EPOCHS_MAX: usize = 100;

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The request is wrong.
    Invalid(Faults),
    /// The request would be right in another state; the text says what may be done.
    WrongState(String),
}

impl Experiment {
    /// The experiment after a change. Once it runs, a field left empty keeps its value.
    pub fn changed(&self, draft: ExperimentDraft, now: DateTime<Utc>) -> Result<Self, ChangeError> {
        let draft = ExperimentDraft {
            primary_metric: self.kept(draft.primary_metric, &self.metrics.primary.name),
            duration: self.kept(draft.duration, &self.duration),
            holdout_percentage: draft
                .holdout_percentage
                .or_else(|| Some(share::percent(self.holdout_basis_points()))),
            covariate: self.kept(draft.covariate, &self.covariate_text()),
            outcome_window_days: draft.outcome_window_days.or(self.kept_window()),
            expected_customers: match draft.expected_customers {
                0 if self.status != Status::Draft => {
                    i64::try_from(self.expected_customers).unwrap_or(i64::MAX)
                }
                given => given,
            },
            starts_at: draft
                .starts_at
                .or_else(|| self.starts_at.filter(|_| self.status != Status::Draft)),
            ..draft
        };
        let is_measuring_other =
            self.metrics.is_other(&draft.secondary_metrics, &draft.guardrail_metrics);
        let (checked, mut faults) = draft::check(&draft);
        if !draft.salt.is_empty() && draft.salt != self.salt {
            faults.push(("salt", "cannot change: customers would move to another arm".to_owned()));
        }
        if draft.source != self.source {
            let message = "cannot change: create another experiment".to_owned();
            faults.push(("assignment_source", message));
        }
        if draft.flow != self.flow && !draft.flow.trim().is_empty() {
            let message = format!(
                "cannot change from `{}`; create another experiment for another flow",
                self.flow
            );
            faults.push(("flow_id", message));
        }
        if draft.status == Some(Status::Concluded) && self.status != Status::Concluded {
            faults.push((
                "status",
                "cannot be set to concluded; conclude the experiment by its own call".to_owned(),
            ));
        }
        let Some(checked) = checked.filter(|_| faults.is_empty()) else {
            return Err(ChangeError::Invalid(faults));
        };
        let wanted = draft.status.unwrap_or(self.status);
        if wanted != self.status && (self.status, wanted) != (Status::Draft, Status::Running) {
            return Err(ChangeError::WrongState(format!(
                "a {} experiment cannot become {}; only a draft can be set running",
                self.status.name(),
                wanted.name()
            )));
        }
        let mut changed = Self {
            metrics: checked.metrics,
            outcome_window_days: checked.outcome_window_days,
            expected_customers: checked.expected_customers,
            covariate: checked.covariate,
            duration: checked.duration,
            starts_at: draft.starts_at,
            planned_end: draft.starts_at.map(|start| start + checked.length),
            ..self.clone()
        };
        if self.status != Status::Draft {
            self.refuse_moved_horizon(&changed, checked.length)?;
        }
        if self.status == Status::Concluded {
            refuse_other_metrics(is_measuring_other)?;
            changed.metrics = self.metrics.clone();
        }
        changed.split(checked.holdout_basis_points, now)?;
        if wanted == Status::Running && self.status == Status::Draft {
            return changed.started(checked.length, now).map_err(ChangeError::Invalid);
        }
        Ok(changed)
    }

    fn kept(&self, given: String, stored: &str) -> String {
        if given.is_empty() && self.status != Status::Draft { stored.to_owned() } else { given }
    }

    fn covariate_text(&self) -> String {
        self.covariate.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn kept_window(&self) -> Option<i32> {
        let stored = self.outcome_window_days.filter(|_| self.status != Status::Draft)?;
        i32::try_from(stored).ok()
    }

    /// Once customers are assigned, whatever decides which outcomes count and when is fixed: moving
    /// it after a look at the figures finds an effect too often.
    fn refuse_moved_horizon(&self, changed: &Self, length: TimeDelta) -> Result<(), ChangeError> {
        let moved = [
            ("primary_metric", self.metrics.primary != changed.metrics.primary),
            ("duration", duration::parse(&self.duration) != Ok(length)),
            ("starts_at", self.starts_at != changed.starts_at),
            ("outcome_window_days", self.outcome_window_days != changed.outcome_window_days),
            ("expected_customers", self.expected_customers != changed.expected_customers),
            ("covariate", self.covariate != changed.covariate),
        ];
        let moved: Vec<_> = moved
            .iter()
            .filter(|(_, is_moved)| *is_moved)
            .map(|(field, _)| format!("`{field}`"))
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        let (fields, status) = (moved.join(", "), self.status.name());
        Err(ChangeError::WrongState(format!(
            "{fields} can only change in a draft; the experiment is {status}"
        )))
    }

    fn split(&mut self, holdout_basis_points: u32, now: DateTime<Utc>) -> Result<(), ChangeError> {
        let Some(last) = self.epochs.last().copied() else { return Ok(()) };
        if last.holdout_basis_points == holdout_basis_points {
            return Ok(());
        }
        match self.status {
            // A draft has assigned nobody: its one split is corrected.
            Status::Draft => {
                self.epochs = vec![SplitEpoch { epoch: 1, holdout_basis_points, since: now }];
                Ok(())
            }
            Status::Running if self.source == Source::External => Err(ChangeError::WrongState(
                "`holdout_percentage` of an external experiment can only change in a draft: \
                     its arms were drawn elsewhere"
                    .to_owned(),
            )),
            Status::Running if self.epochs.len() < EPOCHS_MAX => {
                self.epochs.push(SplitEpoch {
                    epoch: last.epoch + 1,
                    holdout_basis_points,
                    since: now,
                });
                Ok(())
            }
            Status::Running => {
                let message =
                    format!("the experiment has had {EPOCHS_MAX} splits, which is the maximum");
                Err(ChangeError::WrongState(message))
            }
            Status::Concluded => Err(ChangeError::WrongState(
                "`holdout_percentage` cannot change any more; the experiment is concluded"
                    .to_owned(),
            )),
        }
    }
}

/// What a concluded experiment measures stays.
fn refuse_other_metrics(is_measuring_other: bool) -> Result<(), ChangeError> {
    if is_measuring_other {
        let message = "`secondary_metrics` and `guardrail_metrics` cannot change any more; the \
                       experiment is concluded";
        return Err(ChangeError::WrongState(message.to_owned()));
    }
    Ok(())
}
