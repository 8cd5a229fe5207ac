//! Verdicts on candidates: order of refusals, overrides, shared slots and texts.

mod kinds;

use std::{collections::BTreeMap, sync::Arc};

use chrono::TimeDelta;

use super::*;
use crate::domain::{
    Faults,
    channel::ChannelDraft,
    contact_policy::{ContactPolicy, PolicyDraft},
    facts::{ConsentFact, ContactFact, OutcomeFact, Standing},
    question::FieldValue,
    rule::{
        cap::CapDraft, frequency_cap, kind::PolicyKind, outcome_based::OutcomeBased,
        time_window::TimeWindow, unreadable::Unreadable,
    },
    settings::Settings,
};

const DAY: i64 = 86_400;

fn noon() -> DateTime<Utc> {
    "2026-07-03T11:00:00Z".parse().unwrap()
}

/// A policy as written.
type Written<'a> = (PolicyDraft<'a>, Arc<dyn PolicyKind>);

fn kind(parsed: Result<impl PolicyKind + 'static, Faults>) -> Arc<dyn PolicyKind> {
    Arc::new(parsed.unwrap())
}

fn policy<'a>(
    id: &'a str,
    scope: &'a str,
    priority: i32,
    kind: &Arc<dyn PolicyKind>,
) -> Written<'a> {
    let priority = Some(priority);
    let draft = PolicyDraft { id, name: id, revision: 1, is_active: true, scope, priority };
    (draft, kind.clone())
}

fn cap<'a>(id: &'a str, scope: &'a str, priority: i32, limit: i32) -> Written<'a> {
    let draft = CapDraft { window_days: 30, max_impressions: limit, ..CapDraft::default() };
    policy(id, scope, priority, &kind(frequency_cap::KIND.parse(draft)))
}

fn configuration(policies: &[Written<'_>]) -> Configuration {
    let email = ChannelDraft {
        id: "ch_email",
        name: "email",
        quiet_hours_start: "21:00",
        quiet_hours_end: "08:00",
        ..Default::default()
    };
    let web = ChannelDraft { id: "ch_web", name: "web", ..Default::default() };
    let channels = vec![Channel::parse(&email).unwrap(), Channel::parse(&web).unwrap()];
    let parsed =
        |(draft, kind): &Written<'_>| ContactPolicy::parse(draft, Ok(kind.clone())).unwrap();
    let policies = policies.iter().map(parsed).collect();
    Configuration::new(4, channels, policies, Settings::default())
}

fn fields(zone: &str, consent: bool) -> Fields {
    BTreeMap::from([
        ("timezone".to_owned(), FieldValue::Text(zone.to_owned())),
        ("consentEmail".to_owned(), FieldValue::Boolean(consent)),
    ])
}

fn offers(names: &[(&str, &str)]) -> Vec<Candidate> {
    let candidate = |(id, category): &(&str, &str)| Candidate {
        offer_id: (*id).to_owned(),
        category: (*category).to_owned(),
        ..Default::default()
    };
    names.iter().map(candidate).collect()
}

fn contact(offer: (&str, &str), days_ago: i64) -> ContactFact {
    let subject = Subject::new(&offers(&[offer])[0], "ch_email", "email");
    let contact_id = String::new();
    ContactFact {
        contact_id,
        subject,
        standing: Standing::Committed(noon() - TimeDelta::seconds(days_ago * DAY)),
    }
}

fn facts(contacts: Vec<ContactFact>) -> Facts {
    Facts { ledger_at: noon(), contacts, ..Default::default() }
}

fn case<'a>(
    configuration: &'a Configuration,
    channel: &str,
    fields: &'a Fields,
    candidates: &'a [Candidate],
) -> Case<'a> {
    let channel = configuration.channel(channel);
    Case { configuration, channel, at: noon(), fields, candidates, scrutiny: Scrutiny::Full }
}

fn slots(limit: usize) -> Slots {
    Slots { limit, until: noon() + TimeDelta::hours(24) }
}

fn summaries(judgment: &Judgment) -> Vec<&str> {
    judgment.verdicts.iter().map(|verdict| verdict.summary.as_str()).collect()
}

const SEED: &str = "category:Apparel,Electronics,Home";
const THREE: [(&str, &str); 3] = [("a", "Apparel"), ("e", "Electronics"), ("h", "Home")];

#[test]
fn the_short_forms_are_those_of_the_seed() {
    let yes = fields("Europe/London", true);
    let candidates = offers(&[("a", "Apparel")]);
    let check = |policies: &[Written<'_>], contacts: Vec<ContactFact>, expected: &str| {
        let configuration = configuration(policies);
        let judgment =
            judge(&case(&configuration, "email", &yes, &candidates), &facts(contacts), slots(1));
        assert_eq!(summaries(&judgment), [expected]);
    };
    let seed = cap("pol_1", SEED, 50, 3);
    check(std::slice::from_ref(&seed), Vec::new(), "passed (0 contacts in last 30d)");
    check(&[], Vec::new(), "passed (no policy)");
    check(&[cap("pol_1", "category:Toys", 50, 3)], Vec::new(), "passed (no policy)");
    check(
        std::slice::from_ref(&seed),
        vec![contact(("h", "Home"), 3), contact(("t", "Toys"), 3)],
        "passed (1 contacts in last 30d)",
    );
    let three = THREE.iter().map(|offer| contact(*offer, 3)).collect();
    check(std::slice::from_ref(&seed), three, "3 of 3 in last 30d (3 contacts)");
    // The first policy in id order that counts the offer, whatever the order of writing.
    let other = cap("pol_0", "offer:a", 50, 9);
    check(&[seed, other], vec![contact(("h", "Home"), 3)], "passed (0 contacts in last 30d)");
}

/// "category:Apparel,Electronics,Home" with 3 means 3 in all.
#[test]
fn a_list_is_one_shared_budget_and_ranking_order_wins_the_last_slot() {
    let configuration = configuration(&[cap("pol_1", SEED, 50, 3)]);
    let yes = fields("Europe/London", true);
    let candidates = offers(&THREE);
    let judgment = judge(
        &case(&configuration, "email", &yes, &candidates),
        &facts(vec![contact(("e2", "Electronics"), 3)]),
        slots(50),
    );
    assert_eq!(judgment.granted, [0, 1]);
    assert_eq!(
        summaries(&judgment),
        [
            "passed (1 contacts in last 30d)",
            "passed (1 contacts in last 30d, 1 reserved)",
            "3 of 3 in last 30d (1 contacts, 2 reserved until 2026-07-04T11:00:00Z)",
        ]
    );
    let refused = &judgment.verdicts[2].policies[0];
    assert_eq!(
        (refused.is_passed, refused.counted, refused.reserved, refused.limit),
        (false, 1, 2, 3)
    );
    assert_eq!(refused.next_allowed_at, Some(noon() + TimeDelta::hours(24)));
}

#[test]
fn slots_are_given_to_the_first_that_pass() {
    let configuration = configuration(&[cap("pol_1", "category:Apparel", 50, 1)]);
    let yes = fields("Europe/London", true);
    let candidates = offers(&[("a", "Apparel"), ("b", "Apparel"), ("c", "Toys"), ("d", "Toys")]);
    let judgment =
        judge(&case(&configuration, "email", &yes, &candidates), &facts(Vec::new()), slots(2));
    assert_eq!(judgment.granted, [0, 2]);
    assert!(judgment.verdicts[3].refusal.is_none());
}

#[test]
fn the_strongest_refusal_is_told_and_all_are_listed() {
    let policies = [
        cap("pol_a", "global", 50, 1),
        cap("pol_b", "global", 70, 2),
        cap("pol_c", "global", 70, 1),
    ];
    let configuration = configuration(&policies);
    let yes = fields("Europe/London", true);
    let candidates = offers(&[("a", "Apparel")]);
    let two = vec![contact(("x", "Toys"), 1), contact(("x", "Toys"), 2)];
    let judgment = judge(&case(&configuration, "email", &yes, &candidates), &facts(two), slots(1));
    let verdict = &judgment.verdicts[0];
    assert_eq!(verdict.policies.len(), 3);
    let refusal = verdict.refusal.as_ref().unwrap();
    assert_eq!(refusal.reason, "contact policy pol_b: 2 of 2 in last 30d (2 contacts)");
    assert_eq!(refusal.code, ReasonCode::FrequencyCap);
}

#[test]
fn quiet_hours_are_told_in_the_seeds_words() {
    let configuration = configuration(&[]);
    let yes = fields("Europe/London", true);
    let candidates = offers(&[("a", "Apparel")]);
    let at = "2026-07-03T01:00:00Z".parse().unwrap();
    let judgment = judge(
        &Case { at, ..case(&configuration, "email", &yes, &candidates) },
        &facts(Vec::new()),
        slots(1),
    );
    let refusal = judgment.refusal.unwrap();
    assert_eq!(refusal.code, ReasonCode::QuietHours);
    assert_eq!(
        refusal.reason,
        "channel email is within quiet hours (21:00-08:00 local) — deliver after 08:00"
    );
    assert_eq!(refusal.deliver_after.unwrap().to_rfc3339(), "2026-07-03T08:00:00+01:00");
    assert_eq!((judgment.timezone.as_str(), judgment.granted.len()), ("Europe/London", 0));
    assert!(judgment.verdicts[0].refusal.is_none());
}

#[test]
fn consent_comes_before_quiet_hours_and_these_before_policies() {
    let configuration = configuration(&[cap("pol_1", "global", 50, 1)]);
    let candidates = offers(&[("a", "Apparel")]);
    let check = |fields: &Fields, at: &str, expected: &str| {
        let case = Case {
            at: at.parse().unwrap(),
            ..self::case(&configuration, "email", fields, &candidates)
        };
        let judgment = judge(&case, &facts(vec![contact(("a", "Apparel"), 1)]), slots(1));
        let found = judgment.refusal.as_ref().or(judgment.verdicts[0].refusal.as_ref());
        assert_eq!(found.map_or("passed", |refusal| refusal.code.as_str()), expected);
    };
    let (night, day) = ("2026-07-03T01:00:00Z", "2026-07-03T11:00:00Z");
    check(&fields("Europe/London", false), night, "consent_withheld");
    check(&fields("Europe/London", true), night, "quiet_hours");
    check(&fields("Mars/Base", true), day, "timezone_unknown");
    check(&fields("Europe/London", true), day, "frequency_cap");
}

#[test]
fn without_a_channel_channel_rules_are_skipped() {
    let configuration = configuration(&[cap("pol_1", "channel:email", 50, 1)]);
    let nothing = Fields::new();
    let candidates = offers(&[("a", "Apparel")]);
    let judgment = judge(
        &case(&configuration, "", &nothing, &candidates),
        &facts(vec![contact(("a", "Apparel"), 1)]),
        slots(1),
    );
    assert_eq!((judgment.refusal, judgment.granted), (None, vec![0]));
    assert_eq!(judgment.verdicts[0].summary, "passed (no policy)");
    assert_eq!((judgment.timezone.as_str(), judgment.consent_sources.len()), ("", 0));
}

#[test]
fn the_fallback_zone_stands_in() {
    let mut configuration = configuration(&[]);
    configuration.settings.fallback_timezone = Some(chrono_tz::Europe::Paris);
    let nowhere = fields("Mars/Base", true);
    let candidates = offers(&[("a", "Apparel")]);
    let judgment =
        judge(&case(&configuration, "email", &nowhere, &candidates), &facts(Vec::new()), slots(1));
    assert_eq!((judgment.refusal, judgment.timezone.as_str()), (None, "Europe/Paris"));
}

#[test]
fn an_outcome_suppresses_within_its_scope_until_the_rest_is_over() {
    let complaint = ["complaint".to_owned()];
    let rest = kind(OutcomeBased::parse(&complaint, 90));
    let configuration = configuration(&[policy("pol_1", "category:Apparel", 50, &rest)]);
    let yes = fields("Europe/London", true);
    let candidates = offers(&[("a", "Apparel"), ("t", "Toys")]);
    let judged = |days_ago: i64, key: &str, category: &str| {
        let subject = Subject::new(&offers(&[("x", category)])[0], "", "");
        let outcomes =
            vec![OutcomeFact { key: key.into(), at: noon() - TimeDelta::days(days_ago), subject }];
        judge(
            &case(&configuration, "email", &yes, &candidates),
            &Facts { outcomes, ..facts(Vec::new()) },
            slots(9),
        )
    };
    let refused = judged(89, "complaint", "Apparel");
    assert_eq!(refused.granted, [1]);
    assert_eq!(
        refused.verdicts[0].refusal.as_ref().unwrap().reason,
        "contact policy pol_1: complaint in last 90d, no contact until 2026-07-04T11:00:00Z"
    );
    assert_eq!(refused.verdicts[0].policies[0].next_allowed_at, Some(noon() + TimeDelta::days(1)));
    for passed in [
        judged(90, "complaint", "Apparel"),
        judged(1, "click", "Apparel"),
        judged(1, "complaint", "Toys"),
    ] {
        assert_eq!(passed.granted, [0, 1]);
    }
}

#[test]
fn a_held_slot_is_not_asked_about_caps_again() {
    let configuration = configuration(&[cap("pol_1", "global", 50, 1)]);
    let yes = fields("Europe/London", true);
    let candidates = offers(&[("a", "Apparel")]);
    let full = facts(vec![contact(("a", "Apparel"), 1)]);
    let held =
        Case { scrutiny: Scrutiny::SlotHeld, ..case(&configuration, "email", &yes, &candidates) };
    assert!(judge(&held, &full, slots(1)).verdicts[0].refusal.is_none());
}

/// Whatever cannot be read or counted refuses.
#[test]
fn what_cannot_be_read_or_counted_refuses() {
    let mut configuration = configuration(&[cap("pol_1", "global", 50, 3)]);
    let yes = fields("Europe/London", true);
    let candidates = offers(&[("a", "Apparel")]);
    let cut = Facts { are_contacts_cut: true, ..facts(Vec::new()) };
    let judged = judge(&case(&configuration, "email", &yes, &candidates), &cut, slots(1));
    assert!(judged.granted.is_empty());
    configuration.policies[0].kind = Arc::new(Unreadable);
    let judged =
        judge(&case(&configuration, "email", &yes, &candidates), &facts(Vec::new()), slots(1));
    assert_eq!(judged.verdicts[0].refusal.as_ref().unwrap().code, ReasonCode::PolicyUnavailable);
    configuration.channels[0] = Channel::unreadable("ch_email", "email", "active");
    let consents = vec![ConsentFact { is_grant: true, at: noon() }];
    let judged = judge(
        &case(&configuration, "email", &Fields::new(), &candidates),
        &Facts { consents, ..facts(Vec::new()) },
        slots(1),
    );
    assert_eq!(judged.refusal.unwrap().code, ReasonCode::PolicyUnavailable);
}

#[test]
fn the_list_of_single_verdicts_is_bounded() {
    let policies: Vec<_> = (0..150).map(|n| (format!("pol_{n:03}"), n)).collect();
    let drafts: Vec<_> = policies.iter().map(|(id, _)| cap(id, "global", 50, 10_000)).collect();
    let configuration = configuration(&drafts);
    let yes = fields("Europe/London", true);
    let names: Vec<_> = (0..500).map(|n| format!("off_{n}")).collect();
    let candidates: Vec<_> =
        names.iter().map(|name| offers(&[(name, "Apparel")])[0].clone()).collect();
    let judgment =
        judge(&case(&configuration, "email", &yes, &candidates), &facts(Vec::new()), slots(50));
    let listed: usize = judgment.verdicts.iter().map(|verdict| verdict.policies.len()).sum();
    assert!(listed <= POLICY_VERDICTS_MAX && listed > POLICY_VERDICTS_MAX - 150);
    assert_eq!((judgment.verdicts.len(), judgment.granted.len()), (500, 50));
}
/// Nobody is contacted: consent and hours say nothing, and everything else still binds.
#[test]
fn without_a_contact_consent_and_hours_are_skipped_and_other_policies_bind() {
    let night: DateTime<Utc> = "2026-07-03T01:00:00Z".parse().unwrap();
    let afternoon = kind(TimeWindow::parse(&[], "15:00", "16:00"));
    let policies = [cap("pol_cap", SEED, 50, 1), policy("pol_hours", "global", 90, &afternoon)];
    let configuration = configuration(&policies);
    let candidates = offers(&[("a", "Apparel")]);
    for fields in [fields("Europe/London", false), Fields::new()] {
        let judged = |channel: &str, contacts| {
            let case = Case { at: night, ..case(&configuration, channel, &fields, &candidates) };
            judge(&case, &facts(contacts), slots(1))
        };
        let contacted = judged("email", Vec::new());
        assert!(contacted.refusal.is_some() && contacted.granted.is_empty());
        let judgment = judged("", Vec::new());
        assert_eq!((judgment.refusal, judgment.granted), (None, vec![0]));
        let looked: Vec<_> = judgment.verdicts[0].policies.iter().map(|it| &it.policy_id).collect();
        assert_eq!(looked, ["pol_cap"]);
        let full = judged("", vec![contact(("a", "Apparel"), 1)]);
        let code = full.verdicts[0].refusal.as_ref().unwrap().code;
        assert_eq!(code, ReasonCode::FrequencyCap);
    }
}
