//! What decisions are while other services are away, dead or slow, alone and in pairs: exactly what
//! ARCHITECTURE.md says under "A neighbor is unavailable", and never an offer that was not allowed.

mod database;
mod world;

use std::time::Duration;

use serde_json::{Value, json};
use serve::{CALL_TIMEOUT, Clock};

use self::world::{Away, SHOWN, World, ask, offered};

/// The services that decisions need, alone and in pairs.
const CASES: [&[&str]; 6] = [
    &["catalog"],
    &["policy", "experiment"],
    &["policy"],
    &["catalog", "experiment"],
    &["experiment"],
    &["catalog", "policy"],
];
/// A pause after which a service still counts as there: a connection is given up when a ping is not
/// answered within 5 s.
const SHORT: Duration = Duration::from_secs(2);
/// How much later than the deadline of a neighbor an answer may come on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// What an answer says without these services; none when it has its offers.
fn reason(away: &[&str]) -> Option<&'static str> {
    // The customer is read before policy-svc is asked.
    let reasons = [("catalog", "customer_unavailable"), ("policy", "policy_unavailable")];
    reasons.into_iter().find(|(service, _)| away.contains(service)).map(|(_, reason)| reason)
}

/// Outcomes are accepted while catalog-svc, which knows their types, is there.
async fn respond(world: &World, away: &[&str]) {
    if away.contains(&"catalog") {
        return;
    }
    let key = format!("{away:?}");
    let told = json!({"customerId": "c0", "outcome": "click", "idempotencyKey": key});
    world.client.ok("POST", "/api/v1/respond", &told).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_services_are_dead_decisions_are_degraded_as_the_table_says() {
    let mut world = World::start(testkit::fresh_database_url().await).await;
    for away in CASES {
        for service in away {
            world.leave(service, Away::Dead);
        }
        match reason(away) {
            Some(reason) => {
                let answer = world.decide().await;
                assert_eq!(answer["reasonCode"], reason, "{away:?}: {answer}");
                assert_eq!(offered(&answer), 0, "{away:?}: {answer}");
            }
            None => world.decide_until(&["experiments_stale"]).await,
        }
        world.ask_for_the_withdrawn().await;
        respond(&world, away).await;
        for service in away {
            world.come_back(service, Away::Dead).await;
        }
        world.decide_until(&[]).await;
    }
    assert_eq!(world.wrong_open, 0);
}

/// Each pair of cases has services of its own, because they wait most of the time.
#[tokio::test(flavor = "multi_thread")]
async fn while_services_are_slow_decisions_wait_and_are_degraded_once_they_are_given_up() {
    let mut worlds = Vec::new();
    for cases in CASES.chunks(2) {
        worlds.push((World::start(testkit::fresh_database_url().await).await, cases));
    }
    let all = worlds.into_iter().map(async |(mut world, cases)| {
        for away in cases {
            slow(&mut world, away).await;
        }
        world.wrong_open
    });
    assert_eq!(futures::future::join_all(all).await, [0, 0, 0]);
}

/// Services hang for a moment, and a decision waits and is whole. Then they hang until a decision
/// gives them up.
async fn slow(world: &mut World, away: &[&str]) {
    short(world, away).await;
    for service in away {
        world.leave(service, Away::Hung);
    }
    let Some(reason) = reason(away) else {
        world.decide_until(&["experiments_stale"]).await;
        world.ask_for_the_withdrawn().await;
        respond(world, away).await;
        return come_back(world, away).await;
    };
    let beyond = world.question();
    let (client, since) = (world.client.clone(), Clock::system().stopwatch());
    let (withdrawn, late) = tokio::join!(world.ask_for_the_withdrawn(), ask(&client, &beyond));
    let took = since.elapsed();
    println!("{away:?}: given up after {took:.1?}");
    respond(world, away).await;
    come_back(world, away).await;

    // Without both a decision may wait for one deadline after the other.
    let most = if away == ["catalog", "policy"] { CALL_TIMEOUT * 2 } else { CALL_TIMEOUT };
    assert!(took < most + SLACK, "{away:?}: an answer after {took:?}");
    assert_eq!((late.status, offered(&late.body)), (200, 0), "{away:?}: {}", late.body);
    assert_eq!(late.body["reasonCode"], reason, "{away:?}: {}", late.body);
    assert_eq!(withdrawn.body["reasonCode"], reason, "{away:?}: {}", withdrawn.body);
    // A late answer of such a service has no effect: the retry is a new decision.
    let customer = beyond["customerId"].as_str().unwrap();
    let path = format!("/api/v1/customers/{customer}/contacts");
    let found = world.client.ok("GET", &path, &Value::Null).await.unwrap();
    let contacts = found["data"].as_array().cloned().unwrap_or_default();
    let made = contacts.iter().filter(|it| it["state"] == "committed").count();
    assert_eq!(made, 0, "{away:?}: {found}");
    let again = ask(&world.client, &beyond).await;
    assert_eq!(again.body["decisions"][0]["offerId"], SHOWN, "{away:?}: {}", again.body);
}

/// Services hang for a moment: a decision waits for them, and is whole.
async fn short(world: &mut World, away: &[&str]) {
    for service in away {
        world.leave(service, Away::Hung);
    }
    let (question, client) = (world.question(), world.client.clone());
    let asked = tokio::spawn(async move { ask(&client, &question).await });
    tokio::time::sleep(SHORT).await;
    for service in away {
        world.come_back(service, Away::Hung).await;
    }
    let answer = asked.await.unwrap();
    assert_eq!(answer.body["decisions"][0]["offerId"], SHOWN, "{away:?}: {}", answer.body);
    world.decide_until(&[]).await;
}

async fn come_back(world: &mut World, away: &[&str]) {
    for service in away {
        world.come_back(service, Away::Hung).await;
    }
    world.decide_until(&[]).await;
}
