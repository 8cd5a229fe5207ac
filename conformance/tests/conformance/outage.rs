//! What decisions are while other services or the database are away, dead or hung, alone and in
//! pairs: exactly what ARCHITECTURE.md says under "A neighbor is unavailable", and never an offer
//! that was not allowed.

use conformance::{campaign, cluster::Cluster, http::Client};
use serde_json::{Value, json};

/// The services that decisions need, alone and in pairs.
const CASES: [&[&str]; 6] = [
    &["catalog"],
    &["policy"],
    &["experiment"],
    &["catalog", "policy"],
    &["catalog", "experiment"],
    &["policy", "experiment"],
];
const SHOWN: &str = "off_apparel_20_back";
/// Asks until something has arrived, each about another customer.
const ASKED_MAX: usize = 200;

/// How a service is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Away {
    Dead,
    /// It takes connections and calls, and answers nothing.
    Hung,
}

struct World {
    cluster: Cluster,
    client: Client,
    asked: usize,
}

impl World {
    async fn start(database_url: String) -> Self {
        let place = ["--database-url".to_owned(), database_url];
        let mut cluster = Cluster::new((1, 1), &place, &[]).unwrap();
        cluster.start().await.unwrap();
        let base = cluster.doors().pop().unwrap();
        campaign::configure(&base).await.unwrap();
        let client = Client::new(&base);
        for number in 0..ASKED_MAX {
            let path = campaign::record_path(&format!("c{number}"));
            client.ok("PUT", &path, &campaign::lapsed(3)).await.unwrap();
        }
        Self { cluster, client, asked: 0 }
    }

    fn member(&self, service: &str) -> usize {
        self.cluster.of(service).next().unwrap()
    }

    async fn leave(&mut self, service: &str, how: Away) {
        let index = self.member(service);
        match how {
            Away::Dead => self.cluster.kill(index).unwrap(),
            Away::Hung => {
                self.cluster.members[index].process().unwrap().signal("STOP").unwrap();
            }
        }
    }

    async fn come_back(&mut self, service: &str, how: Away) {
        let index = self.member(service);
        match how {
            Away::Dead => {
                self.cluster.launch(index).unwrap();
                self.cluster.ready(index).await.unwrap();
            }
            Away::Hung => {
                self.cluster.members[index].process().unwrap().signal("CONT").unwrap();
            }
        }
    }

    /// A question about a customer without an earlier decision.
    fn question(&mut self) -> Value {
        let customer = format!("c{}", self.asked);
        self.asked += 1;
        assert!(self.asked < ASKED_MAX, "what was awaited did not come");
        json!({"customerId": customer, "channel": "web", "flow": "Winback"})
    }

    /// The decision on such a question.
    async fn decide(&mut self) -> Value {
        let asked = self.question();
        self.client.ok("POST", "/api/v1/recommend", &asked).await.unwrap()
    }

    /// Asks until decision-svc has noticed that its database is back. A process may not have
    /// noticed that it was away, and says that it is ready.
    async fn ask_until_answered(&mut self) {
        loop {
            let asked = self.question();
            let answer = self.client.call("POST", "/api/v1/recommend", &asked).await.unwrap();
            if answer.status == 200 {
                return;
            }
            assert_eq!(answer.status, 503, "{}", answer.body);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// Decides until an answer has offers and is degraded by this and nothing else. Until then it
    /// may have been made before the news, but an offer is never wrong here.
    async fn decide_until(&mut self, degraded: &[&str]) {
        loop {
            let answer = self.decide().await;
            let found = answer["degraded"].as_array().cloned().unwrap_or_default();
            if answer["decisions"][0]["offerId"] == SHOWN && found == degraded {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

fn reason(away: &[&str]) -> Option<&'static str> {
    // The customer is read before policy-svc is asked.
    let reasons = [("catalog", "customer_unavailable"), ("policy", "policy_unavailable")];
    reasons.into_iter().find(|(service, _)| away.contains(service)).map(|(_, reason)| reason)
}

async fn check(how: Away) {
    let mut world = World::start(testkit::fresh_database_url().await).await;
    world.decide_until(&[]).await;
    let mut wrong_open = 0;
    for away in CASES {
        for service in away {
            world.leave(service, how).await;
        }
        match reason(away) {
            Some(reason) => {
                let answer = world.decide().await;
                wrong_open += answer["decisions"].as_array().map_or(0, Vec::len);
                assert_eq!(answer["reasonCode"], reason, "{away:?} {how:?}: {answer}");
            }
            None => world.decide_until(&["experiments_stale"]).await,
        }
        if !away.contains(&"catalog") {
            let told = json!({"customerId": "c0", "outcome": "click",
                "idempotencyKey": format!("{away:?}")});
            world.client.ok("POST", "/api/v1/respond", &told).await.unwrap();
        }
        for service in away {
            world.come_back(service, how).await;
        }
        world.decide_until(&[]).await;
    }
    assert_eq!(wrong_open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_services_are_dead_decisions_are_degraded_as_the_table_says() {
    check(Away::Dead).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_services_hang_decisions_are_degraded_as_the_table_says() {
    check(Away::Hung).await;
}

/// The database alone, and with each service.
const WITH_DATABASE: [&[&str]; 4] = [&[], &["catalog"], &["policy"], &["experiment"]];

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_dead_alone_or_with_a_service_nothing_is_granted() {
    let mut server = testkit::Postgres::start().unwrap();
    let mut world = World::start(server.url.clone()).await;
    world.decide_until(&[]).await;
    for (number, away) in WITH_DATABASE.into_iter().enumerate() {
        server.crash().unwrap();
        for service in away {
            world.leave(service, Away::Dead).await;
        }
        // One of the last, who are not asked about otherwise.
        let customer = format!("c{}", ASKED_MAX - 1 - number);
        let asked = json!({"customerId": customer, "channel": "web", "flow": "Winback"});
        let key = format!("{away:?}");
        let told = json!({"customerId": customer, "outcome": "click", "idempotencyKey": key});
        for (path, body) in [("/api/v1/recommend", &asked), ("/api/v1/respond", &told)] {
            let answer = world.client.call("POST", path, body).await.unwrap();
            assert_eq!(answer.status, 503, "{away:?}: {path} {}", answer.body);
        }
        server.start_again().unwrap();
        for service in away {
            world.come_back(service, Away::Dead).await;
        }
        for index in 0..world.cluster.members.len() {
            world.cluster.ready(index).await.unwrap();
        }
        world.ask_until_answered().await;
        world.decide_until(&[]).await;
        // Neither was done: the customer holds no slot, and the outcome is new.
        let path = format!("/api/v1/customers/{customer}/contacts");
        let found = world.client.ok("GET", &path, &Value::Null).await.unwrap();
        assert_eq!(found["contacts"].as_array().map_or(0, Vec::len), 0, "{away:?}: {found}");
        let recorded = world.client.ok("POST", "/api/v1/respond", &told).await.unwrap();
        assert_ne!(recorded["duplicate"], true, "{away:?}: {recorded}");
    }
}
