//! How outcomes change contacts and reservations, and what is written of it.

use chrono::TimeDelta;

use super::*;
use crate::domain::channel::ChannelDraft;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + 60 * minute, 0).unwrap()
}

fn channels() -> Vec<Channel> {
    let channel =
        |id, name| Channel::parse(&ChannelDraft { id, name, ..Default::default() }).unwrap();
    vec![channel("ch_email", "email"), channel("ch_sms", "sms")]
}

fn offer(id: &str) -> Candidate {
    Candidate { offer_id: id.into(), category: "Apparel".into(), ..Default::default() }
}

/// A slot of `decision` reserved at a minute for an hour.
fn slot(decision: &str, offer_id: &str, minute: i64) -> Contact {
    Contact {
        contact_id: format!("con_{decision}"),
        decision_id: decision.into(),
        rank: 1,
        offer: offer(offer_id),
        channel: ChannelRef { id: "ch_email".into(), name: "email".into() },
        flow_id: "flow_1".into(),
        state: State::Reserved,
        created_at: at(minute),
        reserved_at: Some(at(minute)),
        reserved_until: Some(at(minute + 60)),
        committed_at: None,
        is_unreserved: false,
    }
}

/// An impression that happened and was received at a minute.
fn impression(seq: i64, decision: &str, offer_id: &str, minute: i64) -> Outcome {
    Outcome {
        outcome_id: format!("out_{seq}"),
        customer_seq: seq,
        key: "impression".into(),
        counts_as_contact: true,
        decision_id: decision.into(),
        rank: i64::from(!decision.is_empty()),
        offer: offer(offer_id),
        channel: "email".into(),
        occurred_at: Some(at(minute)),
        received_at: Some(at(minute)),
        ..Default::default()
    }
}

fn apply(ledger: &mut Ledger, outcome: &Outcome) {
    ledger.apply(outcome, &channels(), || format!("con_new_{}", outcome.customer_seq));
}

/// Applies outcomes at minute 50 and tells every contact as `id state minute`.
fn check(slots: Vec<Contact>, outcomes: &[Outcome], expected: &[&str]) {
    let mut ledger = Ledger::new(at(50), 0, slots);
    outcomes.iter().for_each(|outcome| apply(&mut ledger, outcome));
    let told: Vec<_> = ledger
        .contacts
        .iter()
        .map(|contact| {
            let minute =
                contact.committed_at.map(|at| format!(" {}", (at - self::at(0)).num_minutes()));
            let unreserved = if contact.is_unreserved { " unreserved" } else { "" };
            format!(
                "{} {}{}{unreserved}",
                contact.contact_id,
                contact.state.name(),
                minute.unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn an_impression_commits_the_reservation_it_names() {
    check(
        vec![slot("a", "x", 10), slot("b", "x", 5)],
        &[impression(1, "a", "x", 20)],
        &["con_a committed 20", "con_b reserved"],
    );
}

#[test]
fn without_a_decision_the_oldest_live_one_of_that_offer_and_channel_is_committed() {
    let slots =
        || vec![slot("a", "x", 10), slot("b", "x", 5), slot("c", "y", 1), slot("old", "x", -30)];
    check(
        slots(),
        &[impression(1, "", "x", 20)],
        &["con_a reserved", "con_b committed 20", "con_c reserved", "con_old reserved"],
    );
    let elsewhere = Outcome { channel: "sms".into(), ..impression(1, "", "x", 20) };
    check(
        vec![slot("a", "x", 10)],
        &[elsewhere],
        &["con_a reserved", "con_new_1 committed 20 unreserved"],
    );
}

#[test]
fn an_impression_twice_is_one_contact() {
    let twice =
        [impression(1, "a", "x", 20), impression(2, "a", "x", 25), impression(2, "a", "x", 30)];
    check(vec![slot("a", "x", 10)], &twice, &["con_a committed 20"]);
}

#[test]
fn an_outcome_delivered_again_is_not_applied_again() {
    let mut ledger = Ledger::new(at(50), 7, Vec::new());
    apply(&mut ledger, &impression(7, "", "x", 20));
    assert_eq!((ledger.new_outcomes().len(), ledger.contact_facts(None).len()), (0, 0));
    apply(&mut ledger, &impression(12, "", "x", 20));
    assert_eq!((ledger.applied_seq(), ledger.contact_facts(None).len()), (12, 1));
}

#[test]
fn a_late_impression_is_a_fact_and_unreserved() {
    check(
        vec![slot("a", "x", -30)],
        &[impression(1, "a", "x", 40)],
        &["con_a committed 40 unreserved"],
    );
    let released = Contact { state: State::Released, ..slot("a", "x", 10) };
    check(vec![released], &[impression(1, "a", "x", 40)], &["con_a committed 40 unreserved"]);
    check(Vec::new(), &[impression(1, "a", "x", 40)], &["con_new_1 committed 40 unreserved"]);
}

#[test]
fn a_contact_happened_between_its_reservation_and_its_receipt() {
    let early = Outcome { occurred_at: Some(at(3)), ..impression(1, "a", "x", 20) };
    check(vec![slot("a", "x", 10)], &[early], &["con_a committed 10"]);
    let late = Outcome { occurred_at: Some(at(24)), ..impression(1, "a", "x", 20) };
    check(vec![slot("a", "x", 10)], &[late], &["con_a committed 20"]);
    // The sender's clock is ahead: a contact in the future would be in no window.
    check(vec![slot("a", "x", 10)], &[impression(1, "a", "x", 55)], &["con_a committed 50"]);
}

/// Both decisions were shown, so both are counted, whichever report comes first.
#[test]
fn a_decision_without_a_slot_takes_one_over_under_its_own_name() {
    check(
        vec![slot("a", "x", 10)],
        &[impression(1, "unheld", "x", 20)],
        &["con_a released", "con_new_1 committed 20"],
    );
    check(
        vec![slot("a", "x", 10)],
        &[impression(1, "unheld", "x", 20), impression(2, "a", "x", 30)],
        &["con_a committed 30 unreserved", "con_new_1 committed 20"],
    );
}

#[test]
fn an_outcome_that_does_not_count_gives_its_reservation_back() {
    let expired =
        Outcome { counts_as_contact: false, releases: true, ..impression(1, "a", "x", 20) };
    check(vec![slot("a", "x", 10)], std::slice::from_ref(&expired), &["con_a released"]);
    let committed = [impression(1, "a", "x", 20), Outcome { customer_seq: 2, ..expired.clone() }];
    check(vec![slot("a", "x", 10)], &committed, &["con_a committed 20"]);
    // Nobody can tell whose slot it would be.
    let nameless = Outcome { decision_id: String::new(), rank: 0, ..expired };
    check(vec![slot("a", "x", 10)], &[nameless], &["con_a reserved"]);
}

#[test]
fn only_live_slots_are_released() {
    let mut second = slot("a", "y", 10);
    (second.contact_id, second.rank) = ("con_a2".into(), 2);
    let mut ledger =
        Ledger::new(at(50), 0, vec![slot("a", "x", 10), second, slot("old", "x", -30)]);
    assert_eq!(ledger.release("old", None), 0);
    assert_eq!(ledger.release("a", Some(2)), 1);
    assert_eq!(ledger.release("a", None), 1);
    assert_eq!(ledger.release("a", None), 0);
    let written = ledger
        .changes()
        .contacts
        .into_iter()
        .map(|contact| (contact.contact_id, contact.state.name()));
    let expected = [("con_a", "released"), ("con_a2", "released"), ("con_old", "expired")];
    assert_eq!(written.collect::<Vec<_>>(), expected.map(|(id, state)| (id.to_owned(), state)));
}

#[test]
fn opt_out_withdraws_on_its_channel_or_on_all() {
    let withdrawn = |outcome: Outcome| {
        let mut ledger = Ledger::new(at(50), 0, Vec::new());
        apply(&mut ledger, &Outcome { key: OPT_OUT.into(), counts_as_contact: false, ..outcome });
        let record = ledger.new_consents()[0].clone();
        (record.channel_id, record.channel_folded, (record.at - at(0)).num_minutes())
    };
    let of = |id: &str, name: &str, minute: i64| (id.to_owned(), name.to_owned(), minute);
    // Reported as it happens it happens at the ledger instant: no grant recorded before outdoes it.
    assert_eq!(withdrawn(impression(1, "", "", 20)), of("ch_email", "email", 50));
    assert_eq!(
        withdrawn(Outcome { channel: String::new(), ..impression(1, "", "", 20) }),
        of("*", "*", 50)
    );
    assert_eq!(
        withdrawn(Outcome { channel: "Fax".into(), ..impression(1, "", "", 20) }),
        of("Fax", "fax", 50)
    );
    assert_eq!(
        withdrawn(Outcome { occurred_at: Some(at(5)), ..impression(1, "", "", 20) }),
        of("ch_email", "email", 5)
    );
}

#[test]
fn what_is_later_is_left_out_and_reservations_count_while_they_last() {
    let committed =
        Contact { state: State::Committed, committed_at: Some(at(30)), ..slot("a", "x", 10) };
    let expired = Contact { state: State::Expired, ..slot("b", "x", -30) };
    let ledger = Ledger::new(at(50), 0, vec![committed, expired, slot("c", "x", 40)]);
    let standings = |as_of: Option<i64>| {
        let facts = ledger.contact_facts(as_of.map(at));
        facts.into_iter().map(|fact| fact.standing).collect::<Vec<_>>()
    };
    assert_eq!(standings(None), [Standing::Committed(at(30)), Standing::Reserved(at(100))]);
    assert_eq!(standings(Some(29)), [Standing::Reserved(at(30)), Standing::Reserved(at(100))]);
    assert_eq!(standings(Some(30)), [Standing::Committed(at(30)), Standing::Reserved(at(100))]);
    assert_eq!(standings(Some(100)), [Standing::Committed(at(30))]);
}

#[test]
fn a_commit_keeps_what_is_held_and_takes_anew_what_is_not() {
    let mut ledger = Ledger::new(at(50), 0, vec![slot("a", "x", 10), slot("old", "x", -30)]);
    assert_eq!(ledger.commit("a", 1, || unreachable!()), "con_a");
    assert_eq!(ledger.commit("old", 1, || unreachable!()), "con_old");
    let fresh = || Contact { contact_id: "con_fresh".into(), ..slot("none", "x", 50) };
    assert_eq!(ledger.commit("none", 1, fresh), "con_fresh");
    let reserved = |decision: &str| ledger.find(decision, 1).unwrap().reserved_at.unwrap();
    assert_eq!((reserved("a"), reserved("old"), reserved("none")), (at(10), at(50), at(50)));
    assert!(
        ledger.contact_facts(None).iter().all(|fact| fact.standing == Standing::Committed(at(50)))
    );
    assert!(ledger.contact_facts(None).len() == 3 && at(50) - at(10) == TimeDelta::minutes(40));
}
