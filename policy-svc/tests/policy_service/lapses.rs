//! The share of reservations that lapse: what shows a sender who does not report.

use chrono::TimeDelta;
use proffer_proto::policy::v1 as proto;

use super::world::*;

const SEED_POLICY: &str = "pol_winback_3_touch_cap_30_day_window";

impl World {
    /// The share of the seed's policy, and its warnings.
    async fn lapsed_share(&self) -> (Option<f64>, Vec<String>) {
        let request = proto::GetContactPolicyRequest { id: SEED_POLICY.into() };
        let found = self.policies().get_contact_policy(request).await.unwrap().into_inner();
        let found = found.contact_policy.unwrap();
        (found.lapsed_share, found.warnings)
    }

    /// Reserves for a customer of their own.
    async fn hold(&self, name: &str) {
        let told = self.outcome_of_reserve(name, &format!("dec_{name}")).await;
        assert_eq!(told, "granted", "{name}");
    }

    /// A response of the customer to the decision of that name, as it happens.
    async fn answer(&self, name: &str) {
        let decision = format!("dec_{name}");
        let mut outcome = impression(name, 1, &decision, self.clock.now());
        outcome.key = "click".into();
        self.deliver(vec![outcome]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_share_of_lapsed_slots_is_a_figure_of_the_policy_and_is_warned_about() {
    seeded_on_both(async |world| {
        assert_eq!(world.lapsed_share().await, (None, Vec::new()), "nothing ended");
        for name in ["ann", "bea", "cyd", "dan", "eve", "fay"] {
            world.hold(name).await;
        }
        world.answer("ann").await;
        let committed = world.commit(world.question("bea"), "dec_bea").await;
        assert!(committed.go);
        world.release("cyd", "dec_cyd", 0).await;
        assert_eq!(world.lapsed_share().await, (Some(0.0), Vec::new()), "one given back is none");
        // Nobody asks about dan, eve and fay again: their slots lapse all the same.
        world.pass(TimeDelta::hours(24));
        let (share, warnings) = world.lapsed_share().await;
        assert_eq!(share, Some(0.6));
        assert!(warnings[0].starts_with("60 % of the reservations"), "{warnings:?}");
        // A response that comes too late is a contact, and the slot has lapsed.
        world.answer("dan").await;
        world.pass(TimeDelta::minutes(1));
        assert_eq!(world.lapsed_share().await.0, Some(0.6));
        assert_eq!(world.ledger("dan").await, ["dec_dan committed unreserved"]);
        // What ended more than seven days ago is left out: the commits, then the lapses.
        world.pass(TimeDelta::days(6));
        assert_eq!(world.lapsed_share().await.0, Some(1.0));
        world.pass(TimeDelta::days(1));
        assert_eq!(world.lapsed_share().await, (None, Vec::new()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_counters_are_at_most_a_minute_old() {
    seeded_on_both(async |world| {
        world.hold("ann").await;
        world.hold("bea").await;
        world.answer("ann").await;
        assert_eq!(world.lapsed_share().await.0, Some(0.0));
        world.pass(TimeDelta::hours(24));
        assert_eq!(world.lapsed_share().await.0, Some(0.5));
        world.hold("cyd").await;
        world.answer("cyd").await;
        world.pass(TimeDelta::seconds(59));
        assert_eq!(world.lapsed_share().await.0, Some(0.5));
        world.pass(TimeDelta::seconds(1));
        assert_eq!(world.lapsed_share().await.0, Some(1.0 / 3.0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_share_is_read_and_never_written() {
    seeded_on_both(async |world| {
        world.hold("ann").await;
        world.answer("ann").await;
        let request = proto::GetContactPolicyRequest { id: SEED_POLICY.into() };
        let read = world.policies().get_contact_policy(request.clone()).await.unwrap();
        let read = read.into_inner().contact_policy.unwrap();
        assert_eq!(read.lapsed_share, Some(0.0));
        let written = proto::UpdateContactPolicyRequest {
            id: SEED_POLICY.into(),
            contact_policy: Some(proto::ContactPolicy { lapsed_share: Some(0.9), ..read }),
            update_mask: None,
        };
        let written = world.policies().update_contact_policy(written).await.unwrap();
        assert_eq!(written.into_inner().contact_policy.unwrap().lapsed_share, None);
        let listed = proto::ListContactPoliciesRequest::default();
        let listed = world.policies().list_contact_policies(listed).await.unwrap().into_inner();
        assert!(listed.contact_policies.iter().all(|policy| policy.lapsed_share.is_none()));
    })
    .await;
}
