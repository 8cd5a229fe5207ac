//! What a customer was just reported to have seen or said counts in the very next decision, for
//! every kind of policy that reads it, delivered or not.

use std::collections::BTreeSet;

use conformance::{
    door::{Door, DoorKind},
    http::Client,
    play::play,
    scenario,
    suite::{Shape, Store, Suite},
};
use proffer_proto::POOL;
use serde_json::{Value, json};

const SHOWN: &str = "off_apparel_20_back";
const OTHER: &str = "off_home_bundle_3_save_15";
/// Customers of each kind: the relay is faster than the decision for some of them.
const CUSTOMERS: usize = 4;

/// A kind that reads what customers did: its settings, the offer that was seen, what was reported
/// of it, and the reason of the refusal that follows.
fn reading() -> Vec<(&'static str, Value, &'static str, &'static str, &'static str)> {
    let one = json!({"windowDays": 7, "maxImpressions": 1});
    vec![
        ("frequency_cap", one.clone(), SHOWN, "impression", "frequency_cap"),
        ("customer_total_cap", one.clone(), SHOWN, "impression", "customer_total_cap"),
        ("cross_channel_cap", one, SHOWN, "impression", "cross_channel_cap"),
        ("cooldown", json!({"windowHours": 48}), SHOWN, "impression", "cooldown"),
        (
            "category_suppression",
            json!({"windowDays": 7}),
            SHOWN,
            "impression",
            "category_suppression",
        ),
        (
            "mutual_exclusion",
            json!({"offers": [SHOWN, OTHER], "windowDays": 7}),
            OTHER,
            "impression",
            "mutual_exclusion",
        ),
        (
            "outcome_based",
            json!({"outcomes": ["complaint"], "windowDays": 7}),
            SHOWN,
            "complaint",
            "suppressed",
        ),
        (
            "budget",
            json!({"windowDays": 7, "maxContacts": 1}),
            SHOWN,
            "impression",
            "budget_exhausted",
        ),
    ]
}

/// Kinds that read nothing of what customers did.
const OTHERS: [&str; 3] = ["time_window", "segment_exclusion", "allow_override"];

async fn post(client: &Client, path: &str, body: &Value) -> Value {
    client.ok("POST", &format!("/api/v1/{path}"), body).await.unwrap()
}

async fn check(shape: Shape, store: Store) {
    let suite = Suite::start(shape, store).await.unwrap();
    let configured = Door::open(DoorKind::Curl, &suite).unwrap();
    play(&scenario::load("winback-configuration").unwrap(), &configured).await.unwrap();
    let client = suite.client();
    let day = serve::Clock::system().now() - chrono::TimeDelta::days(140);
    let record = json!({"lifetimePurchases": 3, "lifetimeRevenue": 100,
        "primaryCategory": "apparel", "lastPurchaseDate": day.date_naive().to_string()});
    for (kind, settings, offer, outcome, reason) in reading() {
        for number in 0..CUSTOMERS {
            let customer = format!("{kind}_{number}");
            let path = format!("/api/v1/schemas/Customer/records/{customer}");
            client.ok("PUT", &path, &record).await.unwrap();
            // A budget is over all customers: each has a channel of their own.
            let channel = json!({"id": customer, "name": customer, "channelType": "web"});
            post(&client, "channels", &channel).await;
            let id = format!("pol_{customer}");
            let of_channel = format!("channel:{customer}");
            let scope = if kind == "budget" { of_channel.as_str() } else { "global" };
            let mut policy = json!({"id": id, "name": id, "ruleType": kind, "scope": scope});
            policy.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
            post(&client, "contact-policies", &policy).await;
            let asked = |is_dry: bool| {
                json!({"customerId": customer, "channel": customer, "flow": "Winback",
                    "dryRun": is_dry})
            };
            let before = post(&client, "recommend", &asked(true)).await;
            assert_eq!(before["decisions"][0]["offerId"], SHOWN, "{kind}: {before}");
            let reported = json!({"customerId": customer, "outcome": outcome, "offerId": offer,
                "channel": customer, "idempotencyKey": "seen"});
            post(&client, "respond", &reported).await;
            for is_dry in [true, false] {
                let after = post(&client, "recommend", &asked(is_dry)).await;
                assert_eq!(after["reasonCode"], reason, "{kind}, dry run {is_dry}: {after}");
            }
            client
                .ok("DELETE", &format!("/api/v1/contact-policies/{id}"), &Value::Null)
                .await
                .unwrap();
        }
    }
}

#[test]
fn the_kinds_are_those_of_the_contract() {
    let policy = POOL.get_message_by_name("proffer.policy.v1.ContactPolicy").unwrap();
    let rule = policy.oneofs().find(|oneof| oneof.name() == "rule").unwrap();
    let known: BTreeSet<_> = rule.fields().map(|field| field.name().to_owned()).collect();
    let here = reading().into_iter().map(|(kind, ..)| kind).chain(OTHERS);
    assert_eq!(here.map(str::to_owned).collect::<BTreeSet<_>>(), known);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_pending_counts_for_every_kind_of_policy_in_one_process() {
    check(Shape::AllInOne, Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_pending_counts_for_every_kind_of_policy_in_five_processes() {
    check(Shape::FiveProcesses, Store::Postgres).await;
}
