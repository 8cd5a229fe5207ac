//! Reserve, check, commit, release, and the outcomes that come in: what each makes of what is known
//! of a customer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use database::{DatabaseError, Source};
use futures::future::try_join_all;

use super::{
    Store, StoreError, budget,
    change::Change,
    known::{self, Known, Wanted},
    new_id,
    request::Earlier,
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

/// A question with what it is judged by.
#[derive(Clone, Debug)]
pub struct Call {
    /// Whose customer.
    pub tenant: String,
    /// The rules.
    pub configuration: Arc<Configuration>,
    /// Refuse to judge by rules that are not the newest: [`StoreError::Reconfigured`].
    pub is_newest_wanted: bool,
    /// Who, when, what.
    pub question: Arc<Question>,
}

impl Call {
    /// The channel the question names; none skips channel rules.
    pub fn channel(&self) -> Option<&Channel> {
        let named = Some(self.question.channel.as_str()).filter(|named| !named.is_empty());
        named.and_then(|named| self.configuration.channel(named))
    }

    /// What has to be known to judge, with the contacts of `decision_id` when it is not empty.
    fn wanted(&self, decision_id: &str) -> Wanted {
        let mut decisions = named_decisions(&self.question.pending);
        decisions.extend(Some(decision_id.to_owned()).filter(|id| !id.is_empty()));
        let outcomes = self.configuration.outcome_window();
        Wanted {
            tenant: self.tenant.clone(),
            customer_id: self.question.customer_id.clone(),
            request_key: String::new(),
            contacts_within: self.configuration.contact_window(),
            decisions,
            outcomes_within: outcomes
                .map(|(keys, window)| (keys.into_iter().map(str::to_owned).collect(), window)),
            channel: self.channel().cloned(),
            budgets: budgets(&self.configuration),
            as_of: self.question.as_of,
        }
    }

    /// The ledger with the pending outcomes applied, and the facts that follow.
    fn open(&self, known: Known) -> Result<(Ledger, Facts), StoreError> {
        if self.is_newest_wanted && known.revision != self.configuration.revision {
            return Err(StoreError::Reconfigured);
        }
        let as_of = self.question.as_of;
        let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, known.contacts);
        apply(
            &mut ledger,
            known.version,
            &self.configuration.channels,
            self.question.pending.iter().collect(),
        );
        let mut outcomes = known.outcomes;
        if let Some((keys, _)) = self.configuration.outcome_window() {
            let new =
                ledger.new_outcomes().iter().filter(|outcome| keys.contains(outcome.key.as_str()));
            let new = new.filter(|outcome| as_of.is_none_or(|until| outcome.at <= until));
            outcomes.extend(new.map(|outcome| outcome.fact()));
        }
        let mut consents: Vec<_> = known.consent.iter().map(|record| record.fact()).collect();
        if let Some(channel) = self.channel() {
            let new = ledger.new_consents().iter().filter(|record| record.speaks_for(channel));
            consents.extend(new.map(|record| record.fact()));
        }
        let counts_contacts = self.configuration.contact_window().is_some();
        let contacts = if counts_contacts { ledger.contact_facts(as_of) } else { Vec::new() };
        let (are_contacts_cut, are_outcomes_cut) = (known.are_contacts_cut, known.are_outcomes_cut);
        let ledger_at = as_of.unwrap_or(known.ledger_at);
        let budgets = known.budgets;
        Ok((
            ledger,
            Facts {
                ledger_at,
                contacts,
                outcomes,
                consents,
                budgets,
                are_contacts_cut,
                are_outcomes_cut,
            },
        ))
    }

    /// Judges by these facts alone, for so many slots; for as many as pass without.
    pub fn evaluate(&self, facts: &Facts, limit: Option<usize>) -> Judgement {
        let until = facts.ledger_at + reservation_ttl(self.channel());
        let slots = Slots { limit: limit.unwrap_or(usize::MAX), until };
        judge(&self.asked(self.question.now, Scrutiny::Full), facts, slots)
    }

    fn basis(&self, facts: Facts) -> Basis {
        Basis {
            facts,
            fields_read: self.configuration.fields_read(self.channel(), &self.question.fields),
        }
    }

    fn asked(&self, at: DateTime<Utc>, scrutiny: Scrutiny) -> Asked<'_> {
        let (configuration, channel) = (self.configuration.as_ref(), self.channel());
        Asked {
            configuration,
            channel,
            at,
            fields: &self.question.fields,
            candidates: &self.question.candidates,
            scrutiny,
        }
    }
}

/// Slots that are wanted.
#[derive(Clone, Debug)]
pub struct Order {
    /// The decision that will hold them.
    pub decision_id: String,
    /// Makes a repeat; empty: the decision's id does.
    pub request_id: String,
    /// Most slots.
    pub limit: usize,
    /// Encodes the answer as it is kept for repeats.
    pub encode: fn(&Reserved) -> Vec<u8>,
}

impl Order {
    fn request_key(&self) -> String {
        match self.request_id.as_str() {
            "" => format!("decision:{}", self.decision_id),
            request_id => format!("request:{request_id}"),
        }
    }
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

/// What a judgement rests on beside configuration and question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// What was known of the customer.
    pub facts: Facts,
    /// Customer fields the judgement may read.
    pub fields_read: BTreeSet<String>,
}

/// What was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The judgement.
    pub judgement: Judgement,
    /// What it was judged by.
    pub basis: Basis,
    /// The slots, in ranking order.
    pub grants: Vec<Grant>,
    /// The decision that holds them.
    pub decision_id: String,
}

/// A reservation, or the answer an earlier call of the same request had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReserveAnswer {
    /// Judged now.
    Judged(Box<Reserved>),
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
    pub async fn reserve(&self, call: Call, order: Order) -> Result<ReserveAnswer, StoreError> {
        let wanted = Wanted { request_key: order.request_key(), ..call.wanted("") };
        let decision_id = order.decision_id.clone();
        self.write(wanted, move |known| reserve(&call, &order, known)).await.map_err(|error| {
            match error {
                // A decision reserves once; this one did so for a request that is not this one, or
                // is forgotten.
                StoreError::Database(DatabaseError::Conflict(_)) => {
                    StoreError::DecisionUsed(decision_id)
                }
                other => other,
            }
        })
    }

    /// Judges like [`Self::reserve`] and writes nothing.
    pub async fn check(&self, call: &Call) -> Result<(Judgement, Basis), StoreError> {
        check(call, self.read(call).await?)
    }

    /// Judges several questions of one tenant by one configuration, each like [`Self::check`]:
    /// their customers are read together, and so are the budgets. One answer per question, in their
    /// order.
    pub async fn check_all(
        &self,
        calls: &[Call],
    ) -> Result<Vec<Result<(Judgement, Basis), StoreError>>, StoreError> {
        let Some(first) = calls.first() else { return Ok(Vec::new()) };
        let source = &mut Source::Outside(&self.database);
        let wanted: Vec<_> = calls.iter().map(|call| call.wanted("")).collect();
        let known = known::read(source, wanted.iter(), &self.clock).await?;
        let budgets =
            budget::read(source, &first.tenant, &first.configuration, &self.clock).await?;
        let checked = |(call, known): (&Call, Known)| {
            check(call, Known { budgets: budgets.clone(), ..known })
        };
        Ok(calls.iter().zip(known).map(checked).collect())
    }

    /// What policies have to go by for a customer, whatever the offer. Outcomes not yet delivered
    /// are not known here.
    pub async fn facts(
        &self,
        tenant: &str,
        configuration: Arc<Configuration>,
        customer_id: &str,
    ) -> Result<Facts, StoreError> {
        let question = Question {
            customer_id: customer_id.to_owned(),
            channel: String::new(),
            now: self.clock.now(),
            fields: Fields::new(),
            candidates: Vec::new(),
            pending: Vec::new(),
            as_of: None,
        };
        let (tenant, question) = (tenant.to_owned(), Arc::new(question));
        let call = Call { tenant, configuration, is_newest_wanted: false, question };
        Ok(call.open(self.read(&call).await?)?.1)
    }

    async fn read(&self, call: &Call) -> Result<Known, DatabaseError> {
        let source = &mut Source::Outside(&self.database);
        let mut known = known::one(source, &call.wanted(""), &self.clock).await?;
        known.budgets =
            budget::read(source, &call.tenant, &call.configuration, &self.clock).await?;
        Ok(known)
    }

    /// Judges the contact of the question's first candidate again, at the ledger instant, and
    /// commits it. Caps are not asked again while its slot is held.
    pub async fn commit(
        &self,
        call: Call,
        decision_id: String,
        rank: i64,
    ) -> Result<Committed, StoreError> {
        self.write(call.wanted(&decision_id), move |known| commit(&call, &decision_id, rank, known))
            .await
    }

    /// Gives a decision's live slots back, all or that of one rank; says how many.
    pub async fn release(
        &self,
        tenant: &str,
        configuration: &Arc<Configuration>,
        customer_id: &str,
        decision_id: String,
        rank: Option<i64>,
    ) -> Result<usize, StoreError> {
        let (tenant, customer_id) = (tenant.to_owned(), customer_id.to_owned());
        let decisions = BTreeSet::from([decision_id.clone()]);
        let budgets = budgets(configuration);
        let wanted = Wanted { tenant, customer_id, decisions, budgets, ..Wanted::default() };
        let judge = move |known: Known| {
            // Nobody is remembered for having been asked about.
            if known.version == 0 {
                return Ok((None, 0));
            }
            let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, known.contacts);
            let released = ledger.release(&decision_id, rank);
            Ok((Some(Change::of(known.version, ledger)), released))
        };
        self.write(wanted, judge).await
    }

    /// Applies outcomes, each once, in the order of each customer.
    pub async fn deliver(
        &self,
        tenant: &str,
        configuration: &Arc<Configuration>,
        outcomes: Vec<Outcome>,
    ) -> Result<(), StoreError> {
        let mut by_customer: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
        for outcome in outcomes {
            by_customer.entry(outcome.customer_id.clone()).or_default().push(outcome);
        }
        let writes = by_customer.into_iter().map(|(customer_id, outcomes)| {
            let (tenant, decisions) = (tenant.to_owned(), named_decisions(&outcomes));
            let budgets = budgets(configuration);
            let wanted = Wanted { tenant, customer_id, decisions, budgets, ..Wanted::default() };
            let configuration = configuration.clone();
            self.write(wanted, move |known: Known| {
                let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, known.contacts);
                apply(
                    &mut ledger,
                    known.version,
                    &configuration.channels,
                    outcomes.iter().collect(),
                );
                Ok((Some(Change::of(known.version, ledger)), ()))
            })
        });
        try_join_all(writes).await.map(drop)
    }
}

fn check(call: &Call, known: Known) -> Result<(Judgement, Basis), StoreError> {
    let (_, facts) = call.open(known)?;
    let judgement = call.evaluate(&facts, None);
    Ok((judgement, call.basis(facts)))
}

fn reserve(
    call: &Call,
    order: &Order,
    mut known: Known,
) -> Result<(Option<Change>, ReserveAnswer), StoreError> {
    let (version, at, earlier) = (known.version, known.ledger_at, known.earlier.take());
    let channel = call.channel();
    let (mut ledger, facts) = call.open(known)?;
    let mut forgotten = None;
    if let Some(earlier) = earlier {
        let consent =
            channel.map(|channel| judge_consent(channel, &call.question.fields, &facts.consents));
        if consent.is_none_or(|consent| consent.refusal.is_none()) {
            return Ok((
                Change::of(version, ledger).unless_empty(),
                ReserveAnswer::Repeated(earlier.response),
            ));
        }
        // The customer withdrew after the first call: what it held is given back, and the refusal
        // is the answer.
        ledger.release(&earlier.decision_id, None);
        forgotten = Some(order.request_key());
    }
    let until = at + reservation_ttl(channel);
    let judgement = call.evaluate(&facts, Some(order.limit));
    let granted = judgement.granted.iter().filter_map(|place| call.question.candidates.get(*place));
    let mut grants = Vec::with_capacity(judgement.granted.len());
    for (rank, candidate) in (1..).zip(granted) {
        ledger.add(Contact {
            reserved_until: Some(until),
            ..new_contact(version, &order.decision_id, rank, candidate, channel, at)
        });
        grants.push(Grant { offer_id: candidate.offer_id.clone(), rank, reserved_until: until });
    }
    let reserved = Reserved {
        judgement,
        basis: call.basis(facts),
        grants,
        decision_id: order.decision_id.clone(),
    };
    // A refusal is not kept: a repeat may come when it no longer holds.
    let kept = (!reserved.grants.is_empty()).then(|| {
        let earlier =
            Earlier { decision_id: order.decision_id.clone(), response: (order.encode)(&reserved) };
        (order.request_key(), earlier)
    });
    let change = Change { kept, forgotten, ..Change::of(version, ledger) };
    Ok((Some(change), ReserveAnswer::Judged(Box::new(reserved))))
}

fn commit(
    call: &Call,
    decision_id: &str,
    rank: i64,
    known: Known,
) -> Result<(Option<Change>, Committed), StoreError> {
    let (version, at, channel) = (known.version, known.ledger_at, call.channel());
    let candidate = call.question.candidates.first().cloned().unwrap_or_default();
    let (mut ledger, mut facts) = call.open(known)?;
    let mut is_held = false;
    if let Some(contact) = ledger.find(decision_id, rank) {
        if contact.offer.offer_id != candidate.offer_id
            || contact.channel.id != ChannelRef::of(channel).id
        {
            let (offer_id, channel) =
                (contact.offer.offer_id.clone(), contact.channel.name.clone());
            return Err(StoreError::OtherContact { offer_id, channel });
        }
        if contact.state == State::Committed {
            let contact_id = contact.contact_id.clone();
            return Ok((Change::of(version, ledger).unless_empty(), Committed::Go(contact_id)));
        }
        is_held = contact.is_live(at);
        // A contact does not stand in its own way.
        facts.contacts.retain(|fact| fact.contact_id != contact.contact_id);
    }
    let scrutiny = if is_held { Scrutiny::SlotHeld } else { Scrutiny::Full };
    let judgement = judge(&call.asked(at, scrutiny), &facts, Slots { limit: 1, until: at });
    let refused = judgement.verdicts.into_iter().next().and_then(|verdict| verdict.refusal);
    let committed = match judgement.refusal.or(refused) {
        None => Committed::Go(ledger.commit(decision_id, rank, || {
            new_contact(version, decision_id, rank, &candidate, channel, at)
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

fn budgets(configuration: &Arc<Configuration>) -> Option<Arc<Configuration>> {
    configuration.budgets().next().map(|_| configuration.clone())
}

/// The decisions whose contacts some outcomes may be about.
fn named_decisions(outcomes: &[Outcome]) -> BTreeSet<String> {
    let about = outcomes.iter().filter(|outcome| outcome.counts_as_contact || outcome.releases);
    let named = about.filter(|outcome| !outcome.decision_id.is_empty() && outcome.rank > 0);
    named.map(|outcome| outcome.decision_id.clone()).collect()
}

fn apply(ledger: &mut Ledger, version: i64, channels: &[Channel], mut outcomes: Vec<&Outcome>) {
    outcomes.sort_by_key(|outcome| outcome.customer_seq);
    let at = ledger.at();
    for (outcome, nth) in outcomes.into_iter().zip(0..) {
        ledger.apply(outcome, channels, || new_id("con", at, version, nth));
    }
}

fn new_contact(
    version: i64,
    decision_id: &str,
    rank: i64,
    candidate: &Candidate,
    channel: Option<&Channel>,
    at: DateTime<Utc>,
) -> Contact {
    Contact {
        contact_id: new_id("con", at, version, rank),
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
