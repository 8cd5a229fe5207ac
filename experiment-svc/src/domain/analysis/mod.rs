//! What an experiment shows: figures per arm, the difference between the arms with test and
//! interval, and what may be said about it.
//!
//! By intention to treat: everyone assigned counts, treated or not, with everything they did from
//! the assignment on. Beside it, the ghost-matched comparison counts those who received, or would
//! have received, an offer. Customers are compared within the split under which they were drawn,
//! and the differences are combined by size, so that a changed split does not mix early customers
//! with late ones.
//!
//! Sums are whole numbers and exact; quantiles and tails come from statrs, upper tails always by
//! `sf`.

mod comparison;
mod counts;
mod effect;
mod method;
mod relative_lift;
mod sample;
mod satterthwaite;
mod srm;
mod strata;
mod tail;
mod verdict;
mod wording;

use chrono::{DateTime, TimeDelta, Utc};

pub use counts::{Activity, Counts, Customer, LeftOut, Population};
pub use effect::Effect;
pub use method::{Estimate, Method, Test};
pub use relative_lift::RelativeLift;
pub use sample::{Arm, Figure, Pair, Paired, Sample};
pub use srm::SampleRatio;
pub use verdict::Verdict;

use self::strata::Strata;
use super::{
    experiment::{Experiment, SplitEpoch},
    measure::Metric,
};

/// How long after the end an outcome that happened before it may still arrive.
pub const LATE_MAX: TimeDelta = TimeDelta::days(7);

/// Which outcomes count: those that happened in it and arrived in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// They happened before this instant.
    pub end: DateTime<Utc>,
    /// They arrived no later than this.
    pub received_max: DateTime<Utc>,
}

/// An interval, lower end first.
pub type Interval = [f64; 2];

/// A read-out on one metric.
#[derive(Clone, Debug)]
pub struct ReadOut {
    /// What every figure is about.
    pub metric: Metric,
    /// Everyone assigned.
    pub assigned: Pair,
    /// What separates them; none without enough data.
    pub effect: Option<Effect>,
    /// Difference times the treated, with its interval.
    pub incremental_total: Option<(f64, Option<Interval>)>,
    /// Whether the arms have the sizes they should have.
    pub srm: SampleRatio,
    /// What may be said.
    pub verdict: Verdict,
    /// Why not more, in words.
    pub withheld: Vec<String>,
    /// Those who received, or would have received, an offer.
    pub matched: Pair,
    /// What separates those; none without enough data.
    pub matched_effect: Option<Effect>,
    /// Names of the methods, by the headline figure they gave.
    pub methods: Vec<(&'static str, String)>,
}

/// Tests the sizes of arms, as split, arm and customers, against the splits.
pub fn sample_ratio_of(epochs: &[SplitEpoch], sizes: &[(i32, Arm, u64)]) -> SampleRatio {
    let mut strata = Strata::default();
    for (epoch, arm, n) in sizes {
        strata.add_customers(*epoch, *arm, *n);
    }
    srm::sample_ratio(epochs, &strata)
}

/// Which outcomes of an experiment count: until its planned end, or its conclusion where that came
/// first.
pub fn window(experiment: &Experiment) -> Window {
    let planned = experiment.planned_end.unwrap_or_default();
    let end = experiment.concluded_at.map_or(planned, |concluded| planned.min(concluded));
    Window { end, received_max: end.checked_add_signed(LATE_MAX).unwrap_or(end) }
}

/// Reads an experiment out at `now`.
pub fn read_out(experiment: &Experiment, counts: &Counts, now: DateTime<Utc>) -> ReadOut {
    let metric = &counts.metric;
    let assigned = counts.assigned.total();
    let effect = Effect::of(metric, &counts.assigned);
    let srm = srm::sample_ratio(&experiment.epochs, &counts.assigned);
    let (verdict, withheld) =
        verdict::verdict(experiment, metric, &assigned, effect.as_ref(), &srm, now);
    let treated = assigned.treatment.n as f64;
    ReadOut {
        metric: metric.clone(),
        incremental_total: effect.as_ref().map(|effect| {
            let bounds = effect.interval.map(|[low, high]| [low * treated, high * treated]);
            (effect.difference * treated, bounds)
        }),
        effect,
        srm,
        verdict,
        withheld,
        matched: counts.matched.total(),
        matched_effect: Effect::of(metric, &counts.matched),
        methods: wording::methods(metric, &counts.assigned),
        assigned,
    }
}

#[cfg(test)]
mod tests;
