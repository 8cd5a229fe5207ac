//! What decisions are while the database is away, dead, hung or slow, alone and with a service:
//! nothing is granted, callers are refused in time, and work goes on by itself.

use std::time::Duration;

use serde_json::{Value, json};
use serve::Clock;
use testkit::Postgres;

use super::world::{Away, SHOWN, World, about, ask};

/// The database alone, and with each service.
const WITH_DATABASE: [&[&str]; 4] = [&[], &["catalog"], &["policy"], &["experiment"]];
/// After so long a silence at most a database counts as away; a busy machine may add something.
const BOUND: Duration = Duration::from_secs(8);
/// A pause of the database that is shorter than that silence.
const SHORT: Duration = Duration::from_secs(1);
/// How often a pause is tried that a busy machine may have made longer.
const TRIES: usize = 5;

/// Asks about a customer and reports an outcome of theirs: both are refused, in time.
async fn refused(world: &mut World, customer: &str, away: &[&str]) -> Value {
    let told = json!({"customerId": customer, "outcome": "click",
        "idempotencyKey": format!("{away:?}")});
    let asked = about(customer);
    for (path, body) in [("/api/v1/recommend", &asked), ("/api/v1/respond", &told)] {
        let since = Clock::system().stopwatch();
        let answer = world.client.call("POST", path, body).await.unwrap();
        let took = since.elapsed();
        assert_eq!(answer.status, 503, "{away:?}: {path} {}", answer.body);
        assert!(took < BOUND, "{away:?}: {path} took {took:?}");
    }
    assert_eq!(world.ask_for_the_withdrawn().await.status, 503);
    told
}

/// What was refused was not done: the customer holds no slot, and the outcome is new.
async fn nothing_was_done(world: &World, customer: &str, told: &Value, away: &[&str]) {
    let path = format!("/api/v1/customers/{customer}/contacts");
    let found = world.client.ok("GET", &path, &Value::Null).await.unwrap();
    assert_eq!(found["data"].as_array().map(Vec::len), Some(0), "{away:?}: {found}");
    let recorded = world.client.ok("POST", "/api/v1/respond", told).await.unwrap();
    assert_ne!(recorded["duplicate"], true, "{away:?}: {recorded}");
}

async fn all_ready(world: &mut World) {
    for index in 0..world.cluster.members.len() {
        world.cluster.ready(index).await.unwrap();
    }
    world.ask_until_answered().await;
    world.decide_until(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_dead_alone_or_with_a_service_nothing_is_granted() {
    let mut server = Postgres::start().unwrap();
    let mut world = World::start(server.url.clone()).await;
    for (number, away) in WITH_DATABASE.into_iter().enumerate() {
        server.crash().unwrap();
        for service in away {
            world.leave(service, Away::Dead);
        }
        let customer = world.last_customer(number);
        let told = refused(&mut world, &customer, away).await;
        server.start_again().unwrap();
        for service in away {
            world.come_back(service, Away::Dead).await;
        }
        all_ready(&mut world).await;
        nothing_was_done(&world, &customer, &told, away).await;
    }
    assert_eq!(world.wrong_open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_hangs_alone_or_with_a_service_nothing_is_granted() {
    let server = Postgres::start().unwrap();
    let mut world = World::start(server.url.clone()).await;
    server.pause().unwrap();
    let mut all_told = Vec::new();
    // The first case waits until the silence is noticed; with a service it is noticed already.
    for (number, away) in WITH_DATABASE.into_iter().enumerate() {
        for service in away {
            world.leave(service, Away::Hung);
        }
        let customer = world.last_customer(number);
        let told = refused(&mut world, &customer, away).await;
        all_told.push((customer, told, away));
        for service in away {
            world.come_back(service, Away::Hung).await;
        }
    }
    server.resume().unwrap();
    all_ready(&mut world).await;
    for (customer, told, away) in &all_told {
        nothing_was_done(&world, customer, told, away).await;
    }
    assert_eq!(world.wrong_open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_slow_a_decision_waits_and_is_whole() {
    let server = Postgres::start().unwrap();
    let mut world = World::start(server.url.clone()).await;
    for _ in 0..TRIES {
        let (question, client) = (world.question(), world.client.clone());
        server.pause().unwrap();
        let since = Clock::system().stopwatch();
        let asked = tokio::spawn(async move { ask(&client, &question).await });
        tokio::time::sleep(SHORT).await;
        server.resume().unwrap();
        let answer = asked.await.unwrap();
        if answer.status == 503 {
            // The silence was too long for a machine that had other things to do.
            all_ready(&mut world).await;
            continue;
        }
        assert!(since.elapsed() >= SHORT, "the database did not hang");
        assert_eq!(answer.body["decisions"][0]["offerId"], SHOWN, "{}", answer.body);
        assert_eq!(world.ask_for_the_withdrawn().await.status, 200);
        assert_eq!(world.wrong_open, 0);
        return;
    }
    panic!("no decision waited for the database");
}
