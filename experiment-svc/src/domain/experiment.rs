//! An experiment's life: draft, running, concluded.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use super::{Faults, duration, metric::Metric, share};

/// Most splits over an experiment's life.
pub const EPOCHS_MAX: usize = 100;
/// Longest reference to a flow, in characters.
pub const FLOW_MAX: usize = 200;
/// Longest salt, in characters.
pub const SALT_MAX: usize = 64;
/// Last year in which an experiment may end.
const YEAR_MAX: i32 = 9999;

/// Where an experiment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Assigns nobody yet.
    Draft,
    /// Assigns and counts.
    Running,
    /// Assigns nobody new.
    Concluded,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Concluded => "concluded",
        }
    }
}

/// A split and since when it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitEpoch {
    /// From 1.
    pub epoch: i32,
    /// Share held out.
    pub holdout_basis_points: u32,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// An experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    /// Where it stands.
    pub status: Status,
    /// Id or name of the flow.
    pub flow: String,
    /// The metric that decides.
    pub primary_metric: Metric,
    /// How long it runs, as it was written.
    pub duration: String,
    /// When it starts; a draft without one starts when it is set running.
    pub starts_at: Option<DateTime<Utc>>,
    /// From here on nobody new is assigned.
    pub planned_end: Option<DateTime<Utc>>,
    /// Mixed into the assignment hash.
    pub salt: String,
    /// The splits so far, oldest first.
    pub epochs: Vec<SplitEpoch>,
    /// When it was concluded.
    pub concluded_at: Option<DateTime<Utc>>,
    /// Everyone is treated since the conclusion.
    pub is_shipped: bool,
}

/// An experiment as somebody wants it; unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExperimentDraft {
    /// Where it shall stand.
    pub status: Option<Status>,
    /// Id or name of the flow.
    pub flow: String,
    /// Share held out.
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

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The request is wrong.
    Invalid(Faults),
    /// The request would be right in another state; the text says what may be done.
    WrongState(String),
}

/// The parts of a draft that are checked alike on create and update.
struct Checked {
    holdout_basis_points: u32,
    primary_metric: Metric,
    duration: String,
    length: TimeDelta,
}

impl Experiment {
    /// A new experiment, running unless it shall be a draft.
    pub fn create(
        draft: ExperimentDraft,
        random_salt: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, Faults> {
        let (checked, mut faults) = check(&draft);
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
            primary_metric: checked.primary_metric,
            duration: checked.duration,
            starts_at: draft.starts_at,
            planned_end: draft.starts_at.map(|start| start + checked.length),
            salt: if draft.salt.is_empty() { random_salt.to_owned() } else { draft.salt },
            epochs: vec![split],
            concluded_at: None,
            is_shipped: false,
        };
        if draft.status == Some(Status::Draft) {
            Ok(created)
        } else {
            created.started(checked.length, now)
        }
    }

    /// The experiment as it is after a change. A field left empty keeps its value once the
    /// experiment runs.
    pub fn changed(&self, draft: ExperimentDraft, now: DateTime<Utc>) -> Result<Self, ChangeError> {
        let draft = ExperimentDraft {
            primary_metric: self.kept(draft.primary_metric, self.primary_metric.name()),
            duration: self.kept(draft.duration, &self.duration),
            starts_at: draft
                .starts_at
                .or_else(|| self.starts_at.filter(|_| self.status != Status::Draft)),
            ..draft
        };
        let (checked, mut faults) = check(&draft);
        if !draft.salt.is_empty() && draft.salt != self.salt {
            faults.push(("salt", "cannot change: customers would move to another arm".to_owned()));
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
            primary_metric: checked.primary_metric,
            duration: checked.duration,
            starts_at: draft.starts_at,
            planned_end: draft.starts_at.map(|start| start + checked.length),
            ..self.clone()
        };
        if self.status != Status::Draft {
            self.refuse_moved_horizon(&changed, checked.length)?;
        }
        changed.split(checked.holdout_basis_points, now)?;
        if wanted == Status::Running && self.status == Status::Draft {
            return changed.started(checked.length, now).map_err(ChangeError::Invalid);
        }
        Ok(changed)
    }

    /// The experiment as it is after its conclusion; a fault says why it cannot be concluded.
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

    fn kept(&self, given: String, stored: &str) -> String {
        if given.is_empty() && self.status != Status::Draft { stored.to_owned() } else { given }
    }

    fn started(mut self, length: TimeDelta, now: DateTime<Utc>) -> Result<Self, Faults> {
        let start = self.starts_at.unwrap_or(now);
        let end = start + length;
        if end <= now {
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

    /// Once customers are assigned, the end and the metric stand: a verdict at an end moved after a
    /// look at the figures would claim more than it shows.
    fn refuse_moved_horizon(&self, changed: &Self, length: TimeDelta) -> Result<(), ChangeError> {
        let moved = [
            ("primary_metric", self.primary_metric != changed.primary_metric),
            ("duration", duration::parse(&self.duration) != Ok(length)),
            ("starts_at", self.starts_at != changed.starts_at),
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
                    format!("the split has changed {EPOCHS_MAX} times, which is the maximum");
                Err(ChangeError::WrongState(message))
            }
            Status::Concluded => Err(ChangeError::WrongState(
                "`holdout_percentage` cannot change any more; the experiment is concluded"
                    .to_owned(),
            )),
        }
    }
}

/// A reference to a flow as two experiments on it compare: without regard to case.
pub fn folded_flow(flow: &str) -> String {
    flow.trim().to_lowercase()
}

/// An instant as people read it.
pub fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn check(draft: &ExperimentDraft) -> (Option<Checked>, Faults) {
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
        "" => Ok(Metric::ConversionRate),
        name => Metric::parse(name).map_err(|fault| parsed("primary_metric", fault)),
    };
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
        faults.push((field, "must not hold control characters".to_owned()));
    }
}

#[cfg(test)]
#[path = "experiment/tests.rs"]
mod tests;
