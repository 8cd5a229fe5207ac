//! Assigns a customer to treatment or holdout by a published hash.

use chrono::{DateTime, Utc};

use crate::domain::{
    lot::lot,
    snapshot::{Experiment, Experiments},
};

/// An arm as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// The experiment.
    pub experiment_id: String,
    /// Gets nothing.
    pub is_holdout: bool,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// When, in microseconds since 1970.
    pub assigned_us: i64,
    /// When an offer was, or would have been, returned for the first time.
    pub exposed_us: Option<i64>,
}

/// An arm that binds a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingArm {
    /// The arm.
    pub arm: Arm,
    /// Share held out by the split under which it was drawn, in 1/10,000; `None` when the
    /// experiment does not know the split.
    pub holdout_basis_points: Option<u32>,
    /// The experiment is about every flow.
    pub is_universal: bool,
    /// This decision draws it.
    pub is_new: bool,
    /// The experiment counts a first exposure at the instant of the decision.
    pub is_counting: bool,
}

/// Which arms a decision may draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Those the customer does not have yet.
    Missing,
    /// None: nobody is contacted.
    Nothing,
}

/// True when the customer is held out: the first 8 bytes, big-endian, of SHA-256(salt ‖ 0x00 ‖
/// customer id), as a share of 2^64, lie below the holdout's share. Integers of 128 bits, so every
/// machine and language agrees.
pub fn is_held_out(salt: &str, customer_id: &str, holdout_basis_points: u32) -> bool {
    u128::from(lot(&[salt, customer_id])) * 10_000 < u128::from(holdout_basis_points) << 64
}

/// The arm of a customer that has none yet; `None` when the experiment assigns no arms at `now`.
fn draw(experiment: &Experiment, customer_id: &str, now: DateTime<Utc>) -> Option<Arm> {
    let split = experiment.splits.last().filter(|_| experiment.is_open(now))?;
    Some(Arm {
        experiment_id: experiment.id.clone(),
        is_holdout: is_held_out(&experiment.salt, customer_id, split.holdout_basis_points),
        epoch: split.epoch,
        assigned_us: now.timestamp_micros(),
        exposed_us: None,
    })
}

/// The arms that bind a decision of this flow at an instant: stored ones, and new ones of running
/// experiments where they may be drawn. Those of experiments on every flow come first, then those
/// of the flow's experiments, each by experiment id. A shipped experiment binds no customer.
pub fn binding_arms(
    experiments: &Experiments,
    (flow_id, flow_name): (&str, &str),
    stored: &[Arm],
    customer_id: &str,
    (may_draw, now): (Draw, DateTime<Utc>),
) -> Vec<BindingArm> {
    let customer = (stored, customer_id);
    let mut arms = arms_of(experiments.universal(), customer, (may_draw, now));
    arms.extend(arms_of(experiments.on_flow(flow_id, flow_name), customer, (may_draw, now)));
    arms
}

/// The arms of experiments with one scope. None of them assigns a customer while another one of the
/// same scope holds the customer out: a treated customer would get nothing. Those of the other
/// scope do: the results of a flow's experiment leave out whom a universal holdout emptied.
fn arms_of<'e>(
    experiments: impl Iterator<Item = &'e Experiment>,
    (stored, customer_id): (&[Arm], &str),
    (may_draw, now): (Draw, DateTime<Utc>),
) -> Vec<BindingArm> {
    let known = |experiment: &Experiment| {
        stored.iter().find(|arm| arm.experiment_id == experiment.id).cloned()
    };
    let binding = experiments.filter(|experiment| experiment.is_binding);
    let mut arms: Vec<_> = binding.map(|experiment| (experiment, known(experiment))).collect();
    let is_free = !arms.iter().any(|(_, arm)| arm.as_ref().is_some_and(|arm| arm.is_holdout));
    let may_draw = may_draw == Draw::Missing && is_free;
    let bound = arms.drain(..).filter_map(|(experiment, known)| {
        let is_new = known.is_none();
        let new = || draw(experiment, customer_id, now).filter(|_| may_draw);
        let arm = known.or_else(new)?;
        let mut splits = experiment.splits.iter().filter(|split| split.epoch == arm.epoch);
        Some(BindingArm {
            holdout_basis_points: splits.next().map(|split| split.holdout_basis_points),
            is_universal: experiment.is_universal(),
            is_counting: experiment.is_open(now),
            is_new,
            arm,
        })
    });
    bound.collect()
}

/// The arm that empties the answer: the first in order that holds the customer out.
pub fn emptying(arms: &[BindingArm]) -> Option<&BindingArm> {
    arms.iter().find(|it| it.arm.is_holdout)
}

#[cfg(test)]
mod tests;
