//! Reserve, check, commit, release, and the outcomes that come in.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use database::{DatabaseError, Transaction};

use super::{
    Source, Store, StoreError, consent,
    contact::{self, Wanted},
    customer::{self, Customer},
    outcome, request,
};
use crate::domain::{
    channel::{Channel, reservation_ttl},
    configuration::Configuration,
    consent::consent as judge_consent,
    contact::{ChannelRef, Contact, State},
    facts::Facts,
    ledger::Ledger,
    question::{Candidate, Fields, Outcome, Question},
    verdict::{Asked, Judgement, Refusal, Scrutiny, Slots, judge},
};

/// Outcomes applied in one transaction, as long as they are of several customers.
const DELIVERY_BATCH: usize = 64;

/// A question with what it is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Whose customer.
    pub tenant: &'a str,
    /// The rules.
    pub configuration: &'a Configuration,
    /// The channel the question names; none skips channel rules.
    pub channel: Option<&'a Channel>,
    /// Who, when, what.
    pub question: &'a Question,
}

/// Slots that are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The decision that will hold them.
    pub decision_id: &'a str,
    /// Makes a repeat; empty: the decision's id does.
    pub request_id: &'a str,
    /// Most slots.
    pub limit: usize,
    /// Encodes the answer as it is kept for repeats.
    pub encode: fn(&Reserved) -> Vec<u8>,
}

/// A slot held for an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The offer.
    pub offer_id: String,
    /// Rank within the decision, from 1.
    pub rank: i64,
    /// When it lapses.
    pub reserved_until: DateTime<Utc>,
}

/// What was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The judgement.
    pub judgement: Judgement,
    /// The slots, in ranking order.
    pub grants: Vec<Grant>,
    /// The decision that holds them.
    pub decision_id: String,
}

/// A reservation, or the answer an earlier call of the same request had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReserveAnswer {
    /// Judged now.
    Judged(Reserved),
    /// As it was encoded then.
    Repeated(Vec<u8>),
}

/// Whether to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Send; the contact's id.
    Go(String),
    /// Do not.
    NoGo(Refusal),
}

impl Store {
    /// Applies pending outcomes, judges, and holds a slot for each of the first offers that pass.
    pub async fn reserve(&self, call: &Call<'_>, order: &Order<'_>) -> Result<ReserveAnswer, StoreError> {
        let Call { tenant, channel, question, .. } = *call;
        let customer_id = question.customer_id.as_str();
        let request_key = match order.request_id {
            "" => format!("decision:{}", order.decision_id),
            request_id => format!("request:{request_id}"),
        };
        let _turn = self.turn(tenant, customer_id).await;
        let mut transaction = self.database.begin().await?;
        let known = customer::lock(&mut transaction, tenant, customer_id, &self.clock).await?;
        let at = known.ledger_at;
        let earlier = request::find(&mut transaction, tenant, customer_id, &request_key, at).await?;
        let repeated = earlier.as_ref().map(|earlier| earlier.decision_id.as_str());
        let (mut ledger, facts) = open(&mut Source::Within(&mut transaction), call, known, repeated).await?;
        if let Some(earlier) = earlier {
            let consent = channel.map(|channel| judge_consent(channel, &question.fields, &facts.consents));
            if consent.is_none_or(|consent| consent.refusal.is_none()) {
                save(&mut transaction, tenant, customer_id, ledger).await?;
                transaction.commit().await?;
                return Ok(ReserveAnswer::Repeated(earlier.response));
            }
            // The customer withdrew after the first call: what it held is given back, and the refusal is the answer.
            ledger.release(&earlier.decision_id, None);
            request::forget(&mut transaction, tenant, customer_id, &request_key).await?;
        }
        let until = at + reservation_ttl(channel);
        let asked = asked(call, question.now, Scrutiny::Full);
        let judgement = judge(&asked, &facts, Slots { limit: order.limit, until });
        let granted = judgement.granted.iter().filter_map(|place| question.candidates.get(*place));
        let mut grants = Vec::with_capacity(judgement.granted.len());
        for (rank, candidate) in (1..).zip(granted) {
            ledger.add(Contact {
                reserved_until: Some(until),
                ..new_contact(order.decision_id, rank, candidate, channel, at)
            });
            grants.push(Grant { offer_id: candidate.offer_id.clone(), rank, reserved_until: until });
        }
        let is_granted = !grants.is_empty();
        let reserved = Reserved { judgement, grants, decision_id: order.decision_id.to_owned() };
        save(&mut transaction, tenant, customer_id, ledger).await.map_err(|error| match error {
            // A decision reserves once; this one did so for a request that is not this one, or is forgotten.
            DatabaseError::Conflict(_) if is_granted => StoreError::DecisionUsed(order.decision_id.to_owned()),
            other => other.into(),
        })?;
        // A refusal is not kept: a repeat may come when it no longer holds.
        if is_granted {
            let kept =
                request::Earlier { decision_id: reserved.decision_id.clone(), response: (order.encode)(&reserved) };
            request::keep(&mut transaction, tenant, customer_id, &request_key, &kept, at).await?;
        }
        transaction.commit().await?;
        Ok(ReserveAnswer::Judged(reserved))
    }

    /// Judges like [`Self::reserve`] and writes nothing.
    pub async fn check(&self, call: &Call<'_>) -> Result<Judgement, StoreError> {
        let Call { tenant, channel, question, .. } = *call;
        let mut source = Source::Outside(&self.database);
        // First what was applied, then the rest: an outcome delivered in between is counted twice rather than never.
        let known = customer::read(&mut source, tenant, &question.customer_id, &self.clock).await?;
        let (_, facts) = open(&mut source, call, known, None).await?;
        let slots = Slots { limit: usize::MAX, until: facts.ledger_at + reservation_ttl(channel) };
        Ok(judge(&asked(call, question.now, Scrutiny::Full), &facts, slots))
    }

    /// What policies have to go by for a customer, whatever the offer. Outcomes not yet delivered are not known here.
    pub async fn facts(
        &self,
        tenant: &str,
        configuration: &Configuration,
        customer_id: &str,
    ) -> Result<Facts, DatabaseError> {
        let mut source = Source::Outside(&self.database);
        let known = customer::read(&mut source, tenant, customer_id, &self.clock).await?;
        let question = Question {
            customer_id: customer_id.to_owned(),
            channel: String::new(),
            now: known.ledger_at,
            fields: Fields::new(),
            candidates: Vec::new(),
            pending: Vec::new(),
            as_of: None,
        };
        let call = Call { tenant, configuration, channel: None, question: &question };
        Ok(open(&mut source, &call, known, None).await?.1)
    }

    /// Judges a contact again, at the ledger instant, and commits it. Caps are not asked again while its slot is held.
    pub async fn commit(
        &self,
        call: &Call<'_>,
        candidate: &Candidate,
        decision_id: &str,
        rank: i64,
    ) -> Result<Committed, StoreError> {
        let Call { tenant, channel, question, .. } = *call;
        let customer_id = question.customer_id.as_str();
        let _turn = self.turn(tenant, customer_id).await;
        let mut transaction = self.database.begin().await?;
        let known = customer::lock(&mut transaction, tenant, customer_id, &self.clock).await?;
        let at = known.ledger_at;
        let (mut ledger, mut facts) =
            open(&mut Source::Within(&mut transaction), call, known, Some(decision_id)).await?;
        let mut is_held = false;
        if let Some(contact) = ledger.find(decision_id, rank) {
            if contact.offer.offer_id != candidate.offer_id || contact.channel.id != ChannelRef::of(channel).id {
                let (offer_id, channel) = (contact.offer.offer_id.clone(), contact.channel.name.clone());
                return Err(StoreError::OtherContact { offer_id, channel });
            }
            if contact.state == State::Committed {
                let contact_id = contact.contact_id.clone();
                save(&mut transaction, tenant, customer_id, ledger).await?;
                transaction.commit().await?;
                return Ok(Committed::Go(contact_id));
            }
            is_held = contact.is_live(at);
            // A contact does not stand in its own way.
            facts.contacts.retain(|fact| fact.contact_id != contact.contact_id);
        }
        let scrutiny = if is_held { Scrutiny::SlotHeld } else { Scrutiny::Full };
        let judgement = judge(&asked(call, at, scrutiny), &facts, Slots { limit: 1, until: at });
        let refused = judgement.verdicts.into_iter().next().and_then(|verdict| verdict.refusal);
        let committed = match judgement.refusal.or(refused) {
            None => Committed::Go(
                ledger.commit(decision_id, rank, || new_contact(decision_id, rank, candidate, channel, at)),
            ),
            Some(refusal) => {
                if is_held && refusal.code.gives_back() {
                    ledger.release(decision_id, Some(rank));
                }
                Committed::NoGo(refusal)
            }
        };
        save(&mut transaction, tenant, customer_id, ledger).await?;
        transaction.commit().await?;
        Ok(committed)
    }

    /// Gives a decision's live slots back, all or that of one rank; says how many.
    pub async fn release(
        &self,
        tenant: &str,
        customer_id: &str,
        decision_id: &str,
        rank: Option<i64>,
    ) -> Result<usize, DatabaseError> {
        let _turn = self.turn(tenant, customer_id).await;
        let mut transaction = self.database.begin().await?;
        let known = customer::lock_known(&mut transaction, tenant, customer_id, &self.clock).await?;
        let Some(known) = known else { return Ok(0) };
        let decisions = BTreeSet::from([decision_id.to_owned()]);
        let source = &mut Source::Within(&mut transaction);
        let contacts = contact::of_decisions(source, tenant, customer_id, &decisions).await?;
        let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, contacts);
        let released = ledger.release(decision_id, rank);
        save(&mut transaction, tenant, customer_id, ledger).await?;
        transaction.commit().await?;
        Ok(released)
    }

    /// Applies outcomes, each once, in the order of each customer. Customers are locked in id order.
    pub async fn deliver(&self, tenant: &str, channels: &[Channel], outcomes: &[Outcome]) -> Result<(), DatabaseError> {
        let mut by_customer: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
        for outcome in outcomes {
            by_customer.entry(&outcome.customer_id).or_default().push(outcome);
        }
        let mut waiting = by_customer.into_iter().peekable();
        while waiting.peek().is_some() {
            let mut transaction = self.database.begin().await?;
            let mut applied = 0;
            while applied < DELIVERY_BATCH
                && let Some((customer_id, outcomes)) = waiting.next()
            {
                applied += outcomes.len();
                let known = customer::lock(&mut transaction, tenant, customer_id, &self.clock).await?;
                let source = &mut Source::Within(&mut transaction);
                let contacts = match wanted(&outcomes) {
                    Some(wanted) => contact::read_all(source, tenant, customer_id, &wanted).await?.0,
                    None => Vec::new(),
                };
                let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, contacts);
                apply(&mut ledger, channels, outcomes);
                save(&mut transaction, tenant, customer_id, ledger).await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// The ledger with the pending outcomes applied, and the facts that follow.
async fn open(
    source: &mut Source<'_>,
    call: &Call<'_>,
    known: Customer,
    decision_id: Option<&str>,
) -> Result<(Ledger, Facts), DatabaseError> {
    let Call { tenant, configuration, channel, question } = *call;
    let customer_id = question.customer_id.as_str();
    let now = question.as_of.unwrap_or(known.ledger_at);
    let contact_window = configuration.contact_window();
    let pending: Vec<_> = question.pending.iter().collect();
    let of_pending = wanted(&pending);
    let (mut contacts, mut are_contacts_cut) = (Vec::new(), false);
    if contact_window.is_some() || of_pending.is_some() || decision_id.is_some() {
        let mut wanted = of_pending.unwrap_or_default();
        wanted.committed_after = contact_window.map(|window| now - window);
        wanted.expired_after = question.as_of;
        wanted.decisions.extend(decision_id.map(str::to_owned));
        (contacts, are_contacts_cut) = contact::read_all(source, tenant, customer_id, &wanted).await?;
    }
    let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, contacts);
    apply(&mut ledger, &configuration.channels, pending);
    let (mut outcomes, mut are_outcomes_cut) = (Vec::new(), false);
    if let Some((keys, window)) = configuration.outcome_window() {
        let (after, until) = (now - window, question.as_of);
        (outcomes, are_outcomes_cut) = outcome::read_all(source, tenant, customer_id, &keys, after, until).await?;
        let new = ledger.new_outcomes().iter().filter(|outcome| until.is_none_or(|until| outcome.at <= until));
        outcomes.extend(new.map(|outcome| outcome.fact()));
    }
    let mut consents = Vec::new();
    if let Some(channel) = channel {
        consents.extend(consent::deciding(source, tenant, customer_id, channel).await?.map(|record| record.fact()));
        let new = ledger.new_consents().iter().filter(|record| record.speaks_for(channel));
        consents.extend(new.map(|record| record.fact()));
    }
    let contacts = if contact_window.is_some() { ledger.contact_facts(question.as_of) } else { Vec::new() };
    Ok((ledger, Facts { ledger_at: now, contacts, outcomes, consents, are_contacts_cut, are_outcomes_cut }))
}

/// The contacts some outcomes may be about; none when they are about none.
fn wanted(outcomes: &[&Outcome]) -> Option<Wanted> {
    let about = || outcomes.iter().filter(|outcome| outcome.counts_as_contact || outcome.releases);
    let named = about().filter(|outcome| !outcome.decision_id.is_empty() && outcome.rank > 0);
    let decisions = named.map(|outcome| outcome.decision_id.clone()).collect();
    about().next().map(|_| Wanted { decisions, ..Wanted::default() })
}

fn apply(ledger: &mut Ledger, channels: &[Channel], mut outcomes: Vec<&Outcome>) {
    outcomes.sort_by_key(|outcome| outcome.customer_seq);
    for outcome in outcomes {
        ledger.apply(outcome, channels, new_contact_id);
    }
}

/// Writes what changed in a customer's ledger.
async fn save(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    ledger: Ledger,
) -> Result<(), DatabaseError> {
    let (at, applied_seq, has_lapsed) = (ledger.at(), ledger.applied_seq(), ledger.has_lapsed());
    if has_lapsed {
        contact::expire(transaction, tenant, customer_id, at).await?;
    }
    let changes = ledger.changes();
    for contact in &changes.contacts {
        if contact.is_unreserved {
            tracing::info!(contact.id = %contact.contact_id, "contact reported without a live reservation");
        }
        contact::write(transaction, tenant, customer_id, contact).await?;
    }
    for outcome in &changes.outcomes {
        outcome::write(transaction, tenant, customer_id, outcome).await?;
    }
    for record in &changes.consents {
        consent::write(transaction, tenant, customer_id, record, at).await?;
    }
    customer::save(transaction, tenant, customer_id, at, applied_seq).await
}

fn asked<'a>(call: &Call<'a>, at: DateTime<Utc>, scrutiny: Scrutiny) -> Asked<'a> {
    let Call { configuration, channel, question, .. } = *call;
    Asked { configuration, channel, at, fields: &question.fields, candidates: &question.candidates, scrutiny }
}

fn new_contact(
    decision_id: &str,
    rank: i64,
    candidate: &Candidate,
    channel: Option<&Channel>,
    at: DateTime<Utc>,
) -> Contact {
    Contact {
        contact_id: new_contact_id(),
        decision_id: decision_id.to_owned(),
        rank,
        offer: candidate.clone(),
        channel: ChannelRef::of(channel),
        state: State::Reserved,
        created_at: at,
        reserved_at: Some(at),
        reserved_until: Some(at),
        committed_at: None,
        is_unreserved: false,
    }
}

fn new_contact_id() -> String {
    format!("con_{}", uuid::Uuid::now_v7().simple())
}
