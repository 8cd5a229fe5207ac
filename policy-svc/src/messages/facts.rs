//! Converts the facts of a judgment to proto and back. decision-svc stores them for replays.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use proffer_proto::policy::v1 as proto;
use serve::from_micros;

use super::instant;
use crate::domain::{
    Faults,
    facts::{ConsentFact, ContactFact, Facts, OutcomeFact, Standing, Subject},
    shared_use::Used,
};

/// The facts, with the customer fields that were read beside them.
pub fn recorded(
    facts: &Facts,
    fields_read: impl IntoIterator<Item = String>,
) -> proto::ContactFacts {
    let mut subjects = Subjects::default();
    let contact = |fact: &ContactFact| {
        let (reserved, at) = match fact.standing {
            Standing::Committed(at) => (false, at),
            Standing::Reserved(until) => (true, until),
        };
        (reserved, at.timestamp_micros())
    };
    let contacts = facts.contacts.iter().map(|fact| {
        let (reserved, at_us) = contact(fact);
        proto::ContactStanding { subject: subjects.place(&fact.subject), reserved, at_us }
    });
    let contacts = contacts.collect();
    let outcomes = facts.outcomes.iter().map(|fact| {
        let (subject, at_us) = (subjects.place(&fact.subject), fact.at.timestamp_micros());
        proto::OutcomeStanding { subject, key: fact.key.clone(), at_us }
    });
    let outcomes = outcomes.collect();
    let consent = |fact: &ConsentFact| proto::ConsentStanding {
        granted: fact.is_grant,
        at_us: fact.at.timestamp_micros(),
    };
    proto::ContactFacts {
        ledger_at: Some(history::timestamp(facts.ledger_at)),
        contacts,
        outcomes,
        consents: facts.consents.iter().map(consent).collect(),
        budgets: facts.budgets.iter().map(|(policy_id, used)| budget(policy_id, used)).collect(),
        contacts_cut: facts.are_contacts_cut,
        outcomes_cut: facts.are_outcomes_cut,
        fields_read: fields_read.into_iter().collect(),
        subjects: subjects.told,
    }
}

/// Subjects in the order in which they are first named.
#[derive(Default)]
struct Subjects<'a> {
    places: HashMap<&'a Subject, i32>,
    told: Vec<proto::FactSubject>,
}

impl<'a> Subjects<'a> {
    fn place(&mut self, subject: &'a Subject) -> i32 {
        let next = i32::try_from(self.told.len()).unwrap_or(i32::MAX);
        let place = *self.places.entry(subject).or_insert(next);
        if place == next {
            self.told.push(proto::FactSubject {
                offer: Some(proto::OfferSubject {
                    offer_id: subject.offer_id.clone(),
                    category: subject.category_folded.clone(),
                    category_id: subject.category_id.clone(),
                    subcategory: subject.subcategory_folded.clone(),
                    purpose: String::new(),
                    cost_ten_thousandths: subject.cost,
                }),
                channel_id: subject.channel_id.clone(),
                channel: subject.channel_folded.clone(),
            });
        }
        place
    }
}

fn budget(policy_id: &str, used: &Used) -> proto::BudgetUse {
    let leave = |(at, cost): &(DateTime<Utc>, i64)| proto::BudgetLeave {
        at_us: at.timestamp_micros(),
        cost: *cost,
    };
    proto::BudgetUse {
        policy_id: policy_id.to_owned(),
        contacts: used.contacts,
        reserved: used.reserved,
        spend: used.spend,
        leaving: used.leaving.iter().map(leave).collect(),
    }
}

/// The recorded facts, or all faults.
pub fn facts(told: proto::ContactFacts) -> Result<Facts, Faults> {
    let mut faults = Faults::new();
    let ledger_at = told.ledger_at.as_ref().map_or_else(|| Err("is required".to_owned()), instant);
    let ledger_at = ledger_at.unwrap_or_else(|message| {
        faults.push(("facts.ledger_at".to_owned(), message));
        DateTime::<Utc>::default()
    });
    let subjects: Vec<_> = told.subjects.into_iter().map(subject).collect();
    let mut about = |list: &str, index: usize, place: i32| {
        let subject = usize::try_from(place).ok().and_then(|place| subjects.get(place)).cloned();
        subject.unwrap_or_else(|| {
            let message =
                format!("is {place}; it must be the index of one of {} subjects", subjects.len());
            faults.push((format!("facts.{list}[{index}].subject"), message));
            Subject::default()
        })
    };
    let contact = |(index, told): (usize, proto::ContactStanding)| {
        let at = from_micros(told.at_us);
        let standing = if told.reserved { Standing::Reserved(at) } else { Standing::Committed(at) };
        ContactFact {
            contact_id: String::new(),
            subject: about("contacts", index, told.subject),
            standing,
        }
    };
    let contacts = told.contacts.into_iter().enumerate().map(contact).collect();
    let outcome = |(index, told): (usize, proto::OutcomeStanding)| {
        let subject = about("outcomes", index, told.subject);
        OutcomeFact { key: told.key, at: from_micros(told.at_us), subject }
    };
    let outcomes = told.outcomes.into_iter().enumerate().map(outcome).collect();
    let consent = |told: proto::ConsentStanding| ConsentFact {
        is_grant: told.granted,
        at: from_micros(told.at_us),
    };
    let consents = told.consents.into_iter().map(consent).collect();
    let budgets =
        told.budgets.into_iter().map(|told| (told.policy_id.clone(), used(told))).collect();
    let (are_contacts_cut, are_outcomes_cut) = (told.contacts_cut, told.outcomes_cut);
    let facts = Facts {
        ledger_at,
        contacts,
        outcomes,
        consents,
        budgets,
        are_contacts_cut,
        are_outcomes_cut,
    };
    if faults.is_empty() { Ok(facts) } else { Err(faults) }
}

fn subject(told: proto::FactSubject) -> Subject {
    let offer = told.offer.unwrap_or_default();
    Subject {
        offer_id: offer.offer_id,
        category_folded: offer.category,
        category_id: offer.category_id,
        subcategory_folded: offer.subcategory,
        channel_id: told.channel_id,
        channel_folded: told.channel,
        cost: offer.cost_ten_thousandths,
    }
}

fn used(told: proto::BudgetUse) -> Used {
    let leaving =
        told.leaving.into_iter().map(|leave| (from_micros(leave.at_us), leave.cost)).collect();
    Used { contacts: told.contacts, reserved: told.reserved, spend: told.spend, leaving }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_as_they_went() {
        let at = |second: i64| DateTime::from_timestamp(second, 1_000).unwrap();
        let about = |offer: &str| Subject { offer_id: offer.into(), cost: 7, ..Subject::default() };
        let contact = |offer: &str, standing| ContactFact {
            contact_id: String::new(),
            subject: about(offer),
            standing,
        };
        let facts = Facts {
            ledger_at: at(9),
            contacts: vec![
                contact("a", Standing::Committed(at(1))),
                contact("b", Standing::Reserved(at(2))),
                contact("a", Standing::Committed(at(3))),
            ],
            outcomes: vec![OutcomeFact { key: "click".into(), at: at(4), subject: about("b") }],
            consents: vec![ConsentFact { is_grant: true, at: at(5) }],
            budgets: [(
                "pol".to_owned(),
                Used { contacts: 3, reserved: 1, spend: 21, leaving: vec![(at(6), 7)] },
            )]
            .into(),
            are_contacts_cut: true,
            are_outcomes_cut: false,
        };
        let sent = recorded(&facts, ["timezone".to_owned()]);
        assert_eq!(
            (sent.subjects.len(), sent.fields_read.as_slice()),
            (2, ["timezone".to_owned()].as_slice())
        );
        assert_eq!(super::facts(sent).unwrap(), facts);
    }

    #[test]
    fn a_subject_that_is_not_there_is_named() {
        let contact = proto::ContactStanding { subject: 1, reserved: false, at_us: 0 };
        let told = proto::ContactFacts {
            contacts: vec![contact],
            subjects: vec![Default::default()],
            ..Default::default()
        };
        let expected = [
            ("facts.ledger_at".to_owned(), "is required".to_owned()),
            (
                "facts.contacts[0].subject".to_owned(),
                "is 1; it must be the index of one of 1 subjects".to_owned(),
            ),
        ];
        assert_eq!(facts(told).unwrap_err(), expected);
    }
}
