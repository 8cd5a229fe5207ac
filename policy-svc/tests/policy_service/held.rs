//! What is asked again when a slot that is still held is committed: all but caps.

use chrono::{DateTime, TimeDelta, Utc};
use proffer_proto::policy::v1::{self as proto, contact_policy::Rule};

use super::world::*;

/// How a commit ends, and what becomes of the slot.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Go,
    /// Refused for this reason; the slot is still held.
    Kept(&'static str),
    /// Refused for this reason; the slot is given back.
    GivenBack(&'static str),
}

/// What happens between the reservation of `dec_1`, an offer of Apparel by e-mail at noon, and its
/// commit.
struct Between<'a> {
    rule: Option<Rule>,
    /// Offers, with their categories, of other contacts.
    contacts: &'a [(&'a str, &'a str)],
    /// Key of an outcome.
    outcome: &'a str,
    at: DateTime<Utc>,
    fields: &'a [(&'a str, &'a str)],
}

const NOTHING: Between<'_> =
    Between { rule: None, contacts: &[], outcome: "", at: DateTime::UNIX_EPOCH, fields: &[] };

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

async fn check(between: &Between<'_>, expected: &End) {
    on_both(async |world| {
        let config = proto::ChannelConfig {
            quiet_hours_start: "21:00".into(),
            quiet_hours_end: "08:00".into(),
            ..Default::default()
        };
        let email =
            proto::Channel { name: "email".into(), config: Some(config), ..Default::default() };
        world.create_channel(email).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
        for (place, (offer, category)) in (2..).zip(between.contacts) {
            let mut question = world.question("ann");
            question.candidates = vec![candidate(offer, category)];
            let decision = format!("dec_{place}");
            assert_eq!(told(&world.reserve(question.clone(), &decision).await), "granted");
            assert!(world.commit(question, &decision).await.go);
        }
        if !between.outcome.is_empty() {
            let key = between.outcome.to_owned();
            let impression = impression("ann", 1, "", world.clock.now());
            world
                .deliver(vec![proto::OutcomeFact { counts_as_contact: false, key, ..impression }])
                .await;
        }
        if between.rule.is_some() {
            let rule = between.rule.clone();
            world
                .create_policy(proto::ContactPolicy { rule, ..cap("pol_1", "global", 1, 1) })
                .await;
        }
        if between.at > world.clock.now() {
            world.clock.set(between.at);
        }
        let mut question = world.question("ann");
        let fields = between.fields.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
        question.customer_fields.extend(fields);
        let committed = world.commit(question, "dec_1").await;
        let state =
            world.ledger("ann").await.into_iter().find(|row| row.starts_with("dec_1 ")).unwrap();
        let end = match (&committed.refusal, expected, state.as_str()) {
            (None, _, "dec_1 committed") if committed.go => End::Go,
            (Some(refusal), End::Kept(code), "dec_1 reserved")
                if super::world::code(refusal) == *code =>
            {
                End::Kept(code)
            }
            (Some(refusal), End::GivenBack(code), "dec_1 released")
                if super::world::code(refusal) == *code =>
            {
                End::GivenBack(code)
            }
            other => panic!("expected {expected:?}, got {other:?}"),
        };
        assert_eq!(end, *expected);
    })
    .await;
}

const OTHER: &[(&str, &str)] = &[("off_other", "Apparel")];

fn tight() -> proto::FrequencyCap {
    proto::FrequencyCap {
        window_days: 30,
        max_impressions: 1,
        max_per_day: 1,
        max_per_month: 1,
        ..Default::default()
    }
}

/// The slot was given while there was room; a cap made tighter since refuses the next one, not
/// this.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_committed_though_a_frequency_cap_is_full() {
    check(
        &Between { rule: Some(Rule::FrequencyCap(tight())), contacts: OTHER, ..NOTHING },
        &End::Go,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_committed_though_a_total_cap_is_full() {
    let cap = proto::FrequencyCap { window_days: 30, max_impressions: 1, ..Default::default() };
    check(
        &Between { rule: Some(Rule::CustomerTotalCap(cap)), contacts: OTHER, ..NOTHING },
        &End::Go,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_committed_though_a_cross_channel_cap_is_full() {
    let cap = proto::FrequencyCap { window_days: 30, max_impressions: 1, ..Default::default() };
    check(
        &Between { rule: Some(Rule::CrossChannelCap(cap)), contacts: OTHER, ..NOTHING },
        &End::Go,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_given_back_when_a_cooldown_began() {
    let rule = || Some(Rule::Cooldown(proto::Cooldown { window_hours: 24 }));
    check(&Between { rule: rule(), contacts: OTHER, ..NOTHING }, &End::GivenBack("cooldown")).await;
    // It does not stand in its own way, and a rest that is over is over.
    check(&Between { rule: rule(), ..NOTHING }, &End::Go).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_given_back_when_its_category_rests() {
    let rule = || Some(Rule::CategorySuppression(proto::CategorySuppression { window_days: 7 }));
    check(
        &Between { rule: rule(), contacts: OTHER, ..NOTHING },
        &End::GivenBack("category_suppression"),
    )
    .await;
    check(&Between { rule: rule(), contacts: &[("off_toy", "Toys")], ..NOTHING }, &End::Go).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_given_back_when_an_offer_that_excludes_it_was_sent() {
    let rule = || {
        let offers = words(&["off_apparel", "off_toy"]);
        Some(Rule::MutualExclusion(proto::MutualExclusion { offers, window_days: 7 }))
    };
    let toy = &[("off_toy", "Toys")];
    check(&Between { rule: rule(), contacts: toy, ..NOTHING }, &End::GivenBack("mutual_exclusion"))
        .await;
    check(&Between { rule: rule(), contacts: OTHER, ..NOTHING }, &End::Go).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_given_back_after_an_outcome_that_suppresses() {
    let rule = || {
        let outcomes = words(&["complaint"]);
        Some(Rule::OutcomeBased(proto::OutcomeBased { outcomes, window_days: 90 }))
    };
    check(
        &Between { rule: rule(), outcome: "complaint", ..NOTHING },
        &End::GivenBack("suppressed"),
    )
    .await;
    check(&Between { rule: rule(), outcome: "click", ..NOTHING }, &End::Go).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_given_back_when_the_customer_is_in_an_excluded_segment() {
    let rule = || {
        let segments = words(&["gold"]);
        Some(Rule::SegmentExclusion(proto::SegmentExclusion {
            field: "customer.tier".into(),
            segments,
        }))
    };
    let excluded = Between { rule: rule(), fields: &[("tier", "gold")], ..NOTHING };
    check(&excluded, &End::GivenBack("segment_excluded")).await;
    check(&Between { rule: rule(), fields: &[("tier", "tin")], ..NOTHING }, &End::Go).await;
}

/// Hours pass by themselves: the slot waits for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_waits_for_the_allowed_hours() {
    let rule = || {
        let (start, end) = ("09:00".into(), "15:00".into());
        Some(Rule::TimeWindow(proto::TimeWindow { allowed_days: Vec::new(), start, end }))
    };
    // Noon in London, then four in the afternoon.
    check(&Between { rule: rule(), ..NOTHING }, &End::Go).await;
    let late = noon() + TimeDelta::hours(4);
    check(&Between { rule: rule(), at: late, ..NOTHING }, &End::Kept("time_window")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_waits_for_the_end_of_quiet_hours() {
    check(&Between { at: noon() + TimeDelta::hours(9), ..NOTHING }, &End::Kept("quiet_hours"))
        .await;
    check(&Between { at: noon() + TimeDelta::hours(20), ..NOTHING }, &End::Go).await;
}

/// Nobody knows what the customer's clock shows: no contact, but that may be mended.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_waits_for_a_zone_that_can_be_read() {
    let nowhere = Between { fields: &[("timezone", "Mars/Base")], ..NOTHING };
    check(&nowhere, &End::Kept("timezone_unknown")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_given_back_after_a_withdrawal() {
    check(&Between { outcome: "opt_out", ..NOTHING }, &End::GivenBack("consent_withdrawn")).await;
}

/// An override lifts a rest for a commit as it does for a reservation.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_slot_is_committed_when_an_override_lifts_the_rest() {
    on_both(async |world| {
        world.create_channel(proto::Channel { name: "email".into(), ..Default::default() }).await;
        for decision in ["dec_1", "dec_2"] {
            assert_eq!(world.outcome_of_reserve("ann", decision).await, "granted");
        }
        assert!(world.commit(world.question("ann"), "dec_2").await.go);
        let policy = |id: &str, priority: i32, rule: Rule| proto::ContactPolicy {
            rule: Some(rule),
            priority: Some(priority),
            ..cap(id, "global", 1, 1)
        };
        world
            .create_policy(policy(
                "pol_rest",
                50,
                Rule::Cooldown(proto::Cooldown { window_hours: 24 }),
            ))
            .await;
        world
            .create_policy(policy("pol_lift", 60, Rule::AllowOverride(proto::AllowOverride {})))
            .await;
        assert!(world.commit(world.question("ann"), "dec_1").await.go);
    })
    .await;
}
