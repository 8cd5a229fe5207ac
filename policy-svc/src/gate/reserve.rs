//! Reserve: holds a slot for each of the first offers that pass.

use std::sync::Arc;

use database::DatabaseError;

use super::{
    Call, Gate, GateError,
    kept::{self, Grant, Reserved},
};
use crate::{
    domain::{channel::reservation_ttl, consent::consent, question::Question},
    store::{AnswerChange, Change, Earlier, Known, Wanted},
};

/// Slots that are wanted.
#[derive(Clone, Debug)]
pub struct Order {
    /// The decision that will hold them.
    pub decision_id: String,
    /// Identifies a retry; when empty, the decision id does.
    pub request_id: String,
    /// Most slots.
    pub limit: usize,
}

impl Order {
    /// What became of it when the store refuses it: a decision reserves once. This one did so for
    /// another request, or for one whose answer is no longer kept.
    pub(super) fn refused(&self, error: GateError) -> GateError {
        match error {
            GateError::Store(DatabaseError::Conflict(_)) => {
                GateError::DecisionUsed(self.decision_id.clone())
            }
            other => other,
        }
    }

    pub(super) fn request_key(&self) -> String {
        match self.request_id.as_str() {
            "" => format!("decision:{}", self.decision_id),
            request_id => format!("request:{request_id}"),
        }
    }
}

/// A reservation, or the answer to an earlier call of the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReserveAnswer {
    /// Judged now.
    Judged(Box<Reserved>),
    /// The kept answer; see [`kept::decoded`].
    Repeated(Vec<u8>),
}

impl Gate {
    /// Applies pending outcomes, judges, and holds a slot for each of the first offers that pass.
    pub async fn reserve(
        &self,
        tenant: &str,
        question: Arc<Question>,
        order: Order,
    ) -> Result<ReserveAnswer, GateError> {
        let work = async |call: Call| {
            let wanted = Wanted { request_key: order.request_key(), ..call.wanted("") };
            let order = order.clone();
            self.store.write(wanted, move |known| reserve(&call, &order, known)).await
        };
        self.by_newest(tenant, question, work).await.map_err(|error| order.refused(error))
    }
}

pub(super) fn reserve(
    call: &Call,
    order: &Order,
    mut known: Known,
) -> Result<(Option<Change>, ReserveAnswer), GateError> {
    let (version, at, earlier) = (known.version, known.ledger_at, known.earlier.take());
    let channel = call.channel();
    let (mut ledger, facts) = call.open(known)?;
    let mut answer = None;
    if let Some(earlier) = earlier {
        let found = channel.map(|channel| consent(channel, &call.question.fields, &facts.consents));
        if found.is_none_or(|found| found.refusal.is_none()) {
            let change = Change::of(version, ledger).unless_empty();
            return Ok((change, ReserveAnswer::Repeated(earlier.response)));
        }
        // The customer withdrew after the first call: its slots are released, and the refusal is
        // the answer.
        ledger.release(&earlier.decision_id, None);
        answer = Some(AnswerChange::Forget(order.request_key()));
    }
    let until = at + reservation_ttl(channel);
    let judgment = call.evaluate(&facts, Some(order.limit));
    let granted = judgment.granted.iter().filter_map(|index| call.question.candidates.get(*index));
    let mut grants = Vec::with_capacity(judgment.granted.len());
    for (rank, candidate) in (1..).zip(granted) {
        let named = (order.decision_id.as_str(), rank);
        ledger.add(call.new_contact(version, named, candidate, (at, until)));
        grants.push(Grant { offer_id: candidate.offer_id.clone(), rank, reserved_until: until });
    }
    let decision_id = order.decision_id.clone();
    let reserved = Reserved { judgment, basis: call.basis(facts), grants, decision_id };
    // A refusal is not kept: a retry may come when it no longer holds.
    if !reserved.grants.is_empty() {
        let (decision_id, response) = (order.decision_id.clone(), kept::encoded(&reserved));
        let earlier = Earlier { decision_id, response };
        answer = Some(AnswerChange::Keep(order.request_key(), earlier));
    }
    let change = Change { answer, ..Change::of(version, ledger) };
    Ok((Some(change), ReserveAnswer::Judged(Box::new(reserved))))
}
