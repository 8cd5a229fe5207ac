//! Assigns a customer to treatment or holdout by a published hash.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use crate::domain::snapshot::{Experiment, Experiments};

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
#[derive(Clone, Debug)]
pub struct BindingArm {
    /// The arm.
    pub arm: Arm,
    /// The experiment has not been concluded in favor of treating everyone.
    pub is_counted: bool,
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
    let mut hasher = Sha256::new();
    hasher.update(salt.as_bytes());
    hasher.update([0]);
    hasher.update(customer_id.as_bytes());
    let digest = hasher.finalize();
    let head = digest.iter().take(8).fold(0_u64, |head, byte| (head << 8) | u64::from(*byte));
    u128::from(head) * 10_000 < u128::from(holdout_basis_points) << 64
}

/// The arm of a customer that has none yet; `None` when the experiment assigns no arms at `now_us`.
pub fn draw(experiment: &Experiment, customer_id: &str, now_us: i64) -> Option<Arm> {
    let is_open = experiment.is_running
        && experiment.starts_at.timestamp_micros() <= now_us
        && now_us < experiment.planned_end.timestamp_micros();
    is_open.then(|| Arm {
        experiment_id: experiment.id.clone(),
        is_holdout: is_held_out(&experiment.salt, customer_id, experiment.holdout_basis_points),
        epoch: experiment.epoch,
        assigned_us: now_us,
        exposed_us: None,
    })
}

/// The arms that bind a decision of this flow at an instant, by experiment id: stored ones, and new
/// ones of running experiments where they may be drawn.
pub fn binding_arms(
    experiments: &Experiments,
    (flow_id, flow_name): (&str, &str),
    stored: &[Arm],
    customer_id: &str,
    (may_draw, now): (Draw, DateTime<Utc>),
) -> Vec<BindingArm> {
    let mut arms = Vec::new();
    for experiment in experiments.on_flow(flow_id, flow_name).filter(|it| it.is_binding) {
        let known = stored.iter().find(|arm| arm.experiment_id == experiment.id).cloned();
        let new = || draw(experiment, customer_id, now.timestamp_micros());
        let arm = match may_draw {
            Draw::Missing => known.or_else(new),
            Draw::Nothing => known,
        };
        arms.extend(arm.map(|arm| BindingArm { arm, is_counted: !experiment.is_shipped }));
    }
    arms
}

/// The experiment that holds the customer out.
pub fn held_out_of(arms: &[BindingArm]) -> Option<&str> {
    let holdout = arms.iter().find(|it| it.arm.is_holdout && it.is_counted)?;
    Some(&holdout.arm.experiment_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors other languages check themselves against.
    const VECTORS: &str = include_str!("../../../proto/vectors/assignment.csv");

    #[test]
    fn published_vectors_hold() {
        let mut rows = 0;
        for line in VECTORS.lines().skip(1).filter(|line| !line.is_empty()) {
            let cells: Vec<_> = line.split(',').collect();
            let [salt, customer, basis_points, expected] = cells[..] else { panic!("{line}") };
            assert_eq!(
                is_held_out(salt, customer, basis_points.parse().unwrap()),
                expected == "true",
                "{line}"
            );
            rows += 1;
        }
        assert!(rows >= 20);
    }

    #[test]
    fn nobody_and_everybody_are_exact() {
        for n in 0..1000 {
            assert!(!is_held_out("s", &n.to_string(), 0));
            assert!(is_held_out("s", &n.to_string(), 10_000));
        }
    }

    /// 100,000 ids at 15 %: five standard deviations are 565.
    #[test]
    fn the_share_is_what_was_asked_for() {
        let held_out =
            (0..100_000).filter(|n| is_held_out("winback", &format!("cust_{n}"), 1_500)).count();
        assert!(held_out.abs_diff(15_000) < 565, "{held_out}");
    }

    /// Growing the holdout moves customers only from treatment to holdout.
    #[test]
    fn a_larger_holdout_keeps_those_it_had() {
        for n in 0..10_000 {
            let id = n.to_string();
            assert!(!is_held_out("s", &id, 1_500) || is_held_out("s", &id, 2_000));
        }
    }
}
