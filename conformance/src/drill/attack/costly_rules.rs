//! Rules that cost as much as is accepted: regular expressions that no automaton holds, on the
//! longest text that is matched. Before decisions had a budget two such questions made every call
//! wait 9 s.

use anyhow::Context as _;
use futures::future::{FutureExt as _, join_all};
use serde_json::{Value, json};

use super::{Attack, SCHEMA, Target, hostile};
use crate::http::Client;

/// Offers, and rules of each.
const OFFERS: usize = 12;
const RULES: usize = 100;
/// The longest text that is matched, in pairs of letters.
const PAIRS: usize = 512;
/// Callers at once.
const CALLERS: usize = 4;

/// The attack.
pub const ATTACK: Attack =
    Attack { name: "the costliest rules that are accepted", run: |target| run(target).boxed() };

async fn run(target: Target) -> anyhow::Result<()> {
    let client = Client::new(&target.address.to_string());
    client.ok("POST", "/api/v1/categories", &json!({"name": "Costly"})).await?;
    let record = json!({"note": "ab".repeat(PAIRS)});
    client.ok("PUT", &format!("/api/v1/schemas/{SCHEMA}/records/costly"), &record).await?;
    for number in 0..OFFERS {
        client.ok("POST", "/api/v1/offers", &offer(number)).await?;
    }
    client.ok("POST", "/api/v1/decision-flows", &flow()).await.context("the flow")?;
    join_all((0..CALLERS).map(|_| again_and_again(&target))).await;
    Ok(())
}

async fn again_and_again(target: &Target) {
    let question =
        json!({"customerId": "costly", "channel": "web", "flow": "Costly", "dryRun": true});
    loop {
        if let Ok(sender) = hostile::connect_h2(target, 64 * 1024).await {
            while ask(sender.clone(), target, &question).await.is_ok() {}
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn ask(
    sender: h2::client::SendRequest<bytes::Bytes>,
    target: &Target,
    question: &Value,
) -> anyhow::Result<()> {
    let mut sender = sender.ready().await?;
    let uri = format!("http://{}/api/v1/recommend", target.address);
    let request = http::Request::post(uri).header("content-type", "application/json");
    let (answer, mut body) = sender.send_request(request.body(())?, false)?;
    body.send_data(question.to_string().into(), true)?;
    target.count(1);
    let mut answer = answer.await?.into_body();
    while let Some(piece) = answer.data().await.transpose()? {
        answer.flow_control().release_capacity(piece.len())?;
    }
    Ok(())
}

fn flow() -> Value {
    let node = |id: &str, of: &str, config: Value| json!({"id": id, "type": of, "config": config});
    json!({"name": "Costly", "config": {"nodes": [
        node("inv", "inventory", json!({"categories": ["Costly"]})),
        node("enr", "enrich", json!({"schema": SCHEMA})),
        node("qual", "qualify", json!({})),
        node("cp", "contact_policy", json!({})),
        node("score", "score", json!({"method": "priority"})),
        node("rank", "rank", json!({})),
        node("out", "response", json!({})),
    ]}})
}

fn offer(number: usize) -> Value {
    let rule = |rule: usize| {
        let pattern = format!("[ab]*a[ab]{{{}}}{number}x", 80 + rule % 20);
        json!({"not": {"field": "note", "op": "matches", "value": pattern}})
    };
    let rules: Vec<_> = (0..RULES).map(rule).collect();
    json!({"name": format!("costly {number}"), "category": "Costly", "qualificationRules": rules})
}
