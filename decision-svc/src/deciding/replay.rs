//! Replays a recorded decision and compares it with the record.

use proffer_proto::{
    decision::v1::{Decision, DecisionRecord},
    difference::{self, Difference},
};
use tonic::Status;

use super::recorded::RecordedCases;
use crate::{
    domain::case::Detail,
    messages::answer::{self, Circumstances},
    store::DecisionName,
};

/// Differences listed at most.
pub const DIFFERENCES_MAX: usize = 100;

/// The use case. Cheap to clone.
#[derive(Clone)]
pub struct Replay {
    /// Builds the cases.
    pub recorded: RecordedCases,
}

/// What replaying a decision showed.
pub struct Replayed {
    /// Where the answers differ; empty when the decision is the same.
    pub differences: Vec<Difference>,
    /// The engine that made the recorded decision.
    pub recorded_engine: String,
}

impl Replay {
    /// Replays a decision.
    pub async fn replay(&self, tenant: &str, name: DecisionName<'_>) -> Result<Replayed, Status> {
        let recorded = self.recorded.case(tenant, name, Detail::Answer).await?;
        let conclusion = self.recorded.conclude(tenant, &recorded).await?;
        let before = recorded.shown.answer.unwrap_or_default();
        let about = Circumstances {
            decision_id: before.decision_id.clone(),
            degraded: before.degraded.clone(),
            snapshot: before.snapshot.clone(),
            latency_ms: before.latency_ms,
        };
        let again = answer::decision(&recorded.case, &conclusion, about);
        let was = beside(recorded.shown.ghost_offers, recorded.shown.explore_probability);
        let now = conclusion.answer;
        let now = beside(now.ghost_offers(), now.explore_probability);
        Ok(Replayed {
            differences: differences(&before, &again, [was, now]),
            recorded_engine: recorded.shown.engine,
        })
    }
}

/// What is compared of a record beside the answer.
fn beside(ghost_offers: Vec<String>, explore_probability: Option<f64>) -> DecisionRecord {
    DecisionRecord { ghost_offers, explore_probability, ..Default::default() }
}

fn differences(
    before: &Decision,
    again: &Decision,
    [was, now]: [DecisionRecord; 2],
) -> Vec<Difference> {
    let mut found = difference::differences(before, again, DIFFERENCES_MAX);
    let room = DIFFERENCES_MAX - found.len().min(DIFFERENCES_MAX);
    found.extend(difference::differences(&was, &now, room));
    found
}
