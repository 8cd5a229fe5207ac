//! What outcomes do: delivered, or pending inside a question.

use chrono::TimeDelta;
use proffer_proto::policy::v1::{self as proto, contact_policy::Rule};

use super::world::*;

/// Not a contact: a fact of this key.
fn fact(customer: &str, seq: i64, key: &str, channel: &str, world: &World) -> proto::OutcomeFact {
    let (key, channel) = (key.into(), channel.into());
    let impression = impression(customer, seq, "", world.clock.now());
    proto::OutcomeFact { counts_as_contact: false, offer: None, key, channel, ..impression }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impression_commits_its_reservation_once() {
    seeded_on_both(async |world| {
        world.reserve(world.question("ann"), "dec_1").await;
        world.deliver(vec![impression("ann", 1, "dec_1", noon())]).await;
        assert_eq!(world.ledger("ann").await, ["dec_1 committed"]);
        // Delivered again, and reported a second time under another id.
        world
            .deliver(vec![
                impression("ann", 1, "dec_1", noon()),
                impression("ann", 4, "dec_1", noon()),
            ])
            .await;
        assert_eq!(world.ledger("ann").await, ["dec_1 committed"]);
        assert!(world.commit(world.question("ann"), "dec_1").await.go);
        let summary = world.check(world.question("ann")).await.verdicts[0].summary.clone();
        assert_eq!(summary, "passed (1 contacts in last 30d)");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_impression_is_counted_and_marked() {
    seeded_on_both(async |world| {
        world.reserve(world.question("ann"), "dec_1").await;
        world.clock.set(noon() + TimeDelta::hours(25));
        let late = impression("ann", 1, "dec_1", world.clock.now());
        let unknown = impression("ann", 2, "dec_x", world.clock.now());
        world.deliver(vec![late, unknown]).await;
        assert_eq!(
            world.ledger("ann").await,
            ["dec_x committed unreserved", "dec_1 committed unreserved"]
        );
        assert_eq!(world.outcome_of_reserve("ann", "dec_2").await, "granted");
        assert_eq!(world.outcome_of_reserve("ann", "dec_3").await, "frequency_cap");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_does_not_count_gives_the_slot_back() {
    seeded_on_both(async |world| {
        for decision in ["dec_1", "dec_2", "dec_3"] {
            world.reserve(world.question("ann"), decision).await;
        }
        let expired = proto::OutcomeFact {
            key: "expired".into(),
            counts_as_contact: false,
            releases: true,
            ..impression("ann", 1, "dec_2", noon())
        };
        world.deliver(vec![expired]).await;
        assert_eq!(
            world
                .ledger("ann")
                .await
                .iter()
                .filter(|told| told.as_str() == "dec_2 released")
                .count(),
            1
        );
        assert_eq!(world.outcome_of_reserve("ann", "dec_4").await, "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opt_out_binds_the_next_reserve_and_commit() {
    seeded_on_both(async |world| {
        world.put_consent("ann", "email", true).await;
        world.reserve(world.question("ann"), "dec_1").await;
        world.deliver(vec![fact("ann", 1, "opt_out", "email", world)]).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_2").await, "consent_withdrawn");
        let refused = world.commit(world.question("ann"), "dec_1").await.refusal.unwrap();
        assert_eq!(code(&refused), "consent_withdrawn");
        assert_eq!(world.ledger("ann").await, ["dec_1 released"]);
        let mut by_text = world.question("ann");
        by_text.channel = "sms".into();
        assert_eq!(told(&world.reserve(by_text, "dec_3").await), "granted");
        // A later grant lifts it.
        world.pass(TimeDelta::minutes(1));
        assert!(world.put_consent("ann", "email", true).await.effective);
        assert_eq!(world.outcome_of_reserve("ann", "dec_4").await, "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opt_out_without_a_channel_withdraws_wherever_people_are_contacted() {
    seeded_on_both(async |world| {
        world.deliver(vec![fact("ann", 1, "opt_out", "", world)]).await;
        for (channel, expected) in
            [("email", "consent_withdrawn"), ("sms", "consent_withdrawn"), ("web", "granted")]
        {
            let mut question = world.question("ann");
            question.channel = channel.into();
            assert_eq!(
                told(&world.reserve(question, &format!("dec_{channel}")).await),
                expected,
                "{channel}"
            );
        }
    })
    .await;
}

/// A decision never overtakes an outcome: what is acknowledged and not delivered comes along and
/// binds first.
#[tokio::test(flavor = "multi_thread")]
async fn pending_outcomes_bind_first_and_are_not_applied_again_when_delivered() {
    seeded_on_both(async |world| {
        world.reserve(world.question("ann"), "dec_1").await;
        // The sender numbers other messages in between.
        let pending = vec![
            impression("ann", 3, "dec_1", noon()),
            impression("ann", 7, "", noon()),
            impression("ann", 8, "", noon()),
        ];
        let mut question = world.question("ann");
        question.pending_outcomes = pending.clone();
        let response = world.reserve(question, "dec_2").await;
        assert_eq!(
            response.judgment.unwrap().verdicts[0].summary,
            "3 of 3 in last 30d (3 contacts)"
        );
        let ledger = world.ledger("ann").await;
        assert_eq!(ledger.len(), 3);
        world.deliver(pending).await;
        assert_eq!(world.ledger("ann").await, ledger);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_opt_out_binds_the_reserve_it_comes_along_with() {
    seeded_on_both(async |world| {
        let withdrawal = fact("ann", 1, "opt_out", "email", world);
        let mut question = world.question("ann");
        question.pending_outcomes = vec![withdrawal.clone()];
        let judged = world.check(question.clone()).await.refusal.unwrap();
        assert_eq!(code(&judged), "consent_withdrawn");
        // A check leaves nothing behind.
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
        assert_eq!(told(&world.reserve(question.clone(), "dec_2").await), "consent_withdrawn");
        assert_eq!(
            code(&world.commit(question, "dec_1").await.refusal.unwrap()),
            "consent_withdrawn"
        );
        // A grant between the two deliveries stays valid: the withdrawal is not applied a second
        // time.
        world.pass(TimeDelta::minutes(1));
        world.put_consent("ann", "email", true).await;
        world.deliver(vec![withdrawal]).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_3").await, "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_suppresses_until_the_rest_is_over() {
    seeded_on_both(async |world| {
        let rest = proto::OutcomeBased {
            outcomes: vec!["complaint".into(), "not_interested".into()],
            window_days: 90,
        };
        let policy = proto::ContactPolicy {
            rule: Some(Rule::OutcomeBased(rest)),
            ..cap("pol_rest", "global", 1, 1)
        };
        world.create_policy(policy).await;
        world.deliver(vec![fact("ann", 1, "click", "", world)]).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
        world.deliver(vec![fact("ann", 2, "complaint", "", world)]).await;
        assert_eq!(world.outcome_of_reserve("ann", "dec_2").await, "suppressed");
        assert_eq!(
            code(&world.commit(world.question("ann"), "dec_1").await.refusal.unwrap()),
            "suppressed"
        );
        assert_eq!(world.ledger("ann").await, ["dec_1 released"]);
        world.clock.set(noon() + TimeDelta::days(90));
        assert_eq!(world.outcome_of_reserve("ann", "dec_3").await, "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_takes_many_customers_in_any_order() {
    seeded_on_both(async |world| {
        let mut outcomes = Vec::new();
        for seq in [3, 1, 2] {
            outcomes.extend((0..100).rev().map(|n| impression(&format!("c{n}"), seq, "", noon())));
        }
        // Out of order within the batch: applied in the customer's order all the same.
        world.deliver(outcomes.clone()).await;
        world.deliver(outcomes).await;
        for customer in ["c0", "c63", "c64", "c99"] {
            assert_eq!(world.ledger(customer).await.len(), 3, "{customer}");
        }
    })
    .await;
}

/// A withdrawal must not be lost because the channel is gone or was named by nobody's name.
#[tokio::test(flavor = "multi_thread")]
async fn opt_out_from_a_channel_of_a_former_name_binds_a_new_one_of_that_name() {
    seeded_on_both(async |world| {
        let request = proto::DeleteChannelRequest { id: "email".into(), etag: String::new() };
        world.channels().delete_channel(request).await.unwrap();
        world.deliver(vec![fact("ann", 1, "opt_out", "Email", world)]).await;
        let created = world
            .create_channel(proto::Channel { name: "email".into(), ..Default::default() })
            .await;
        assert_eq!(created.id, "ch_email_2");
        assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "consent_withdrawn");
        assert_eq!(world.outcome_of_reserve("bob", "dec_2").await, "granted");
    })
    .await;
}
