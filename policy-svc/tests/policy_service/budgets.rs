//! Budgets over all customers.

use chrono::TimeDelta;
use database::Location;
use policy_svc::{App, Deps};
use proffer_proto::{
    policy::v1::{
        self as proto, contact_gate_service_client::ContactGateServiceClient, contact_policy::Rule,
    },
    values::v1::{Value, value::Kind},
};
use serve::Neighbour;
use sqlx::{Connection as _, PgConnection};

use super::world::{World, candidate, cap, code, faults, impression, on_both, reservation, told};

fn budget(
    id: &str,
    scope: &str,
    max_contacts: Option<i64>,
    max_spend: Option<&str>,
) -> proto::ContactPolicy {
    let max_spend = max_spend.map(|text| Value { kind: Some(Kind::DecimalValue(text.into())) });
    let rule = Some(Rule::Budget(proto::Budget { window_days: 7, max_contacts, max_spend }));
    proto::ContactPolicy { rule, ..cap(id, scope, 1, 1) }
}

/// A question about an offer that costs so much, in 1/10,000.
fn priced(world: &World, customer: &str, cost: i64) -> proto::ContactQuestion {
    let offer =
        proto::OfferSubject { cost_ten_thousandths: cost, ..candidate("off_apparel", "Apparel") };
    proto::ContactQuestion { candidates: vec![offer], ..world.question(customer) }
}

async fn ask(world: &World, customer: &str, cost: i64) -> String {
    told(&world.reserve(priced(world, customer, cost), &format!("dec_{customer}")).await)
}

async fn world_with(world: &World, policies: Vec<proto::ContactPolicy>) {
    world.create_channel(proto::Channel { name: "email".into(), ..Default::default() }).await;
    for policy in policies {
        world.create_policy(policy).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_contact_of_a_budget_is_the_last_whoever_asks() {
    on_both(async |world| {
        world_with(world, vec![budget("pol_b", "category:Apparel", Some(3), None)]).await;
        for customer in ["ann", "bob", "cid"] {
            assert_eq!(ask(world, customer, 0).await, "granted");
        }
        let refused = world
            .reserve(world.question("dan"), "dec_dan")
            .await
            .judgment
            .unwrap()
            .verdicts
            .remove(0);
        let refusal = refused.refusal.unwrap();
        assert_eq!(code(&refusal), "budget_exhausted");
        assert!(
            refusal.reason.contains("3 of 3 contacts in last 7d over all customers"),
            "{}",
            refusal.reason
        );
        let verdict = &refused.policies[0];
        assert_eq!((verdict.contacts, verdict.reserved, verdict.limit), (0, 3, 3));
        assert!(verdict.next_allowed_at.is_some());
        let other = proto::ContactQuestion {
            candidates: vec![candidate("off_home", "Home")],
            ..world.question("dan")
        };
        assert_eq!(told(&world.reserve(other, "dec_other").await), "granted");
        // A check tells the same without taking anything.
        let checked = world.check(world.question("eve")).await.verdicts.remove(0).refusal.unwrap();
        assert_eq!(code(&checked), "budget_exhausted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_or_lapses_can_be_spent_again_and_what_is_committed_counts_for_its_window()
{
    on_both(async |world| {
        world_with(world, vec![budget("pol_b", "", Some(2), None)]).await;
        assert_eq!(
            (ask(world, "ann", 0).await, ask(world, "bob", 0).await),
            ("granted".into(), "granted".into())
        );
        assert_eq!(ask(world, "cid", 0).await, "budget_exhausted");
        assert_eq!(world.release("ann", "dec_ann", 0).await, 1);
        assert_eq!(ask(world, "cid", 0).await, "granted");
        assert!(world.commit(world.question("cid"), "dec_cid").await.go);
        assert_eq!(ask(world, "dan", 0).await, "budget_exhausted");
        // Bob's reservation lapses after a day, Cid's contact stays for seven.
        world.pass(TimeDelta::hours(24));
        assert_eq!(ask(world, "dan", 0).await, "granted");
        assert_eq!(ask(world, "eve", 0).await, "budget_exhausted");
        world.deliver(vec![impression("dan", 1, "dec_dan", world.clock.now())]).await;
        world.pass(TimeDelta::days(6));
        assert_eq!(ask(world, "eve", 0).await, "granted");
        assert_eq!(ask(world, "fay", 0).await, "budget_exhausted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spend_is_summed_to_the_ten_thousandth() {
    on_both(async |world| {
        world_with(world, vec![budget("pol_b", "", None, Some("1.5"))]).await;
        assert_eq!(ask(world, "ann", 6_000).await, "granted");
        assert_eq!(ask(world, "bob", 8_999).await, "granted");
        assert_eq!(ask(world, "cid", 2).await, "budget_exhausted");
        assert_eq!(ask(world, "cid", 1).await, "granted");
        assert_eq!(ask(world, "dan", 1).await, "budget_exhausted");
        assert_eq!(ask(world, "eve", 0).await, "granted");
        // A contact nobody reserved is a fact: it is counted, beyond the budget too.
        let seen = proto::OutcomeFact {
            offer: Some(proto::OfferSubject {
                cost_ten_thousandths: 5_000,
                ..candidate("off_apparel", "Apparel")
            }),
            ..impression("fay", 1, "", world.clock.now())
        };
        world.deliver(vec![seen]).await;
        let reason =
            world.check(priced(world, "gus", 1)).await.verdicts.remove(0).refusal.unwrap().reason;
        assert!(reason.contains("2 of 1.5 spend"), "{reason}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_decision_takes_no_more_than_is_left() {
    on_both(async |world| {
        world_with(world, vec![budget("pol_b", "", Some(2), None)]).await;
        let offers = ["a", "b", "c"].map(|id| candidate(id, "Apparel")).to_vec();
        let question = proto::ContactQuestion { candidates: offers, ..world.question("ann") };
        let request = proto::ReserveRequest { limit: 3, ..reservation(question, "dec_1") };
        assert_eq!(world.ask(request).await.unwrap().grants.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_new_or_changed_counts_what_was_before() {
    on_both(async |world| {
        world_with(world, vec![cap("pol_a", "", 1, 5)]).await;
        for customer in ["ann", "bob"] {
            assert_eq!(ask(world, customer, 4_000).await, "granted");
        }
        assert!(world.commit(world.question("ann"), "dec_ann").await.go);
        world.create_policy(budget("pol_b", "", Some(3), None)).await;
        assert_eq!(ask(world, "cid", 0).await, "granted");
        assert_eq!(ask(world, "dan", 0).await, "budget_exhausted");
        let update = proto::UpdateContactPolicyRequest {
            id: "pol_b".into(),
            contact_policy: Some(budget("pol_b", "", Some(9), Some("0.8"))),
            update_mask: None,
        };
        world.policies().update_contact_policy(update).await.unwrap();
        assert_eq!(ask(world, "dan", 1).await, "budget_exhausted");
        assert_eq!(ask(world, "dan", 0).await, "granted");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_needs_a_window_and_a_limit() {
    let world = World::on_sqlite().await;
    let policy = budget("pol_b", "", Some(0), Some("0.00001"));
    let request =
        proto::CreateContactPolicyRequest { contact_policy: Some(policy), ..Default::default() };
    assert_eq!(
        faults(&world.policies().create_contact_policy(request).await.unwrap_err()),
        [
            "contact_policy.budget.max_contacts: is 0; it must be 1 to 1000000000",
            "contact_policy.budget.max_spend: is 0.00001; it must be 0.0001 to 1000000000000",
        ]
    );
    // More decimals than an amount has are never rounded away.
    let longer = Some("0.0001000000000000000000000000000001");
    let request = proto::CreateContactPolicyRequest {
        contact_policy: Some(budget("pol_b", "", None, longer)),
        ..Default::default()
    };
    let refused = world.policies().create_contact_policy(request).await.unwrap_err();
    assert!(faults(&refused)[0].starts_with("contact_policy.budget.max_spend"), "{refused:?}");
    // An exponent is read here as in an offer's cost.
    let kept = world.create_policy(budget("pol_e", "", None, Some("1.5e3"))).await;
    let Some(Rule::Budget(kept)) = kept.rule else { panic!("not a budget") };
    assert_eq!(kept.max_spend.unwrap().kind, Some(Kind::DecimalValue("1500".into())));
    let kept = world.create_policy(budget("pol_c", "", None, Some(" 12.50 "))).await;
    let Some(Rule::Budget(kept)) = kept.rule else { panic!("not a budget") };
    assert_eq!(kept.max_spend.unwrap().kind, Some(Kind::DecimalValue("12.50".into())));
}

const CALLERS: usize = 64;
const MOST: usize = 10;

/// How many of 64 callers at once, each for a customer of its own, get a slot.
async fn granted(world: &World, replicas: Vec<Neighbour>) -> usize {
    let calls = (0..CALLERS).map(|caller| {
        let question = world.question(&format!("customer_{caller}"));
        let mut client = ContactGateServiceClient::new(replicas[caller % replicas.len()].clone());
        tokio::spawn(async move {
            let request = reservation(question, &format!("dec_{caller}"));
            client.reserve(request).await.unwrap().into_inner().grants.len()
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut all = 0;
    for call in calls {
        all += call.await.unwrap();
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn many_customers_at_once_share_what_is_there_and_no_more() {
    on_both(async |world| {
        world_with(world, vec![budget("pol_b", "", Some(MOST as i64), None)]).await;
        assert_eq!(granted(world, vec![world.neighbour.clone()]).await, MOST);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_share_one_budget() {
    let world = World::on_postgres().await;
    world_with(&world, vec![budget("pol_b", "", Some(MOST as i64), None)]).await;
    let other = App::build(&world.location, Deps { clock: world.clock.clone() }).await.unwrap();
    let replicas = vec![world.neighbour.clone(), Neighbour::local(other.routes())];
    assert_eq!(granted(&world, replicas).await, MOST);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_budget_lost_is_found_and_counted_again() {
    let world = World::on_postgres().await;
    world_with(&world, vec![budget("pol_b", "", Some(2), None)]).await;
    assert_eq!(
        (ask(&world, "ann", 0).await, ask(&world, "bob", 0).await),
        ("granted".into(), "granted".into())
    );
    assert_eq!(world.app.reconcile().await.unwrap(), policy_svc::Drift::default());
    let Location::Url(url) = &world.location else { panic!("not on PostgreSQL") };
    let mut connection = PgConnection::connect(url).await.unwrap();
    let lose = "delete from proffer_policy.budget_entry; update proffer_policy.budget set contacts \
                = 0, reserved = 0";
    sqlx::raw_sql(lose).execute(&mut connection).await.unwrap();
    let found = world.app.reconcile().await.unwrap();
    assert_eq!((found.missing, found.surplus), (2, 0));
    assert_eq!(ask(&world, "cid", 0).await, "budget_exhausted");
    // A slot without an owner is reported and left until it lapses: too few contacts are better
    // than too many.
    let invent = "insert into proffer_policy.budget_entry
        select tenant_id, policy_id, 'con_x', until_us, cost, reserved
        from proffer_policy.budget_entry limit 1";
    sqlx::raw_sql(invent).execute(&mut connection).await.unwrap();
    let found = world.app.reconcile().await.unwrap();
    assert_eq!((found.missing, found.surplus, found.totals), (0, 1, 1));
    world.release("ann", "dec_ann", 0).await;
    assert_eq!(ask(&world, "cid", 0).await, "budget_exhausted");
}
