//! Killed under load, started again on the same data: what was acknowledged is there.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use conformance::{
    door::{Door, DoorKind},
    http::Client,
    play::play,
    scenario,
    suite::{Shape, Store, Suite},
};
use serde_json::{Value, json};

const WRITERS: usize = 8;
const KILLS: usize = 3;
/// Acknowledgements between two kills.
const LEAST_ACKNOWLEDGED: usize = 300;

/// What was acknowledged to a caller is done.
#[derive(Clone, Debug)]
enum Acknowledged {
    Record { customer: String, purchases: i64 },
    Decision { id: String, customer: String, offers: usize },
    Outcome { id: String, customer: String, key: String },
}

/// Writes a record, asks for a decision, reports an outcome, again and again, until the server is
/// gone.
async fn write(
    client: Client,
    writer: usize,
    round: usize,
    done: Arc<Mutex<Vec<Acknowledged>>>,
    count: Arc<AtomicUsize>,
) {
    for turn in 0.. {
        let customer = format!("w{writer}-r{round}-{turn}");
        let keep = |acknowledged| {
            done.lock().unwrap().push(acknowledged);
            count.fetch_add(1, Ordering::SeqCst);
        };
        let record = json!({"lifetimePurchases": turn + 3, "lifetimeRevenue": 100,
            "primaryCategory": "apparel",
            "lastPurchaseDate": day_before_days(140), "timezone": "Etc/GMT", "consentEmail": true});
        let path = format!("/api/v1/schemas/Customer/records/{customer}");
        let Ok(_) = client.ok("PUT", &path, &record).await else { return };
        keep(Acknowledged::Record { customer: customer.clone(), purchases: turn + 3 });
        let asked = json!({"customerId": customer, "channel": "web", "flow": "Winback"});
        let Ok(decision) = client.ok("POST", "/api/v1/recommend", &asked).await else { return };
        let (id, offers) = (
            decision["decisionId"].as_str().unwrap().to_owned(),
            decision["decisions"].as_array().unwrap().len(),
        );
        keep(Acknowledged::Decision { id, customer: customer.clone(), offers });
        let key = format!("k-{customer}");
        let outcome = json!({"customerId": customer, "outcome": "click", "idempotencyKey": key});
        let Ok(recorded) = client.ok("POST", "/api/v1/respond", &outcome).await else { return };
        keep(Acknowledged::Outcome {
            id: recorded["outcomeId"].as_str().unwrap().to_owned(),
            customer,
            key,
        });
    }
}

fn day_before_days(days: i64) -> String {
    (serve::Clock::system().now() - chrono::TimeDelta::days(days)).date_naive().to_string()
}

async fn is_there(client: &Client, acknowledged: &Acknowledged) -> bool {
    match acknowledged {
        Acknowledged::Record { customer, purchases } => {
            let path = format!("/api/v1/schemas/Customer/records/{customer}");
            client
                .ok("GET", &path, &Value::Null)
                .await
                .is_ok_and(|record| record["lifetimePurchases"] == *purchases)
        }
        Acknowledged::Decision { id, customer, offers } => {
            let kept = client.ok("GET", &format!("/api/v1/decisions/{id}"), &Value::Null).await;
            kept.is_ok_and(|kept| {
                kept["customerId"] == **customer
                    && kept["answer"]["decisions"].as_array().map(Vec::len) == Some(*offers)
            })
        }
        // The same key again is a duplicate of what was recorded.
        Acknowledged::Outcome { id, customer, key } => {
            let outcome =
                json!({"customerId": customer, "outcome": "click", "idempotencyKey": key});
            let again = client.ok("POST", "/api/v1/respond", &outcome).await;
            again.is_ok_and(|again| again["duplicate"] == true && again["outcomeId"] == **id)
        }
    }
}

async fn check(store: Store) {
    let mut suite = Suite::start(Shape::AllInOne, store).await.unwrap();
    let configured = Door::open(DoorKind::Curl, &suite).unwrap();
    play(&scenario::load("winback-configuration").unwrap(), &configured).await.unwrap();
    // A channel without quiet hours, so that every decision holds a slot.
    suite.client().ok("POST", "/api/v1/channels", &json!({"name": "web"})).await.unwrap();
    let done = Arc::<Mutex<Vec<Acknowledged>>>::default();
    for round in 0..KILLS {
        let count = Arc::<AtomicUsize>::default();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(suite.client(), writer, round, done.clone(), count.clone()))
            })
            .collect();
        while count.load(Ordering::SeqCst) < LEAST_ACKNOWLEDGED {
            suite.is_alive().unwrap();
            tokio::task::yield_now().await;
        }
        suite.processes[0].kill().unwrap();
        for writer in writers {
            writer.await.unwrap();
        }
        suite.restart().await.unwrap();
        println!(
            "kill {}: {} acknowledged since the last",
            round + 1,
            count.load(Ordering::SeqCst)
        );
    }
    let client = suite.client();
    let acknowledged = done.lock().unwrap().clone();
    let mut lost = Vec::new();
    for one in &acknowledged {
        if !is_there(&client, one).await {
            lost.push(one);
        }
    }
    println!("{store:?}: {} acknowledged, {} lost", acknowledged.len(), lost.len());
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(acknowledged.len() >= KILLS * LEAST_ACKNOWLEDGED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_on_sqlite() {
    check(Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_on_postgres() {
    check(Store::Postgres).await;
}
