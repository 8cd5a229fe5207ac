//! Every kind of the table, judged live and from recorded facts.

mod samples;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use samples::samples;

use crate::{
    domain::{
        channel::{Channel, ChannelDraft},
        configuration::Configuration,
        contact_policy::{ContactPolicy, PolicyDraft},
        facts::{ConsentFact, ContactFact, Facts, OutcomeFact, Standing, Subject},
        question::{Candidate, FieldValue, Fields},
        settings::Settings,
        shared_use::Used,
        verdict::{Case, Judgment, Scrutiny, Slots, judge},
    },
    messages::facts,
};

const NOON: &str = "2026-07-03T11:00:00Z";

fn noon() -> DateTime<Utc> {
    NOON.parse().unwrap()
}

/// Everything a kind may read, and more.
fn all_facts() -> Facts {
    let subject = |number: usize| {
        let offer = Candidate { offer_id: format!("off_{number}"), ..candidate(number) };
        Subject::new(&offer, "ch_email", "email")
    };
    let contact = |(number, standing)| ContactFact {
        contact_id: String::new(),
        subject: subject(number),
        standing,
    };
    let ago = |hours: i64| noon() - TimeDelta::hours(hours);
    let standings = [
        Standing::Committed(ago(1)),
        Standing::Committed(ago(100)),
        Standing::Committed(ago(1_000)),
        Standing::Reserved(noon() + TimeDelta::hours(1)),
    ];
    let outcome = |(key, hours): (&str, i64)| OutcomeFact {
        key: key.to_owned(),
        at: ago(hours),
        subject: subject(0),
    };
    let used = Used {
        contacts: 2,
        reserved: 1,
        spend: 10,
        leaving: vec![(noon() + TimeDelta::hours(5), 7)],
    };
    Facts {
        ledger_at: noon(),
        contacts: standings.into_iter().enumerate().map(contact).collect(),
        outcomes: [("complaint", 1), ("click", 1), ("complaint", 900)].map(outcome).into(),
        consents: vec![ConsentFact { is_grant: true, at: ago(5_000) }],
        budgets: [("pol".to_owned(), used)].into(),
        are_contacts_cut: false,
        are_outcomes_cut: false,
    }
}

fn candidate(number: usize) -> Candidate {
    Candidate {
        offer_id: format!("off_{number}"),
        category: ["Apparel", "Toys"][number % 2].to_owned(),
        ..Candidate::default()
    }
}

fn all_fields() -> Fields {
    let text = |text: &str| FieldValue::Text(text.to_owned());
    [("timezone", "Europe/London"), ("tier", "gold"), ("country", "GB"), ("name", "Ann")]
        .map(|(name, value)| (name.to_owned(), text(value)))
        .into()
}

fn configuration(rule: &Rule) -> Configuration {
    let draft = ChannelDraft { id: "ch_email", name: "email", ..Default::default() };
    let (id, name, scope) = ("pol", "policy", "global");
    let policy = PolicyDraft { id, name, revision: 1, is_active: true, scope, priority: None };
    let policy = ContactPolicy::parse(&policy, kind(Some(rule))).unwrap();
    let channels = vec![Channel::parse(&draft).unwrap()];
    Configuration::new(1, channels, vec![policy], Settings::default())
}

fn judged(configuration: &Configuration, fields: &Fields, facts: &Facts) -> Judgment {
    let candidates: Vec<_> = (0..4).map(candidate).collect();
    let case = Case {
        configuration,
        channel: configuration.channel("email"),
        at: noon(),
        fields,
        candidates: &candidates,
        scrutiny: Scrutiny::Full,
    };
    judge(&case, facts, Slots { limit: 4, until: noon() + TimeDelta::hours(24) })
}

/// The facts that are read from the store for a configuration.
fn as_read(configuration: &Configuration, facts: &Facts) -> Facts {
    let (contacts, outcomes) = (configuration.contact_window(), configuration.outcome_window());
    let is_contact_read = |fact: &&ContactFact| match (contacts, fact.standing) {
        (Some(age), Standing::Committed(at)) => at > noon() - age,
        (reach, Standing::Reserved(_)) => reach.is_some(),
        (None, Standing::Committed(_)) => false,
    };
    let is_outcome_read = |fact: &&OutcomeFact| {
        (outcomes.as_ref())
            .is_some_and(|(keys, age)| keys.contains(&*fact.key) && fact.at > noon() - *age)
    };
    Facts {
        contacts: facts.contacts.iter().filter(is_contact_read).cloned().collect(),
        outcomes: facts.outcomes.iter().filter(is_outcome_read).cloned().collect(),
        ..facts.clone()
    }
}

#[test]
fn every_kind_has_a_sample_and_its_own_name() {
    let sampled: Vec<_> = samples().iter().map(|rule| kind(Some(rule)).unwrap().name()).collect();
    assert_eq!(sampled, NAMES, "a kind of the table needs settings in `samples`");
    assert_eq!(sampled.iter().collect::<BTreeSet<_>>().len(), sampled.len());
    let missing = ("rule_type".to_owned(), format!("is required: one of {}", NAMES.join(", ")));
    assert_eq!(kind(None).unwrap_err(), [missing]);
}

/// A record holds the facts that policies read and the fields named by `fields_read`. By these a
/// judgment is the same as by everything.
#[test]
fn every_kind_judges_recorded_facts_as_it_judged_live() {
    let (facts, fields) = (all_facts(), all_fields());
    for rule in samples() {
        let configuration = configuration(&rule);
        let live = judged(&configuration, &fields, &facts);
        let channel = configuration.channel("email");
        let fields_read = configuration.fields_read(channel, &fields);
        let recorded = facts::recorded(&as_read(&configuration, &facts), fields_read);
        let is_recorded = |(name, _): &(&String, &FieldValue)| recorded.fields_read.contains(name);
        let recorded_fields = fields.iter().filter(is_recorded);
        let recorded_fields = recorded_fields.map(|(name, value)| (name.clone(), value.clone()));
        let recorded_fields: Fields = recorded_fields.collect();
        let recorded_facts = facts::facts(recorded).unwrap();
        let replayed = judged(&configuration, &recorded_fields, &recorded_facts);
        assert_eq!(replayed, live, "{rule:?}");
        let name = kind(Some(&rule)).unwrap().name();
        assert!(
            name == "allow_override" || live.granted.len() < 4,
            "the sample of {name} refuses nothing: {live:?}"
        );
    }
}
