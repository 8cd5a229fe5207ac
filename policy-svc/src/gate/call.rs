//! A question together with the configuration that answers it.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};

use super::{GateError, budgets, outcomes};
use crate::{
    domain::{
        channel::{Channel, reservation_ttl},
        configuration::Configuration,
        contact::{ChannelRef, Contact, State},
        facts::Facts,
        ledger::Ledger,
        question::{Candidate, Fields, Question},
        verdict::{Case, Judgment, Scrutiny, Slots, judge},
    },
    id::new_id,
    store::{CONTACTS_MAX, Known, OUTCOMES_MAX, Wanted},
};

/// A question with what it is judged by.
#[derive(Clone, Debug)]
pub struct Call {
    /// Whose customer.
    pub tenant: String,
    /// The rules.
    pub configuration: Arc<Configuration>,
    /// True to fail with [`GateError::Stale`] when there is a newer configuration.
    pub is_newest_wanted: bool,
    /// The customer, the instant and the candidates.
    pub question: Arc<Question>,
}

/// The inputs of a judgment beside configuration and question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The customer's history at the ledger instant.
    pub facts: Facts,
    /// Customer fields the judgment may read.
    pub fields_read: BTreeSet<String>,
}

impl Call {
    /// A question without channel or candidates, for what holds whatever the offer.
    pub(super) fn about(
        tenant: &str,
        configuration: Arc<Configuration>,
        customer_id: &str,
        now: DateTime<Utc>,
    ) -> Self {
        let question = Question {
            customer_id: customer_id.to_owned(),
            channel: String::new(),
            now,
            fields: Fields::new(),
            candidates: Vec::new(),
            pending: Vec::new(),
            as_of: None,
            policy_revision: None,
            flow_id: String::new(),
        };
        let (tenant, question) = (tenant.to_owned(), Arc::new(question));
        Self { tenant, configuration, is_newest_wanted: false, question }
    }

    /// The channel the question names; `None` when nobody is contacted.
    pub fn channel(&self) -> Option<&Channel> {
        let named = Some(self.question.channel.as_str()).filter(|named| !named.is_empty());
        named.and_then(|named| self.configuration.channel(named))
    }

    /// The rows that the judgment needs, with the contacts of `decision_id` when it is not empty.
    pub(super) fn wanted(&self, decision_id: &str) -> Wanted {
        let mut decisions = outcomes::named_decisions(&self.question.pending);
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
            has_pending: !self.question.pending.is_empty(),
            as_of: self.question.as_of,
        }
    }

    /// The ledger with the pending outcomes applied, and the facts that follow.
    pub(super) fn open(&self, known: Known) -> Result<(Ledger, Facts), GateError> {
        if self.is_newest_wanted && known.revision != self.configuration.revision {
            return Err(GateError::Stale);
        }
        let newest = self.configuration.revision;
        if self.question.policy_revision.is_some_and(|planned_with| planned_with < newest) {
            return Err(GateError::CallerBehind(newest));
        }
        let as_of = self.question.as_of;
        let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, known.contacts);
        let pending = self.question.pending.iter().collect();
        outcomes::apply(&mut ledger, known.version, &self.configuration.channels, pending);
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
        let budgets = self.configuration.budgets().filter_map(|(policy, limits)| {
            let counted = known.budgets.get(&policy.id)?;
            let used = counted.with(&policy.scope, limits, ledger.changed());
            Some((policy.id.clone(), used))
        });
        let budgets = budgets.collect();
        let are_contacts_cut = known.are_contacts_cut || ledger.contact_count() > CONTACTS_MAX;
        let are_outcomes_cut = known.are_outcomes_cut || outcomes.len() > OUTCOMES_MAX;
        let facts = Facts {
            ledger_at: as_of.unwrap_or(known.ledger_at),
            contacts: if counts_contacts { ledger.contact_facts(as_of) } else { Vec::new() },
            outcomes,
            consents,
            budgets,
            are_contacts_cut,
            are_outcomes_cut,
        };
        Ok((ledger, facts))
    }

    /// Judges by these facts alone. At most `limit` candidates get a slot; `None` is no limit.
    pub fn evaluate(&self, facts: &Facts, limit: Option<usize>) -> Judgment {
        let until = facts.ledger_at + reservation_ttl(self.channel());
        let slots = Slots { limit: limit.unwrap_or(usize::MAX), until };
        judge(&self.case(self.question.now, Scrutiny::Full), facts, slots)
    }

    pub(super) fn basis(&self, facts: Facts) -> Basis {
        let fields_read = self.configuration.fields_read(self.channel(), &self.question.fields);
        Basis { facts, fields_read }
    }

    pub(super) fn case(&self, at: DateTime<Utc>, scrutiny: Scrutiny) -> Case<'_> {
        Case {
            configuration: &self.configuration,
            channel: self.channel(),
            at,
            fields: &self.question.fields,
            candidates: &self.question.candidates,
            scrutiny,
        }
    }

    /// A reservation for a candidate; `version` is the one the judgment was based on.
    pub(super) fn new_contact(
        &self,
        version: i64,
        (decision_id, rank): (&str, i64),
        candidate: &Candidate,
        (at, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Contact {
        Contact {
            contact_id: new_id("con", at, version, rank),
            decision_id: decision_id.to_owned(),
            rank,
            offer: candidate.clone(),
            channel: ChannelRef::of(self.channel()),
            flow_id: self.question.flow_id.clone(),
            state: State::Reserved,
            created_at: at,
            reserved_at: Some(at),
            reserved_until: Some(until),
            committed_at: None,
            is_unreserved: false,
        }
    }
}
