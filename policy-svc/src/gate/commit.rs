//! Commit: judges a contact again just before it is sent.

use std::sync::Arc;

use super::{Call, Gate, GateError};
use crate::{
    domain::{
        contact::{ChannelRef, State},
        question::Question,
        verdict::{Refusal, Scrutiny, Slots, judge},
    },
    store::{Change, Known},
};

/// Whether to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Send; the contact's id.
    Go(String),
    /// Do not.
    NoGo(Refusal),
}

impl Gate {
    /// Judges the contact of the question's first candidate again, at the ledger instant, and
    /// commits it. Caps are not evaluated again while its slot is held.
    pub async fn commit(
        &self,
        tenant: &str,
        question: Arc<Question>,
        decision_id: &str,
        rank: i64,
    ) -> Result<Committed, GateError> {
        let work = async |call: Call| {
            let (wanted, decision_id) = (call.wanted(decision_id), decision_id.to_owned());
            self.store.write(wanted, move |known| commit(&call, &decision_id, rank, known)).await
        };
        self.by_newest(tenant, question, work).await
    }
}

fn commit(
    call: &Call,
    decision_id: &str,
    rank: i64,
    known: Known,
) -> Result<(Option<Change>, Committed), GateError> {
    let (version, at) = (known.version, known.ledger_at);
    let candidate = call.question.candidates.first().cloned().unwrap_or_default();
    let (mut ledger, mut facts) = call.open(known)?;
    let mut is_held = false;
    if let Some(contact) = ledger.find(decision_id, rank) {
        if contact.offer.offer_id != candidate.offer_id
            || contact.channel.id != ChannelRef::of(call.channel()).id
        {
            let (offer_id, channel) =
                (contact.offer.offer_id.clone(), contact.channel.name.clone());
            return Err(GateError::OtherContact { offer_id, channel });
        }
        if contact.state == State::Committed {
            let contact_id = contact.contact_id.clone();
            return Ok((Change::of(version, ledger).unless_empty(), Committed::Go(contact_id)));
        }
        is_held = contact.is_live(at);
        // A contact does not count against itself.
        facts.contacts.retain(|fact| fact.contact_id != contact.contact_id);
    }
    let scrutiny = if is_held { Scrutiny::SlotHeld } else { Scrutiny::Full };
    let judgment = judge(&call.case(at, scrutiny), &facts, Slots { limit: 1, until: at });
    let refused = judgment.verdicts.into_iter().next().and_then(|verdict| verdict.refusal);
    let committed = match judgment.refusal.or(refused) {
        None => Committed::Go(ledger.commit(decision_id, rank, || {
            call.new_contact(version, (decision_id, rank), &candidate, (at, at))
        })),
        Some(refusal) => {
            if is_held && refusal.code.gives_back() {
                ledger.release(decision_id, Some(rank));
            }
            Committed::NoGo(refusal)
        }
    };
    Ok((Some(Change::of(version, ledger)), committed))
}
