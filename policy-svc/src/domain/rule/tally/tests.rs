//! Counts of a cap and the instant of the next room, against counting by brute force.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::domain::facts::{ContactFact, Facts, Subject};

const DAY: i64 = 86_400;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn contact(seconds_ago: i64) -> ContactFact {
    let standing = Standing::Committed(now() - TimeDelta::seconds(seconds_ago));
    fact(standing)
}

fn reserved(lapses_in: i64) -> ContactFact {
    let standing = Standing::Reserved(now() + TimeDelta::seconds(lapses_in));
    fact(standing)
}

fn fact(standing: Standing) -> ContactFact {
    ContactFact { contact_id: String::new(), subject: Subject::default(), standing }
}

fn facts(contacts: &[ContactFact]) -> Facts {
    Facts { ledger_at: now(), contacts: contacts.to_vec(), ..Facts::default() }
}

fn tally(limit: usize, facts: &[ContactFact]) -> Tally {
    let (window, facts) = (Window::Days(30), self::facts(facts));
    let history = ContactHistory::of(&facts, Some(window.length()));
    Tally::sliding(window, limit, &Scope::default(), &history)
}

#[test]
fn the_texts_are_the_documented_ones() {
    let passed = |facts: &[ContactFact], expected: &str| {
        assert!(tally(3, facts).has_room());
        assert_eq!(tally(3, facts).passed_text(), expected);
    };
    passed(&[], "passed (0 contacts in last 30d)");
    passed(&[contact(DAY), contact(30 * DAY)], "passed (1 contacts in last 30d)");
    passed(&[contact(DAY), reserved(60)], "passed (1 contacts in last 30d, 1 reserved)");
    let refused = |facts: &[ContactFact], expected: &str| {
        assert!(!tally(3, facts).has_room());
        assert_eq!(tally(3, facts).refused_text(), expected);
    };
    refused(
        &[reserved(90), reserved(60), reserved(120)],
        "3 of 3 in last 30d (0 contacts, 3 reserved until 2026-09-21T14:14:20Z)",
    );
    refused(&[contact(1), contact(2), contact(3)], "3 of 3 in last 30d (3 contacts)");
    refused(&[contact(1), contact(2), contact(3), contact(4)], "4 of 3 in last 30d (4 contacts)");
}

#[test]
fn room_comes_back_when_the_oldest_contact_leaves_the_window() {
    let in_seconds =
        |facts: &[ContactFact]| tally(2, facts).next_room_at().map(|at| (at - now()).num_seconds());
    assert_eq!(in_seconds(&[contact(DAY)]), None);
    assert_eq!(in_seconds(&[contact(DAY), contact(2 * DAY)]), Some(28 * DAY));
    assert_eq!(in_seconds(&[contact(DAY), contact(2 * DAY), contact(3 * DAY)]), Some(28 * DAY));
    assert_eq!(in_seconds(&[contact(DAY), reserved(60)]), Some(60));
}

#[test]
fn what_could_not_be_counted_refuses() {
    let facts = Facts { are_contacts_cut: true, ..facts(&[contact(1)]) };
    let history = ContactHistory::of(&facts, Some(TimeDelta::hours(48)));
    let cut = Tally::sliding(Window::Hours(48), 3, &Scope::default(), &history);
    assert!(!cut.has_room());
    assert_eq!(cut.next_room_at(), None);
    assert_eq!(cut.refused_text(), "more than 1 contacts and reservations to count in last 48h");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// The count is what one gets by looking at every microsecond-exact instant; room is back at
    /// the first instant at which counting again says so, and not a microsecond earlier.
    #[test]
    fn counting_agrees_with_brute_force(
        contacts in prop::collection::vec(-(31 * DAY * 1_000_000)..=0_i64, 0..12),
        lapses in prop::collection::vec(-5_000_000..=(2 * DAY * 1_000_000), 0..6),
        limit in 1..8_usize,
    ) {
        let at = |us: i64| now() + TimeDelta::microseconds(us);
        let committed = contacts.iter().map(|us| Standing::Committed(at(*us)));
        let held = lapses.iter().map(|us| Standing::Reserved(at(*us)));
        let facts: Vec<_> =
            committed.chain(held).map(fact).collect();
        let window_us = 30 * DAY * 1_000_000;
        let used_at = |us: i64| {
            let counted = contacts.iter().filter(|contact| **contact > us - window_us).count();
            counted + lapses.iter().filter(|lapse| **lapse > us).count()
        };
        let tally = tally(limit, &facts);
        prop_assert_eq!(tally.contacts() + tally.reserved(), used_at(0));
        prop_assert_eq!(tally.has_room(), used_at(0) < limit);
        match tally.next_room_at() {
            None => prop_assert!(used_at(0) < limit),
            Some(next) => {
                let next_us = (next - now()).num_microseconds().unwrap();
                prop_assert!(used_at(next_us) < limit);
                prop_assert!(used_at(next_us - 1) >= limit);
            }
        }
    }
}
