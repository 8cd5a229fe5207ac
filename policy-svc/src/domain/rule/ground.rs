//! The facts that one policy may use: of everything known, only what its kind reads.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::history::ContactHistory;
use crate::domain::{
    facts::{Facts, OutcomeFact},
    question::{FieldValue, Fields},
    scope::Scope,
    shared_use::{Limits, Used},
    zone::ZoneUnknown,
};

/// The facts that a kind judges by, beside the clock and the customer's zones.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reads<'a> {
    /// Contacts of this age, and all live reservations; `None` reads neither.
    pub contacts: Option<TimeDelta>,
    /// Outcomes of these keys, up to this age.
    pub outcomes: Option<(&'a BTreeSet<String>, TimeDelta)>,
    /// Fields of the customer's record, without `customer.`.
    pub fields: &'a [String],
    /// What all customers together have used under these limits.
    pub shared_use: Option<&'a Limits>,
}

/// Everything known when a customer is judged.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The customer's history.
    pub facts: &'a Facts,
    /// The customer's record.
    pub fields: &'a Fields,
    /// The customer's zones.
    pub zones: &'a Result<Vec<Tz>, ZoneUnknown>,
    /// The instant at which the wall clock is read.
    pub at: DateTime<Utc>,
    /// True while a slot is held: caps were evaluated when it was reserved.
    pub is_slot_held: bool,
}

/// The part of the evidence that a policy's kind reads.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// What the policy looks at and refuses.
    pub scope: &'a Scope,
    /// The customer's contacts.
    pub contacts: ContactHistory<'a>,
    /// The customer's outcomes.
    pub outcomes: OutcomeHistory<'a>,
    /// The customer's record.
    pub fields: ReadFields<'a>,
    /// What all customers have used; `None` when the kind does not read it or it is not known.
    pub used: Option<&'a Used>,
    /// The customer's zones.
    pub zones: &'a Result<Vec<Tz>, ZoneUnknown>,
    /// The instant at which the wall clock is read.
    pub at: DateTime<Utc>,
    /// True while a slot is held: caps were evaluated when it was reserved.
    pub is_slot_held: bool,
}

impl<'a> Ground<'a> {
    /// What a policy of this id and scope reads.
    pub fn new(
        policy_id: &str,
        scope: &'a Scope,
        reads: Reads<'a>,
        evidence: Evidence<'a>,
    ) -> Self {
        let facts = evidence.facts;
        Self {
            scope,
            contacts: ContactHistory::of(facts, reads.contacts),
            outcomes: OutcomeHistory { facts, reads: reads.outcomes },
            fields: ReadFields { fields: evidence.fields, names: reads.fields },
            used: reads.shared_use.and_then(|_| facts.budgets.get(policy_id)),
            zones: evidence.zones,
            at: evidence.at,
            is_slot_held: evidence.is_slot_held,
        }
    }
}

/// The fields of the customer's record that a kind reads.
#[derive(Clone, Copy, Debug)]
pub struct ReadFields<'a> {
    fields: &'a Fields,
    names: &'a [String],
}

impl<'a> ReadFields<'a> {
    /// The value of a field; `None` when it is missing or the kind does not read it.
    pub fn get(&self, name: &str) -> Option<&'a FieldValue> {
        let is_read = self.names.iter().any(|read| read == name);
        if is_read { self.fields.get(name) } else { None }
    }
}

/// The outcomes that a kind reads.
#[derive(Clone, Copy, Debug)]
pub struct OutcomeHistory<'a> {
    facts: &'a Facts,
    reads: Option<(&'a BTreeSet<String>, TimeDelta)>,
}

impl<'a> OutcomeHistory<'a> {
    /// Those in a scope.
    pub fn within(&self, scope: &Scope) -> impl Iterator<Item = &'a OutcomeFact> {
        let Self { facts, reads } = *self;
        let is_read = move |outcome: &&OutcomeFact| {
            reads.is_some_and(|(keys, age)| {
                keys.contains(&outcome.key) && outcome.at > facts.ledger_at - age
            })
        };
        facts.outcomes.iter().filter(is_read).filter(move |outcome| scope.matches(&outcome.subject))
    }

    /// True when there are more than could be read.
    pub fn is_cut(&self) -> bool {
        self.reads.is_some() && self.facts.are_outcomes_cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts::{ContactFact, Standing, Subject};

    /// A kind that reads more than it says finds nothing there, live or in a replay.
    #[test]
    fn a_kind_gets_nothing_but_what_it_reads() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let (hour, day) = (TimeDelta::hours(1), TimeDelta::days(1));
        let contact = |standing| ContactFact {
            contact_id: String::new(),
            subject: Subject::default(),
            standing,
        };
        let outcome = |key: &str, ago| OutcomeFact {
            key: key.to_owned(),
            at: now - ago,
            subject: Subject::default(),
        };
        let facts = Facts {
            ledger_at: now,
            contacts: vec![
                contact(Standing::Committed(now - day)),
                contact(Standing::Committed(now - hour)),
                contact(Standing::Reserved(now + hour)),
            ],
            outcomes: vec![outcome("click", hour), outcome("click", day), outcome("open", hour)],
            budgets: [("pol".to_owned(), Used::default())].into(),
            are_contacts_cut: true,
            are_outcomes_cut: true,
            ..Facts::default()
        };
        let fields = ["tier", "age"].map(|name| (name.to_owned(), FieldValue::Boolean(true)));
        let (fields, zones, scope) = (Fields::from(fields), Ok(Vec::new()), Scope::default());
        let evidence = Evidence {
            facts: &facts,
            fields: &fields,
            zones: &zones,
            at: now,
            is_slot_held: false,
        };
        let check = |reads: Reads<'_>, contacts: usize, outcomes: usize, read: [bool; 5]| {
            let ground = Ground::new("pol", &scope, reads, evidence);
            assert_eq!(ground.contacts.within(&scope).count(), contacts, "{reads:?}");
            assert_eq!(ground.outcomes.within(&scope).count(), outcomes, "{reads:?}");
            let [tier, age] = ["tier", "age"].map(|name| ground.fields.get(name).is_some());
            let cut = (ground.contacts.is_cut(), ground.outcomes.is_cut());
            assert_eq!([cut.0, cut.1, tier, age, ground.used.is_some()], read, "{reads:?}");
        };
        let (keys, tier) = (BTreeSet::from(["click".to_owned()]), ["tier".to_owned()]);
        let window = crate::domain::rule::window::Window::Days(1);
        let limits = Limits { window, contacts_max: Some(1), spend_max: None };
        let none = Reads::default();
        check(none, 0, 0, [false; 5]);
        let reads = Reads { contacts: Some(day), ..none };
        check(reads, 2, 0, [true, false, false, false, false]);
        let reads = Reads { outcomes: Some((&keys, day)), ..none };
        check(reads, 0, 1, [false, true, false, false, false]);
        let reads = Reads { fields: &tier, ..none };
        check(reads, 0, 0, [false, false, true, false, false]);
        let reads = Reads { shared_use: Some(&limits), ..none };
        check(reads, 0, 0, [false, false, false, false, true]);
    }
}
