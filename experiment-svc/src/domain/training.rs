//! Training rows: what happened to each customer of an experiment after the first exposure, and
//! what was known before. Effects are learned from them, and exports show them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    analysis::Arm,
    experiment::Experiment,
    measure::{CONVERSION, Metric},
    tally::{Facts, FirstExposure, HOUR_US, NEVER, Outcome, Plan},
};

/// Days for which outcomes count, where neither the request nor the flow says it.
pub const WINDOW_DAYS: u32 = 30;
/// Most days.
pub const WINDOW_DAYS_MAX: u32 = 365;

const DAY_US: i64 = 24 * HOUR_US;

/// What is known of a customer before a contact.
#[derive(Clone, Debug, PartialEq)]
pub enum FeatureValue {
    /// A number; of a date the days from it to the decision.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A text.
    Text(String),
}

/// One customer of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingRow {
    /// Id of the customer; exports show a keyed hash of it.
    pub customer_id: String,
    /// The part of cross-fitting, 0 to 4.
    pub fold: usize,
    /// The arm.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// Probability of treatment under that split, 0 to 1.
    pub treatment_probability: f64,
    /// Probability with which the flow's gate let customer and offer pass, above 0 to 1.
    pub gate_probability: f64,
    /// Offers by rank; the row is about the first.
    pub offer_ids: Vec<String>,
    /// Id or name of the category of that offer; empty without one.
    pub category_id: String,
    /// The channel; empty without one.
    pub channel: String,
    /// When the window begins, in microseconds since 1970.
    pub exposed_us: i64,
    /// The outcome happened in the window.
    pub outcome: bool,
    /// Revenue in the window, in 1/10,000 of the currency.
    pub value_e4: i128,
    /// The window had closed when the rows were counted.
    pub is_matured: bool,
    /// The customer was held out.
    pub is_ghost: bool,
    /// What was known of the customer before; what was not known is left out.
    pub features: BTreeMap<String, FeatureValue>,
}

/// Why a customer of an experiment is in no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowLeftOut {
    /// Received nothing so far, and would have received nothing.
    NotExposed,
    /// Another experiment emptied the answer, whatever the arm.
    Emptied,
    /// Exposed after the experiment's end.
    AfterTheEnd,
    /// The window was open when the experiment was concluded.
    Cut,
    /// Exposed after the instant up to which everything is counted.
    NotCounted,
}

impl RowLeftOut {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotExposed => "not_exposed",
            Self::Emptied => "emptied_by_another_experiment",
            Self::AfterTheEnd => "exposed_after_the_end",
            Self::Cut => "cut_by_the_conclusion",
            Self::NotCounted => "not_counted_yet",
        }
    }
}

/// Which rows an experiment has: by which outcome, within which window, counted up to when.
#[derive(Clone, Debug)]
pub struct TrainingSet {
    /// Id of the experiment.
    pub experiment_id: String,
    /// Name of the metric of `outcome`.
    pub metric: String,
    /// For how many days an outcome counts.
    pub window_days: u32,
    /// Exposures and outcomes up to here count, in microseconds since 1970.
    pub through_us: i64,
    plan: Plan,
    /// Probability of treatment by split.
    treated: BTreeMap<i32, f64>,
}

/// What the ledger holds of a customer in an experiment.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Id of the customer.
    pub customer_id: String,
    /// True in the holdout.
    pub is_holdout: bool,
    /// The split under which the arm was drawn.
    pub epoch: i32,
    /// When, in microseconds since 1970.
    pub assigned_us: i64,
    /// When the customer was exposed first, and the experiment that emptied the answer; empty when
    /// it was returned.
    pub exposure: Option<(i64, String)>,
    /// Probability with which the flow's gate let the offer pass.
    pub gate_probability: f64,
    /// Offers by rank.
    pub offer_ids: Vec<String>,
    /// Category of the first.
    pub category_id: String,
    /// The channel.
    pub channel: String,
    /// What was known before: recorded with the exposure, or imported with the arm.
    pub features: BTreeMap<String, FeatureValue>,
    /// Outcomes since the assignment, in any order.
    pub outcomes: Vec<Outcome>,
}

impl TrainingSet {
    /// The rows of an experiment by the outcome of this key. Without `through` nothing is counted,
    /// and there is no row. A fault says what is wrong with the key.
    pub fn of(
        id: &str,
        experiment: &Experiment,
        (outcome, window_days): (&str, u32),
        through: Option<DateTime<Utc>>,
    ) -> Result<Self, String> {
        let metric = if outcome == CONVERSION {
            Metric::parse(Metric::DEFAULT)?
        } else {
            Metric::parse(&format!("outcome:{outcome}"))?
        };
        let name = metric.name.clone();
        let plan = Plan {
            metrics: vec![metric, Metric::parse("revenue_per_customer")?],
            window_us: Some(i64::from(window_days) * DAY_US),
            look_back_us: None,
            imported: None,
            ..Plan::of(id, experiment)
        };
        let treated = |holdout_basis_points: u32| 1.0 - f64::from(holdout_basis_points) / 10_000.0;
        let epochs = experiment.epochs.iter();
        Ok(Self {
            experiment_id: id.to_owned(),
            metric: name,
            window_days,
            through_us: through.map_or(i64::MIN, |through| through.timestamp_micros()),
            plan,
            treated: epochs.map(|it| (it.epoch, treated(it.holdout_basis_points))).collect(),
        })
    }

    /// True when arms are drawn elsewhere: then rows are about the assignments.
    pub fn is_external(&self) -> bool {
        self.plan.is_external
    }

    /// The row of a customer; or why there is none.
    pub fn row(&self, recorded: Recorded) -> Result<TrainingRow, RowLeftOut> {
        let begins = match &recorded.exposure {
            _ if self.plan.is_external => Some(recorded.assigned_us),
            exposure => exposure.as_ref().map(|(at_us, _)| *at_us),
        };
        let exposed_us = begins.ok_or(RowLeftOut::NotExposed)?;
        if exposed_us > self.through_us {
            return Err(RowLeftOut::NotCounted);
        }
        let mut outcomes = recorded.outcomes;
        outcomes.retain(|outcome| outcome.received_us <= self.through_us);
        let arm = if recorded.is_holdout { Arm::Holdout } else { Arm::Treatment };
        let exposure = recorded.exposure.as_ref();
        let facts = Facts {
            arm,
            epoch: recorded.epoch,
            assigned_us: recorded.assigned_us,
            exposure: exposure.map(|(at_us, emptied_by)| FirstExposure {
                at_us: *at_us,
                emptied_by: emptied_by.as_str(),
            }),
            outcomes: &outcomes,
            imported_e4: None,
        };
        let tally = self.plan.tally(&facts);
        let windowed = match tally.matched {
            _ if self.plan.is_external => tally.assigned,
            _ if tally.is_emptied => return Err(RowLeftOut::Emptied),
            None => return Err(RowLeftOut::AfterTheEnd),
            Some(matched) => matched,
        };
        if windowed.hour == NEVER {
            return Err(RowLeftOut::Cut);
        }
        let figure = |index: usize| windowed.figures.get(index).map_or(0, |figure| figure.value);
        let closes_us = exposed_us.saturating_add(self.plan.window_us.unwrap_or_default());
        let is_external = self.plan.is_external;
        Ok(TrainingRow {
            fold: uplift::fold_of(&recorded.customer_id),
            arm,
            epoch: recorded.epoch,
            treatment_probability: self.treatment_probability(recorded.epoch),
            gate_probability: if is_external { 1.0 } else { recorded.gate_probability },
            offer_ids: recorded.offer_ids,
            category_id: recorded.category_id,
            channel: recorded.channel,
            exposed_us,
            outcome: figure(0) > 0,
            value_e4: figure(1),
            is_matured: closes_us <= self.through_us,
            is_ghost: recorded.is_holdout && !is_external,
            features: recorded.features,
            customer_id: recorded.customer_id,
        })
    }

    /// INVARIANT: the log keeps every split of an experiment, and an arm names one of them.
    fn treatment_probability(&self, epoch: i32) -> f64 {
        self.treated.get(&epoch).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests;
