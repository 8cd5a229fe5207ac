//! What an experiment counts, and until when.

use chrono::{DateTime, Utc};

use super::{HOUR_US, NEVER};
use crate::domain::{
    experiment::{COVARIATE_DAYS_MAX, Covariate, Experiment, Source},
    measure::Metric,
};

/// Number of the rules in this folder and in the metrics. A change of what is counted raises it, so
/// that every sum is computed again.
pub const RULES: i64 = 1;

const DAY_US: i64 = 24 * HOUR_US;

/// How far a covariate looks back at most.
pub const LOOK_BACK_MAX_US: i64 = COVARIATE_DAYS_MAX as i64 * DAY_US;

/// What an experiment counts, and until when; instants in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Id of the experiment.
    pub id: String,
    /// Everything it measures.
    pub metrics: Vec<Metric>,
    /// Length of a customer's window; until the end without it.
    pub window_us: Option<i64>,
    /// The planned end: exposures count before it, outcomes too unless there are windows.
    pub end_us: i64,
    /// When it was concluded.
    pub cut_us: Option<i64>,
    /// How far the covariate looks back; none when it is imported or there is none.
    pub look_back_us: Option<i64>,
    /// Name of the imported covariate.
    pub imported: Option<String>,
    /// True for a universal holdout.
    pub is_universal: bool,
    /// True when arms are imported.
    pub is_external: bool,
}

impl Plan {
    /// The plan of an experiment.
    pub fn of(id: &str, experiment: &Experiment) -> Self {
        let look_back = experiment.covariate.as_ref().map(Covariate::days).filter(|days| *days > 0);
        Self {
            id: id.to_owned(),
            metrics: experiment.metrics.all(),
            window_us: experiment.outcome_window_days.map(|days| i64::from(days) * DAY_US),
            end_us: experiment.planned_end.map_or(0, |end| end.timestamp_micros()),
            cut_us: experiment.concluded_at.map(|at| at.timestamp_micros()),
            look_back_us: look_back.map(|days| i64::from(days) * DAY_US),
            imported: match &experiment.covariate {
                Some(Covariate::Imported(name)) => Some(name.clone()),
                _ => None,
            },
            is_universal: experiment.is_universal(),
            is_external: experiment.source == Source::External,
        }
    }

    /// The same for one metric alone.
    #[must_use]
    pub fn only(&self, metric: &Metric) -> Self {
        Self { metrics: vec![metric.clone()], ..self.clone() }
    }

    /// Name of the covariate; none without one.
    pub fn covariate_name(&self) -> Option<String> {
        let days = self.look_back_us.and_then(|us| u32::try_from(us / DAY_US).ok());
        let own = days.map(|days| Covariate::RevenueBefore { days }.to_string());
        own.or_else(|| self.imported.clone())
    }

    /// Exposures count before this instant.
    pub fn exposed_before_us(&self) -> i64 {
        // Arms that were drawn elsewhere come with exposures of their own time, if with any.
        if self.is_external {
            i64::MAX
        } else {
            self.cut_us.map_or(self.end_us, |cut| cut.min(self.end_us))
        }
    }

    /// From this instant on no outcome that is received changes a figure; none while that is not
    /// known.
    pub fn closed_us(&self) -> Option<i64> {
        let is_open = self.is_external || self.end_us == 0;
        (!is_open).then(|| self.last_us().saturating_add(7 * DAY_US))
    }

    /// When the last window closes that is not cut.
    fn last_us(&self) -> i64 {
        let last = self.end_us.saturating_add(self.window_us.unwrap_or_default());
        self.cut_us.map_or(last, |cut| cut.min(last))
    }

    /// The last hour of which the windows have closed, in hours since 1970, when every outcome
    /// received up to `through` is counted. After the end all windows have closed, those of the
    /// hour that has begun too.
    pub fn closed_hour(&self, through: Option<DateTime<Utc>>) -> Option<i64> {
        let (through_us, last_us) = (through?.timestamp_micros(), self.last_us());
        let passed = through_us.div_euclid(HOUR_US);
        let is_over = self.end_us != 0 && through_us >= last_us;
        Some(if is_over { passed.max((last_us - 1).div_euclid(HOUR_US) + 1) } else { passed })
    }

    /// The end of the window that begins at `from_us`; none when it is still open at the end of
    /// hour `closed` or was cut.
    pub fn closed_until_us(&self, from_us: i64, closed: i64) -> Option<i64> {
        let window = self.window(from_us);
        (window.hour <= closed && window.hour != NEVER).then_some(window.until_us)
    }

    /// A plan as it is compared and stored: two plans count alike when their texts are equal.
    pub fn text(&self) -> String {
        let number = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
        let metrics: Vec<_> = self.metrics.iter().map(|metric| metric.name.as_str()).collect();
        let flags = [(self.is_universal, "universal"), (self.is_external, "external")];
        let flags: Vec<_> = flags.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        [
            RULES.to_string(),
            self.id.clone(),
            metrics.join(" "),
            number(self.window_us),
            self.end_us.to_string(),
            number(self.cut_us),
            number(self.look_back_us),
            flags.join(" "),
            self.imported.clone().unwrap_or_default(),
        ]
        .join("\n")
    }

    /// The plan of a text; none for that of other rules.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.splitn(9, '\n');
        let mut line = || lines.next();
        let rules: i64 = line()?.parse().ok()?;
        if rules != RULES {
            return None;
        }
        let number = |text: &str| match text {
            "-" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let id = line()?.to_owned();
        let metrics = line()?.split(' ').map(|name| Metric::parse(name).ok());
        let (window, end, cut, look_back, flags, imported) =
            (line()?, line()?, line()?, line()?, line()?, line()?);
        Some(Self {
            id,
            metrics: metrics.collect::<Option<_>>()?,
            window_us: number(window)?,
            end_us: end.parse().ok()?,
            cut_us: number(cut)?,
            look_back_us: number(look_back)?,
            imported: (!imported.is_empty()).then(|| imported.to_owned()),
            is_universal: flags.contains("universal"),
            is_external: flags.contains("external"),
        })
    }
}
