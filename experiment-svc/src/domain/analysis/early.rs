//! The verdict before the end, and the days it was judged on.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Design, Findings, Interval, Verdict};
use crate::domain::measure::Metric;

/// What one day showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Day {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// The difference by assignment.
    pub difference: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
    /// The interval that holds at every look.
    pub anytime: Option<Interval>,
    /// What the day's snapshot said: gain, loss, or nothing yet.
    pub said: Option<Verdict>,
}

/// A verdict before the end. It stays: later days do not take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Early {
    /// Gain or loss.
    pub verdict: Verdict,
    /// The first day whose snapshot said it.
    pub day: NaiveDate,
}

/// The daily snapshots of the primary metric, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// One per day.
    pub days: Vec<Day>,
}

impl Day {
    /// The snapshot of a read-out's findings on the primary metric. After the end, or the
    /// conclusion, it says no early verdict.
    pub fn of(design: &Design, metric: &Metric, findings: &Findings, now: DateTime<Utc>) -> Self {
        Self {
            day: now.date_naive(),
            difference: findings.effect.as_ref().map(|effect| effect.difference),
            interval: findings.effect.as_ref().and_then(|effect| effect.interval),
            anytime: findings.anytime.map(|anytime| anytime.interval),
            said: judge(design, metric, findings).filter(|_| design.is_before_end(now)),
        }
    }
}

impl Past {
    /// The verdict of the first day, up to the end or the conclusion, that said one. What happens
    /// between two snapshots is not judged: it could vanish at the next one.
    pub fn early(&self, design: &Design, metric: &Metric) -> Option<Early> {
        let last = design.stopped_at().or(design.end())?.date_naive();
        let said = |day: &Day| Some(Early { verdict: day.said?, day: day.day });
        let mut days = self.days.iter().take_while(|day| day.day <= last);
        days.find_map(said).filter(|_| *metric == design.primary_metric)
    }
}

/// Gain or loss when the anytime interval of the primary metric excludes no effect, both arms have
/// enough to go by, and the arms have the sizes they should have.
pub fn judge(design: &Design, metric: &Metric, findings: &Findings) -> Option<Verdict> {
    let min = metric.guard.min();
    let is_enough = [findings.compared.treatment, findings.compared.holdout]
        .iter()
        .all(|arm| arm.guarded(metric.guard) >= min);
    if *metric != design.primary_metric || !is_enough || findings.srm.is_alarm() {
        return None;
    }
    match findings.anytime?.interval {
        [low, _] if low > 0.0 => Some(Verdict::Gain),
        [_, high] if high < 0.0 => Some(Verdict::Loss),
        _ => None,
    }
}
