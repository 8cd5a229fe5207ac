//! What an experiment shows: figures per arm, the difference between the arms with test and
//! interval, and what may be said about it.
//!
//! By intention to treat: everyone assigned counts, treated or not, with everything they did from
//! the assignment on. Beside it stands the ghost-matched comparison of those who received, or would
//! have received, an offer. Customers are compared within the split under which they were drawn,
//! and the differences are combined by size, so that a split changed in between does not mix early
//! customers with late ones.
//!
//! Sums are whole numbers and exact; quantiles and tails come from statrs, upper tails always by
//! `sf`.

mod arms;
mod mean;
mod proportion;
mod relative_lift;
mod srm;
mod strata;
mod tail;
mod verdict;

use chrono::{DateTime, TimeDelta, Utc};

pub use arms::{Arm, Counts, Pair, Sample};
pub use relative_lift::RelativeLift;
pub use srm::SampleRatio;
pub use verdict::Verdict;

use super::{experiment::Experiment, metric::Metric};

/// How long after the end an outcome that happened before it may still arrive.
pub const LATE_MAX: TimeDelta = TimeDelta::days(7);

/// What one customer did in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behavior {
    /// At least one conversion.
    pub has_converted: bool,
    /// Sum of the values of positive outcomes, in 1/10,000.
    pub revenue_e4: i128,
}

/// What is known about one assigned customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Their arm.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// From the assignment on.
    pub since_assignment: Behavior,
    /// From the first offer on that they received, or would have received; none before.
    pub since_exposure: Option<Behavior>,
}

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

/// The difference between treatment and holdout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Mean of treatment minus mean of holdout.
    pub difference: f64,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
    /// Newcombe's interval beside it, for rates.
    pub newcombe: Option<Interval>,
    /// Statistic and two-sided p of the test of no effect.
    pub test: Option<Test>,
    /// The treated.
    pub treatment: Estimate,
    /// The held out.
    pub holdout: Estimate,
}

/// A test's outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// z or t.
    pub statistic: f64,
    /// Two-sided.
    pub p: f64,
}

/// A mean and how far it may be off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Variance of the mean.
    pub variance: f64,
}

/// A read-out on one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadOut {
    /// The metric.
    pub metric: Metric,
    /// Everyone assigned.
    pub assigned: Pair,
    /// What separates them; none without enough data.
    pub effect: Option<Effect>,
    /// Relative to the holdout.
    pub relative_lift: RelativeLift,
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
    /// What separates those.
    pub matched_effect: Option<Effect>,
    /// Names of the methods, by what they gave.
    pub methods: Vec<(&'static str, String)>,
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
    let metric = counts.metric;
    let (assigned, matched) = (counts.assigned.total(), counts.matched.total());
    let effect = effect(metric, &counts.assigned);
    let srm = srm::sample_ratio(&experiment.epochs, &counts.assigned);
    let (verdict, withheld) =
        verdict::verdict(experiment, metric, &assigned, effect.as_ref(), &srm, now);
    let treated = assigned.treatment.n as f64;
    ReadOut {
        metric,
        effect,
        relative_lift: effect
            .map(|effect| relative_lift::fieller(effect.treatment, effect.holdout))
            .unwrap_or_default(),
        incremental_total: effect.map(|effect| {
            let bounds = effect.interval.map(|[low, high]| [low * treated, high * treated]);
            (effect.difference * treated, bounds)
        }),
        srm,
        verdict,
        withheld,
        matched_effect: self::effect(metric, &counts.matched),
        methods: methods(metric, &counts.assigned),
        assigned,
        matched,
    }
}

fn effect(metric: Metric, strata: &strata::Strata) -> Option<Effect> {
    match metric {
        Metric::ConversionRate => proportion::effect(&strata.comparable()),
        Metric::RevenuePerCustomer => mean::effect(&strata.comparable(), metric.units()),
    }
}

fn methods(metric: Metric, strata: &strata::Strata) -> Vec<(&'static str, String)> {
    let (test, interval) = match metric {
        Metric::ConversionRate => {
            ("z test of two proportions, pooled variance", "Wald, unpooled variance")
        }
        Metric::RevenuePerCustomer => (
            "t test, pooled variance",
            "Welch: t with unequal variances and Satterthwaite's degrees of freedom",
        ),
    };
    let mut methods = vec![
        (
            "population",
            "intention to treat: everyone assigned, all their outcomes from the assignment to the end".to_owned(),
        ),
        ("test", test.to_owned()),
        ("interval", interval.to_owned()),
        ("lift", "Fieller, normal quantile; no bounded interval for g of 1 or more".to_owned()),
        ("total", "difference times the customers in treatment".to_owned()),
        ("srm", format!("chi-square against the configured split, per split, summed; alarm below {}", srm::ALARM)),
        ("ghost", "customers that received, or would have received, an offer, from the first one on".to_owned()),
    ];
    if metric == Metric::ConversionRate {
        methods.push(("newcombe", "Newcombe's hybrid of Wilson intervals".to_owned()));
    }
    let (comparable, seen) = (strata.comparable().len(), strata.len());
    if seen > 1 {
        let left_out = match seen - comparable {
            0 => String::new(),
            rest => format!("; {rest} left out for want of two customers in each arm"),
        };
        let message = format!(
            "each split compared by itself, {comparable} combined by their customers{left_out}"
        );
        methods.push(("splits", message));
    }
    methods
}

#[cfg(test)]
mod tests;
