//! Which contacts and outcomes are deleted by age, and which never are.

use chrono::TimeDelta;
use proffer_proto::policy::v1::{self as proto, contact_policy::Rule};
use serve::{Deleted, Pace, RetentionSettings};

use super::world::{World, cap, impression, noon, on_both, seeded_on_both};

/// What is deleted so many days after the start by these limits.
async fn deleted_after(world: &World, days: i64, limits: &[&str]) -> Deleted {
    world.clock.set(noon() + TimeDelta::days(days));
    let limits = limits.iter().map(|limit| serve::retention_limit(limit).unwrap()).collect();
    let app = world.app.clone().with_retention(RetentionSettings { limits });
    let mut deleted = app.delete_old_rows(Pace::Full).await.unwrap();
    deleted.retain(|_, rows| *rows > 0);
    deleted
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_go_past_their_limit_but_not_while_a_cap_counts_them() {
    seeded_on_both(async |world| {
        // The seed's cap counts 30 days. One slot is used, one is given back, one lapses.
        for decision in ["dec_1", "dec_2", "dec_3"] {
            assert_eq!(world.outcome_of_reserve("ann", decision).await, "granted");
        }
        world.commit(world.question("ann"), "dec_1").await;
        assert_eq!(world.release("ann", "dec_2", 1).await, 1);
        assert_eq!(deleted_after(world, 400, &[]).await, Deleted::new());
        assert_eq!(deleted_after(world, 400, &["other/contacts=10"]).await, Deleted::new());
        assert_eq!(deleted_after(world, 29, &["contacts=10"]).await, Deleted::new());
        assert_eq!(world.ledger("ann").await.len(), 3);
        assert_eq!(deleted_after(world, 32, &["contacts=40"]).await, Deleted::new());
        assert_eq!(
            deleted_after(world, 32, &["contacts=10"]).await,
            Deleted::from([("contact", 3)])
        );
        assert_eq!(world.ledger("ann").await, [""; 0]);
        assert_eq!(world.outcome_of_reserve("ann", "dec_4").await, "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_stays_while_a_budget_counts_it() {
    on_both(async |world| {
        world.create_channel(proto::Channel { name: "email".into(), ..Default::default() }).await;
        let budget =
            proto::Budget { window_days: 100, max_contacts: Some(1), ..Default::default() };
        let rule = Some(Rule::Budget(budget));
        let policy = proto::ContactPolicy { rule, ..cap("pol_b", "category:Apparel", 1, 1) };
        world.create_policy(policy).await;
        world.deliver(vec![impression("ann", 1, "", noon())]).await;
        assert_eq!(deleted_after(world, 99, &["contacts=10"]).await, Deleted::new());
        assert_eq!(world.app.reconcile().await.unwrap(), policy_svc::Drift::default());
        let gone = Deleted::from([("contact", 1)]);
        assert_eq!(deleted_after(world, 101, &["contacts=10"]).await, gone);
        assert_eq!(world.app.reconcile().await.unwrap(), policy_svc::Drift::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_stays_while_a_policy_rests_on_it_and_a_withdrawal_for_ever() {
    seeded_on_both(async |world| {
        let after_complaint = Rule::OutcomeBased(proto::OutcomeBased {
            outcomes: vec!["complaint".into()],
            window_days: 90,
        });
        let rule = Some(after_complaint);
        world.create_policy(proto::ContactPolicy { rule, ..cap("pol_o", "global", 1, 1) }).await;
        let fact = |seq, key: &str| proto::OutcomeFact {
            key: key.into(),
            counts_as_contact: false,
            ..impression("ann", seq, "", noon())
        };
        let facts = vec![fact(1, "complaint"), fact(2, "click"), fact(3, "opt_out")];
        world.deliver(facts).await;
        assert_eq!(deleted_after(world, 89, &["outcomes=10"]).await, Deleted::new());
        assert_ne!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
        let gone = Deleted::from([("outcome", 2)]);
        assert_eq!(deleted_after(world, 91, &["outcomes=10"]).await, gone);
        assert_eq!(world.outcome_of_reserve("ann", "dec_2").await, "consent_withdrawn");
    })
    .await;
}
