//! The metrics of this service.

use std::time::Duration;

use metrics::Unit;
use serve::{Clock, telemetry::Labels};

use crate::{
    neighbours::follow::Followers,
    store::{Backlog, Store, Target},
};

/// Flows that have a label of their own.
const FLOWS_MAX: usize = 100;
/// How often the outbox and the snapshots are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Counts decisions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DecisionTally {
    flows: Labels,
}

impl Default for DecisionTally {
    fn default() -> Self {
        metrics::describe_counter!(
            "proffer.decisions",
            "Decisions by flow and reason; the reason is `none` when offers were returned"
        );
        metrics::describe_counter!(
            "proffer.decisions.degraded",
            "Decisions that report `degraded`, by what was degraded"
        );
        metrics::describe_counter!(
            "proffer.decisions.long",
            "Plans that may take more than about 10 ms, by their steps, and give other calls way"
        );
        Self { flows: Labels::new(FLOWS_MAX) }
    }
}

impl DecisionTally {
    /// Counts a decision of this flow, with the reason of a refusal and what was degraded. A dry
    /// run counts as one.
    pub fn count(&self, flow: &str, reason: Option<&str>, is_dry_run: bool, degraded: &[String]) {
        let reason = reason.unwrap_or("none").to_owned();
        let dry_run = if is_dry_run { "true" } else { "false" };
        let flow = self.flows.of(flow);
        metrics::counter!("proffer.decisions", "flow" => flow, "reason" => reason,
            "dry_run" => dry_run)
        .increment(1);
        for reason in degraded {
            metrics::counter!("proffer.decisions.degraded", "reason" => reason.clone())
                .increment(1);
        }
    }
}

/// Sets the metrics of the outbox and of the snapshots for ever.
pub async fn report(store: Store, followers: Followers, clock: Clock) {
    describe();
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Ok(backlog) = store.backlog(clock.now().timestamp_micros()).await {
            set_backlog(&backlog);
        }
        for (source, age) in followers.snapshot_ages() {
            metrics::gauge!("proffer.snapshot.age", "source" => source).set(age.as_secs_f64());
        }
    }
}

fn set_backlog(backlog: &[Backlog]) {
    for target in [Target::Policy, Target::Experiment] {
        let of_target = || backlog.iter().filter(|part| part.target == target.name());
        let rows = |is_parked| {
            let rows = of_target().filter(|part| part.is_parked == is_parked).map(|it| it.rows);
            rows.sum::<i64>() as f64
        };
        let oldest = of_target().filter(|part| !part.is_parked).map(|part| part.oldest_age);
        let oldest = oldest.max().unwrap_or_default();
        let target = target.name();
        metrics::gauge!("proffer.outbox.rows", "target" => target).set(rows(false));
        metrics::gauge!("proffer.outbox.parked.rows", "target" => target).set(rows(true));
        metrics::gauge!("proffer.outbox.oldest.age", "target" => target).set(oldest.as_secs_f64());
    }
}

fn describe() {
    metrics::describe_counter!(
        "proffer.propensity.counted",
        "Contacts, and positive responses to them, that propensities are learned from"
    );
    metrics::describe_counter!(
        "proffer.propensity.reads",
        "How often changed counts of responses were read"
    );
    metrics::describe_gauge!("proffer.outbox.rows", "Messages not delivered yet, by target");
    metrics::describe_gauge!(
        "proffer.outbox.parked.rows",
        "Messages that their target refused too often; a person must look at them"
    );
    metrics::describe_gauge!(
        "proffer.outbox.oldest.age",
        Unit::Seconds,
        "Age of the oldest message that is not delivered yet, by target"
    );
    metrics::describe_gauge!(
        "proffer.snapshot.age",
        Unit::Seconds,
        "Time since a service last confirmed its configuration"
    );
}
