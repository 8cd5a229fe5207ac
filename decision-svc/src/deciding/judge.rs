//! Asks policy-svc about planned cases, in one call for all of them.

use tonic::{Code, Status};

use super::{gathered::LiveCase, new_id, planner::Planner};
use crate::{
    domain::{case::Detail, judgment::Judgment, plan::Plan, score::seed_of},
    neighbours::{
        Gate,
        policy::{self, Contact, Hold, Inquiry},
    },
};

/// One of several tries to decide with the newest configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// policy-svc judges only what was planned with its newest configuration.
    First,
    /// The snapshot has everything that was acknowledged before the first try.
    CaughtUp,
    /// It did not arrive in time: decisions are marked `snapshot_stale`.
    Late,
}

/// A live case with its plan.
pub struct PlannedCase {
    /// The case.
    pub live: LiveCase,
    /// The plan.
    pub plan: Plan,
    /// Id of the decision that is to hold the slots.
    decision_id: String,
    /// Judge only by the policy revision of the case.
    is_strict: bool,
}

/// What policy-svc judged.
pub struct Judged {
    /// `None` when policy-svc was not asked or did not answer.
    pub judgment: Option<Judgment>,
    /// The decision that holds the slots: this one or an earlier one of the same request.
    pub holder: String,
    /// policy-svc did not judge: it has newer configuration than the case was planned with.
    pub is_behind: bool,
}

impl PlannedCase {
    /// Plans a case.
    pub async fn of(mut live: LiveCase, attempt: Try, planner: &Planner) -> Self {
        let decision_id = new_id("dec", live.case.moment.now);
        // An explanation draws nothing.
        if live.case.configuration.flow.explores() && live.case.detail == Detail::Answer {
            live.case.facts.seed = Some(seed_of(&decision_id));
        }
        let plan = planner.plan(&live.case).await;
        if attempt == Try::Late {
            live.mark_stale();
        }
        Self { live, plan, decision_id, is_strict: attempt == Try::First }
    }

    /// Whether policy-svc is asked about it.
    pub fn is_asked(&self) -> bool {
        !self.plan.ranked.is_empty() && self.live.pending.len() <= policy::PENDING_MAX
    }

    /// What policy-svc is asked; nothing when there is nothing to offer, or when policy-svc did not
    /// take the customer's outcomes and more wait than a question carries.
    fn inquiry(&self) -> Option<Inquiry<'_>> {
        let LiveCase { case, pending, .. } = &self.live;
        if !self.is_asked() {
            return None;
        }
        let hold = |limit| Hold {
            decision_id: &self.decision_id,
            request_id: &case.question.request_id,
            limit,
        };
        let is_held_out = case.facts.held_out.is_some();
        let policy_revision = case.configuration.policy_revision.filter(|_| self.is_strict);
        Some(Inquiry {
            contact: Contact { policy_revision, ..Contact::of(case, pending) },
            ranked: &self.plan.ranked,
            slots: case.slots(),
            hold: case.slots().filter(|_| !is_held_out).map(hold),
        })
    }
}

/// Judges planned cases; one answer per case, in their order.
pub async fn judge<'p>(
    gate: &Gate,
    tenant: &str,
    planned: impl Iterator<Item = &'p PlannedCase>,
) -> Vec<Result<Judged, Status>> {
    let planned: Vec<_> = planned.map(|case| (case, case.inquiry())).collect();
    let questions: Vec<_> = planned.iter().filter_map(|(_, question)| *question).collect();
    let mut answers = policy::judge(gate, tenant, &questions).await.into_iter();
    let judged = planned.into_iter().map(|(case, question)| {
        let answer = question.and_then(|_| answers.next());
        judged(answer, case)
    });
    judged.collect()
}

fn judged(
    answer: Option<Result<policy::HeldJudgment, Status>>,
    case: &PlannedCase,
) -> Result<Judged, Status> {
    let own = || case.decision_id.clone();
    let unjudged = |holder, is_behind| Judged { judgment: None, holder, is_behind };
    match answer {
        None => Ok(unjudged(own(), false)),
        Some(Ok((judgment, holder))) => {
            let holder = holder.unwrap_or_else(own);
            Ok(Judged { judgment: Some(judgment), holder, is_behind: false })
        }
        Some(Err(status)) if status.code() == Code::Aborted => Ok(unjudged(own(), true)),
        Some(Err(status)) if is_callers(status.code()) => Err(status),
        Some(Err(status)) => {
            tracing::warn!(code = ?status.code(), "policy-svc did not answer; nothing is offered");
            // Slots may have been reserved although the answer was lost. They stay under the id
            // that was asked for, and a retry of the request gets them; this refusal is another
            // decision.
            Ok(unjudged(new_id("dec", case.live.case.moment.now), false))
        }
    }
}

/// Whether policy-svc refuses the question itself, for example its unknown or inactive channel.
fn is_callers(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::InvalidArgument | Code::FailedPrecondition)
}
