//! What one customer adds to an experiment: the figures of every metric in the customer's windows,
//! and the hour in which each window closes.
//!
//! A tally is computed from the customer's arm, first exposure and outcomes and from nothing else,
//! so computing it again gives the same. Sums over customers are kept by adding the new tally and
//! taking the old one away.

mod limbs;
mod plan;
mod text;

use std::collections::BTreeMap;

pub use limbs::{Limbs, Sums};
pub use plan::{LOOK_BACK_MAX_US, Plan, RULES};

use super::{
    analysis::{Arm, Figure},
    measure::{Happened, Sum},
};

/// Microseconds of an hour.
pub const HOUR_US: i64 = 3_600_000_000;
/// The hour of a window that is never open: everything until the end counts at once.
pub const ALWAYS: i64 = 0;
/// The hour of a window that was open when the experiment was concluded.
pub const NEVER: i64 = i64::MAX;

/// What the ledger holds of a customer in an experiment.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The customer's arm.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// When, in microseconds.
    pub assigned_us: i64,
    /// The first offer received, or that would have been.
    pub exposure: Option<FirstExposure<'a>>,
    /// The outcomes of the customer, in any order.
    pub outcomes: &'a [Outcome],
    /// The imported covariate in 1/10,000; none when nothing was imported.
    pub imported_e4: Option<i64>,
}

/// The first offer that a customer received, or would have received.
#[derive(Clone, Copy, Debug)]
pub struct FirstExposure<'a> {
    /// When, in microseconds.
    pub at_us: i64,
    /// The experiment that emptied the answer; empty when it was returned.
    pub emptied_by: &'a str,
}

/// An outcome of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Key of the outcome type.
    pub key: String,
    /// True when its type has the positive classification.
    pub is_positive: bool,
    /// Its value in 1/10,000; none without one.
    pub value_e4: Option<i64>,
    /// When it happened, in microseconds.
    pub occurred_us: i64,
    /// When it was received, in microseconds.
    pub received_us: i64,
}

/// What a customer adds to an experiment's sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The customer's arm.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// Since the assignment.
    pub assigned: Windowed,
    /// Since the first exposure; none without one that counts.
    pub matched: Option<Windowed>,
    /// True when a universal holdout emptied the first answer: then the customer is matched with
    /// nobody.
    pub is_emptied: bool,
    /// The covariate in 1/10,000; 0 without one.
    pub covariate: i128,
}

/// Figures of one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windowed {
    /// The hour at whose beginning the window has closed, in hours since 1970; [`ALWAYS`] or
    /// [`NEVER`].
    pub hour: i64,
    /// One per metric of the plan, in its order.
    pub figures: Vec<Figure>,
}

/// The window in which outcomes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from_us: i64,
    until_us: i64,
    received_max_us: i64,
    hour: i64,
}

impl Plan {
    /// The tally of a customer.
    pub fn tally(&self, facts: &Facts<'_>) -> Tally {
        let covariate = self.covariate(facts);
        let windowed = |from_us| {
            let window = self.window(from_us);
            Windowed { hour: window.hour, figures: self.figures(facts, window, covariate) }
        };
        let exposure = facts.exposure.filter(|exposure| exposure.at_us < self.exposed_before_us());
        let is_emptied = exposure.is_some_and(|exposure| self.is_emptied_by_other(exposure));
        Tally {
            arm: facts.arm,
            epoch: facts.epoch,
            assigned: windowed(facts.assigned_us),
            matched: exposure.filter(|_| !is_emptied).map(|first| windowed(first.at_us)),
            is_emptied,
            covariate,
        }
    }

    /// True when another experiment, which can only be the universal holdout, emptied the answer.
    /// The universal holdout itself counts everyone who would have been treated: it measures the
    /// programmes as they run.
    fn is_emptied_by_other(&self, exposure: FirstExposure<'_>) -> bool {
        !self.is_universal && !exposure.emptied_by.is_empty() && exposure.emptied_by != self.id
    }

    fn window(&self, from_us: i64) -> Window {
        match self.window_us {
            None => {
                let until_us = self.cut_us.map_or(self.end_us, |cut| cut.min(self.end_us));
                Window { from_us, until_us, received_max_us: self.late(until_us), hour: ALWAYS }
            }
            Some(length) => {
                let until_us = from_us.saturating_add(length);
                let is_cut = self.cut_us.is_some_and(|cut| until_us > cut);
                let hour = if is_cut { NEVER } else { (until_us - 1).div_euclid(HOUR_US) + 1 };
                Window { from_us, until_us, received_max_us: self.late(until_us), hour }
            }
        }
    }

    /// Until when what happened before `until_us` may arrive: for ever where an experiment that ran
    /// elsewhere is imported.
    fn late(&self, until_us: i64) -> i64 {
        if self.is_external { i64::MAX } else { until_us.saturating_add(LATE_US) }
    }

    fn figures(&self, facts: &Facts<'_>, window: Window, covariate: i128) -> Vec<Figure> {
        let counted: Vec<Happened<'_>> = facts
            .outcomes
            .iter()
            .filter(|outcome| window.counts(outcome))
            .map(Outcome::happened)
            .collect();
        let sum = |sum: &Sum| counted.iter().map(|outcome| sum.of(outcome)).sum::<i128>();
        let is_buyer = sum(&Sum::Purchases) > 0;
        let figure = |metric: &crate::domain::measure::Metric| {
            let sums: Vec<i128> = metric.sums.iter().map(sum).collect();
            Figure {
                value: metric.figure_of(&sums),
                is_buyer,
                paired: metric.paired_of(&sums, covariate),
            }
        };
        self.metrics.iter().map(figure).collect()
    }

    /// The revenue of the days before the assignment, or what was imported.
    fn covariate(&self, facts: &Facts<'_>) -> i128 {
        let Some(look_back) = self.look_back_us else {
            return facts.imported_e4.map(i128::from).unwrap_or_default();
        };
        let from_us = facts.assigned_us.saturating_sub(look_back);
        let received_max_us = self.late(facts.assigned_us);
        let before = |outcome: &&Outcome| {
            (from_us..facts.assigned_us).contains(&outcome.occurred_us)
                && outcome.received_us <= received_max_us
        };
        facts.outcomes.iter().filter(before).map(|it| Sum::Revenue.of(&it.happened())).sum()
    }
}

/// How long after a window's end an outcome that happened in it may still arrive.
const LATE_US: i64 = 7 * 24 * HOUR_US;

impl Window {
    fn counts(&self, outcome: &Outcome) -> bool {
        (self.from_us..self.until_us).contains(&outcome.occurred_us)
            && outcome.received_us <= self.received_max_us
    }
}

impl Outcome {
    fn happened(&self) -> Happened<'_> {
        let Self { key, is_positive, value_e4, .. } = self;
        Happened { key, is_positive: *is_positive, value_e4: *value_e4 }
    }
}

/// Whom a sum is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Everyone assigned whose window closes in the hour.
    Assigned,
    /// Everyone exposed whose window closes in the hour.
    Matched,
    /// Everyone assigned, whatever the window; only counted.
    EveryoneAssigned,
    /// Everyone exposed, whatever the window; only counted.
    EveryoneMatched,
    /// Everyone whose first answer a universal holdout emptied; only counted.
    Emptied,
}

impl Group {
    /// All, by the number that is stored.
    pub const ALL: [Self; 5] = [
        Self::Assigned,
        Self::Matched,
        Self::EveryoneAssigned,
        Self::EveryoneMatched,
        Self::Emptied,
    ];

    /// The number that is stored.
    pub fn number(self) -> i64 {
        Self::ALL.iter().zip(0..).find(|(group, _)| **group == self).map_or(0, |(_, number)| number)
    }

    /// The group of a stored number.
    pub fn of(number: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// What a sum is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Name of the metric; empty where customers are only counted.
    pub metric: String,
    /// The hour in which the windows close.
    pub hour: i64,
    /// Whom it is over.
    pub group: Group,
    /// True for the holdout.
    pub is_holdout: bool,
    /// The split.
    pub epoch: i32,
}

/// Changes of sums.
pub type Changes = BTreeMap<Place, Sums>;

impl Plan {
    /// Adds what a tally adds to the sums, or takes it away.
    pub fn change(&self, changes: &mut Changes, tally: &Tally, sign: i64) {
        let is_holdout = tally.arm == Arm::Holdout;
        let epoch = tally.epoch;
        let mut add = |metric: &str, hour, group, sums: Sums| {
            let place = Place { metric: metric.to_owned(), hour, group, is_holdout, epoch };
            changes.entry(place).or_default().add(&sums, sign);
        };
        add("", ALWAYS, Group::EveryoneAssigned, Sums::one());
        if tally.matched.is_some() {
            add("", ALWAYS, Group::EveryoneMatched, Sums::one());
        }
        if tally.is_emptied {
            add("", ALWAYS, Group::Emptied, Sums::one());
        }
        let both =
            [(Group::Assigned, Some(&tally.assigned)), (Group::Matched, tally.matched.as_ref())];
        for (group, windowed) in both {
            let Some(windowed) = windowed else { continue };
            for (metric, figure) in self.metrics.iter().zip(&windowed.figures) {
                add(&metric.name, windowed.hour, group, Sums::of(figure));
            }
        }
    }
}

#[cfg(test)]
mod tests;
