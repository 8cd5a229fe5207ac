//! What an experiment shows: figures per arm, the difference between the arms with test and
//! interval, and what may be said about it.
//!
//! By intention to treat: everyone assigned counts, treated or not, with everything they did from
//! the assignment on. Beside it, the ghost-matched comparison counts those who received, or would
//! have received, an offer. Customers are compared within the split under which they were drawn,
//! and the differences are combined by the treated, so that a changed split does not mix early
//! customers with late ones.
//!
//! Sums are whole numbers and exact, and so are their differences; quantiles and tails come from
//! statrs, upper tails always by `sf`. A figure that cannot be computed is absent, and the read-out
//! says why.

mod anytime;
mod breakdown;
mod compared;
mod comparison;
mod contact;
mod counts;
mod cuped;
mod design;
mod early;
mod effect;
mod findings;
mod guard;
mod holm;
mod judgment;
mod method;
mod recomputed;
mod relative_lift;
mod sample;
mod satterthwaite;
mod srm;
mod strata;
mod tail;
mod total;
mod verdict;
mod winsorized;
mod wording;

use chrono::{DateTime, TimeDelta, Utc};

pub use anytime::{Anytime, N_STAR_DEFAULT};
pub use breakdown::{Breakdown, Group, GroupFigures};
pub use contact::{Contacts, Net};
pub use counts::{Activity, Counts, Customer, LeftOut, Population};
pub use cuped::Cuped;
pub use design::Design;
pub use early::{Day, Early, Past};
pub use effect::{Effect, SplitEffect};
pub use findings::Findings;
pub use guard::{GuardrailResult, Secondary};
pub use judgment::Judgment;
pub use method::{Estimate, Method, Test};
pub use recomputed::Recomputed;
pub use relative_lift::RelativeLift;
pub use sample::{Arm, Figure, Pair, Paired, Sample};
pub use srm::{SampleRatio, SplitRatio};
pub use total::IncrementalTotal;
pub use verdict::Verdict;
pub use winsorized::{Spread, Winsorized};

use self::strata::Strata;
use super::{
    experiment::{Experiment, SplitEpoch},
    measure::{Harm, Metric},
};

/// How long after the end an outcome that happened before it may still arrive.
pub const LATE_MAX: TimeDelta = TimeDelta::days(7);
/// A verdict needs a p below this.
const SIGNIFICANCE: f64 = 0.05;
/// Why there is no comparison.
const TWO_CUSTOMERS: &str = "not enough data: no split has two customers in each arm";
/// Why there is no error of a difference.
const NO_VARIATION: &str = "all customers have the same figure: there is no measure of the error";
/// Why a mean is absent.
const NOBODY: &str = "there are no customers";
/// Why a ratio is absent.
const NO_BASE: &str = "an arm has no outcome to divide by";
/// Why a sum is absent.
const TOO_LARGE: &str = "a sum exceeds 128 bits";

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

/// What a read-out knows beside the customers' sums on its metric.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// The secondary metrics, summed likewise.
    pub secondary: Vec<Counts>,
    /// The guardrails, with the change that harms.
    pub guardrails: Vec<(Harm, Counts)>,
    /// What earlier days showed.
    pub past: Past,
    /// Every outcome received up to here is counted.
    pub counted_through: Option<DateTime<Utc>>,
    /// What needs the figures of single customers.
    pub recomputed: Option<Recomputed>,
    /// The contacts of the treated and what they cost.
    pub contacts: Option<Contacts>,
}

/// A read-out on one metric.
#[derive(Clone, Debug)]
pub struct ReadOut {
    /// What every figure is about.
    pub metric: Metric,
    /// Everyone assigned.
    pub assigned: Findings,
    /// Those who received, or would have received, an offer.
    pub matched: Findings,
    /// What may be said.
    pub judgment: Judgment,
    /// The declared metrics beside the primary one.
    pub secondary: Vec<Secondary>,
    /// What must not get worse.
    pub guardrails: Vec<GuardrailResult>,
    /// The total less what the contacts cost, and per contact.
    pub net: Option<Net>,
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
pub fn read_out(design: &Design, counts: &Counts, more: &More, now: DateTime<Utc>) -> ReadOut {
    let of = |population| Findings::of(design, counts, population, more.recomputed.as_ref());
    let (assigned, mut matched) = (of(Population::Assigned), of(Population::Matched));
    if matched.srm.is_alarm() {
        matched.withhold();
    }
    ReadOut {
        metric: counts.metric.clone(),
        judgment: judgment::judge(design, &counts.metric, &assigned, more, now),
        secondary: guard::secondary(&more.secondary),
        guardrails: more
            .guardrails
            .iter()
            .map(|(harm, counts)| guard::guardrail(*harm, counts))
            .collect(),
        net: more.contacts.and_then(|contacts| contacts.net(&counts.metric, assigned.total?)),
        assigned,
        matched,
    }
}

/// What a read-out on the primary metric would say at this moment before the end, from its anytime
/// interval. A daily snapshot stores it.
pub fn early_verdict(design: &Design, counts: &Counts) -> Option<Verdict> {
    let findings = Findings::of(design, counts, Population::Assigned, None);
    early::judge(design, &counts.metric, &findings)
}

#[cfg(test)]
mod tests;
