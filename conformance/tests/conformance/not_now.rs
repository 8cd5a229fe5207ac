//! "Not now" is no answer to keep: a retry under the same request id is decided anew, and what is
//! decided then is kept.

use conformance::{
    campaign,
    http::Client,
    suite::{Shape, Store, Suite},
};
use serde_json::{Value, json};

/// Places of the services among the processes of a suite of five.
const CATALOG: usize = 0;
const POLICY: usize = 1;

async fn ask(client: &Client, asked: &Value) -> Value {
    client.ok("POST", "/api/v1/recommend", asked).await.unwrap()
}

/// Asks while a service is dead, and again when it is back.
async fn check(service: usize, reason: &str, store: Store) {
    let mut suite = Suite::start(Shape::FiveProcesses, store).await.unwrap();
    campaign::configure(&suite.base).await.unwrap();
    let client = suite.client();
    client.ok("PUT", &campaign::record_path("ann"), &campaign::lapsed(3)).await.unwrap();
    let asked = |request_id: &str| {
        let (channel, flow) = ("web", "Winback");
        json!({"customerId": "ann", "channel": channel, "flow": flow, "requestId": request_id})
    };
    let before = ask(&client, &asked("before")).await;
    assert_eq!(before["decisions"][0]["offerId"], "off_apparel_20_back", "{before}");

    suite.processes[service].kill().unwrap();
    let refused = ask(&client, &asked("during")).await;
    assert_eq!(refused["reasonCode"], reason, "{refused}");
    let refused_again = ask(&client, &asked("during")).await;
    assert_ne!(refused_again["decisionId"], refused["decisionId"], "decided anew");
    let kept = ask(&client, &asked("before")).await;
    assert_eq!(kept["decisionId"], before["decisionId"], "what was answered stays answered");

    suite.restart().await.unwrap();
    let client = suite.client();
    let answered = ask(&client, &asked("during")).await;
    assert_eq!(answered["decisions"][0]["offerId"], "off_apparel_20_back", "{answered}");
    let repeated = ask(&client, &asked("during")).await;
    assert_eq!(repeated["decisionId"], answered["decisionId"]);
    // One slot for each request that was answered, none for a refusal.
    let contacts = client.ok("GET", "/api/v1/customers/ann/contacts", &Value::Null).await.unwrap();
    assert_eq!(contacts["data"].as_array().unwrap().len(), 2, "{contacts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_unavailable_is_not_kept_under_its_request_id() {
    check(POLICY, "policy_unavailable", Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn customer_unavailable_is_not_kept_under_its_request_id() {
    check(CATALOG, "customer_unavailable", Store::Postgres).await;
}
