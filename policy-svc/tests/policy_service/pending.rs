//! Whatever is pending counts for every kind of policy: an outcome that comes along with a question
//! and one that was delivered before give the same verdict.

use chrono::TimeDelta;
use proffer_proto::policy::v1 as proto;
use proptest::{prelude::*, test_runner::TestRunner};

use super::world::*;

#[path = "../../src/messages/rule/tests/samples.rs"]
mod samples;

/// Offers of the samples.
const OFFERS: usize = 2;
/// Longer than any window of the samples and than any reservation.
const BETWEEN: TimeDelta = TimeDelta::days(40);

/// What a customer is reported to have done.
#[derive(Clone, Copy, Debug)]
enum Happened {
    /// Saw, or answered, the offer of a decision; so many minutes ago.
    Contact { decision: Option<usize>, offer: usize, ago: i64 },
    /// Was not shown the offer of a decision.
    Missed { decision: usize },
    /// Said something that is no contact.
    Said { key: &'static str, ago: i64 },
}

fn happened() -> impl Strategy<Value = Happened> {
    let ago = || -5..600_i64;
    prop_oneof![
        3 => (0..3_usize, 0..OFFERS, ago()).prop_map(|(decision, offer, ago)| Happened::Contact {
            decision: Some(decision), offer, ago
        }),
        3 => (0..OFFERS, ago())
            .prop_map(|(offer, ago)| Happened::Contact { decision: None, offer, ago }),
        1 => (0..3_usize).prop_map(|decision| Happened::Missed { decision }),
        2 => (prop::sample::select(vec!["complaint", "click", "opt_out"]), ago())
            .prop_map(|(key, ago)| Happened::Said { key, ago }),
    ]
}

fn offer(number: usize) -> proto::OfferSubject {
    let mut offer = candidate(&format!("off_{number}"), ["Apparel", "Toys"][number % 2]);
    offer.cost_ten_thousandths = 7;
    offer
}

fn question(world: &World, customer: &str) -> proto::ContactQuestion {
    let mut question = world.question(customer);
    question.customer_fields.insert("tier".into(), text("silver"));
    question.candidates = (0..4).map(offer).collect();
    question
}

fn fact(world: &World, customer: &str, seq: i64, happened: Happened) -> proto::OutcomeFact {
    let named = |decision: usize| format!("dec_{customer}_{decision}");
    let at = |ago: i64| Some(stamp(world.clock.now() - TimeDelta::minutes(ago)));
    let plain = impression(customer, seq, "", world.clock.now());
    match happened {
        Happened::Contact { decision, offer: number, ago } => proto::OutcomeFact {
            occurred_at: at(ago),
            offer: Some(offer(number)),
            rank: i32::from(decision.is_some()),
            decision_id: decision.map(named).unwrap_or_default(),
            ..plain
        },
        Happened::Missed { decision } => proto::OutcomeFact {
            key: "expired".into(),
            counts_as_contact: false,
            releases: true,
            rank: 1,
            decision_id: named(decision),
            ..plain
        },
        Happened::Said { key, ago } => proto::OutcomeFact {
            key: key.into(),
            counts_as_contact: false,
            offer: None,
            occurred_at: at(ago),
            ..plain
        },
    }
}

/// A judgment without what it was made of.
fn bare(judgment: Option<proto::Judgment>) -> proto::Judgment {
    proto::Judgment { facts: None, ..judgment.unwrap() }
}

/// The contacts of a customer; which of one instant comes first is not said.
async fn sorted(world: &World, customer: &str) -> Vec<String> {
    let mut ledger = world.ledger(customer).await;
    ledger.sort();
    ledger
}

/// Two worlds with one policy: in the first outcomes are delivered, in the second they come along.
struct Pair {
    delivered: World,
    pending: World,
}

impl Pair {
    async fn with(rule: &proto::contact_policy::Rule) -> Self {
        let (delivered, pending) = (World::on_sqlite().await, World::on_sqlite().await);
        for world in [&delivered, &pending] {
            let channel = proto::Channel { name: "email".into(), ..Default::default() };
            world.create_channel(channel).await;
            let policy = cap("pol_1", "global", 1, 1);
            let rule = Some(rule.clone());
            world.create_policy(proto::ContactPolicy { rule, ..policy }).await;
        }
        Self { delivered, pending }
    }

    /// A customer with some reservations, and then what happened.
    async fn check(&self, customer: &str, held: &[usize], all: &[Happened]) {
        let Self { delivered, pending } = self;
        for world in [delivered, pending] {
            world.pass(BETWEEN);
            for (number, offer_number) in held.iter().enumerate() {
                let mut question = question(world, customer);
                question.candidates = vec![offer(*offer_number)];
                world.reserve(question, &format!("dec_{customer}_{number}")).await;
                world.pass(TimeDelta::minutes(7));
            }
        }
        let facts = |world| {
            let facts = (1..).zip(all).map(|(seq, happened)| fact(world, customer, seq, *happened));
            facts.collect::<Vec<_>>()
        };
        delivered.deliver(facts(delivered)).await;
        let plain = question(delivered, customer);
        let along = proto::ContactQuestion {
            pending_outcomes: facts(pending),
            ..question(pending, customer)
        };
        let [check, again] = [(delivered, &plain), (pending, &along)]
            .map(async |(world, asked)| bare(Some(world.check(asked.clone()).await)));
        let (check, again) = (check.await, again.await);
        assert_eq!(again, check, "a check of {customer} with {held:?} after {all:?}");
        let decision = format!("dec_{customer}_last");
        let granted = delivered.reserve(plain, &decision).await;
        let granted_again = pending.reserve(along, &decision).await;
        assert_eq!(granted_again.grants, granted.grants, "{customer} {held:?} {all:?}");
        assert_eq!(bare(granted_again.judgment), bare(granted.judgment), "{held:?} {all:?}");
        // The relay delivers them all the same, and that changes nothing.
        pending.deliver(facts(pending)).await;
        assert_eq!(sorted(pending, customer).await, sorted(delivered, customer).await);
    }
}

#[test]
fn delivered_or_pending_an_outcome_counts_alike_for_every_kind_of_policy() {
    let rules = samples::samples();
    let names =
        rules.iter().map(|rule| policy_svc::messages::rule::kind(Some(rule)).unwrap().name());
    assert_eq!(names.collect::<Vec<_>>(), policy_svc::messages::rule::NAMES);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for rule in rules {
        let pair = runtime.block_on(Pair::with(&rule));
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 12,
            max_shrink_iters: 0,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let strategy =
            (prop::collection::vec(0..OFFERS, 0..3), prop::collection::vec(happened(), 1..5));
        let case = std::cell::Cell::new(0);
        let run = runner.run(&strategy, |(held, all)| {
            case.set(case.get() + 1);
            runtime.block_on(pair.check(&format!("c{}", case.get()), &held, &all));
            Ok(())
        });
        run.unwrap_or_else(|fault| panic!("{rule:?}: {fault}"));
    }
}

/// The budget's own case: what a customer was just reported to have seen is spent.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_not_overspent_by_a_contact_that_is_not_delivered_yet() {
    seeded_on_both(async |world| {
        let budget = proto::Budget { window_days: 7, max_contacts: Some(1), ..Default::default() };
        let rule = Some(proto::contact_policy::Rule::Budget(budget));
        world.create_policy(proto::ContactPolicy { rule, ..cap("pol_b", "global", 1, 1) }).await;
        let seen = proto::ContactQuestion {
            pending_outcomes: vec![impression("ann", 1, "", world.clock.now())],
            ..world.question("ann")
        };
        let judgment = world.check(seen.clone()).await;
        assert_eq!(code(judgment.verdicts[0].refusal.as_ref().unwrap()), "budget_exhausted");
        let found =
            judgment.verdicts[0].policies.iter().find(|it| it.policy_id == "pol_b").unwrap();
        assert_eq!((found.contacts, found.reserved, found.limit), (1, 0, 1));
        let week = world.clock.now() + TimeDelta::days(7);
        assert_eq!(instant(found.next_allowed_at), week);
        assert_eq!(told(&world.reserve(seen, "dec_1").await), "budget_exhausted");
        // A reservation that is reported as seen is one contact, before and after.
        world.pass(TimeDelta::days(8));
        assert_eq!(world.outcome_of_reserve("bea", "dec_2").await, "granted");
        let seen = proto::ContactQuestion {
            pending_outcomes: vec![impression("bea", 1, "dec_2", world.clock.now())],
            ..world.question("bea")
        };
        let judgment = world.check(seen).await;
        let found =
            judgment.verdicts[0].policies.iter().find(|it| it.policy_id == "pol_b").unwrap();
        assert_eq!((found.contacts, found.reserved), (1, 0));
    })
    .await;
}
