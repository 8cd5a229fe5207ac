//! Services of which some are away, and what is asked of them.

use std::time::Duration;

use conformance::{Answer, campaign, cluster::Cluster, http::Client};
use serde_json::{Value, json};

/// The offer that every customer of [`World`] gets but one.
pub const SHOWN: &str = "off_apparel_20_back";
/// Asks until something has arrived, each about another customer.
const ASKED_MAX: usize = 120;
/// Customers that are not asked about until then.
const LAST: usize = 8;
/// The customer who withdrew: nothing may ever be offered.
const WITHDRAWN: &str = "withdrawn";
/// Between two questions about the same.
const POLL: Duration = Duration::from_millis(100);

/// How a service is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    Dead,
    /// It takes connections and calls, and answers nothing until it goes on.
    Hung,
}

/// One replica of each service, with the winback campaign and customers of it.
pub struct World {
    pub cluster: Cluster,
    pub client: Client,
    asked: usize,
    /// Offers made to the customer who withdrew.
    pub wrong_open: usize,
}

impl World {
    pub async fn start(database_url: String) -> Self {
        let place = ["--database-url".to_owned(), database_url];
        let mut cluster = Cluster::new((1, 1), &place, &[]).unwrap();
        cluster.start().await.unwrap();
        let base = cluster.doors().pop().unwrap();
        campaign::configure(&base).await.unwrap();
        let client = Client::new(&base);
        let names = (0..ASKED_MAX + LAST).map(|number| format!("c{number}"));
        for name in names.chain([WITHDRAWN.to_owned()]) {
            let path = campaign::record_path(&name);
            client.ok("PUT", &path, &campaign::lapsed(3)).await.unwrap();
        }
        let path = format!("/api/v1/customers/{WITHDRAWN}/consents/web");
        client.ok("PUT", &path, &json!({"granted": false})).await.unwrap();
        let mut world = Self { cluster, client, asked: 0, wrong_open: 0 };
        world.decide_until(&[]).await;
        world.ask_for_the_withdrawn().await;
        world
    }

    fn member(&self, service: &str) -> usize {
        self.cluster.of(service).next().unwrap()
    }

    pub fn leave(&mut self, service: &str, how: Away) {
        let index = self.member(service);
        match how {
            Away::Dead => self.cluster.kill(index).unwrap(),
            Away::Hung => {
                self.cluster.members[index].process().unwrap().signal("STOP").unwrap();
            }
        }
    }

    pub async fn come_back(&mut self, service: &str, how: Away) {
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
    pub fn question(&mut self) -> Value {
        let customer = format!("c{}", self.asked);
        self.asked += 1;
        assert!(self.asked < ASKED_MAX, "what was awaited did not come");
        about(&customer)
    }

    /// A customer who is asked about nowhere else, by number below [`LAST`].
    pub fn last_customer(&self, number: usize) -> String {
        assert!(number < LAST);
        format!("c{}", ASKED_MAX + number)
    }

    /// The decision on a new customer.
    pub async fn decide(&mut self) -> Value {
        let asked = self.question();
        self.client.ok("POST", "/api/v1/recommend", &asked).await.unwrap()
    }

    /// Asks about the customer who withdrew, and counts what is offered.
    pub async fn ask_for_the_withdrawn(&mut self) -> Answer {
        let answer = ask(&self.client, &about(WITHDRAWN)).await;
        self.wrong_open += offered(&answer.body);
        answer
    }

    /// Asks until decision-svc has noticed that its database is back. A process may not have
    /// noticed that it was away, and says that it is ready.
    pub async fn ask_until_answered(&mut self) {
        loop {
            let asked = self.question();
            let answer = ask(&self.client, &asked).await;
            if answer.status == 200 {
                return;
            }
            assert_eq!(answer.status, 503, "{}", answer.body);
            tokio::time::sleep(POLL).await;
        }
    }

    /// Decides until an answer has offers and is degraded by this and nothing else. Until then it
    /// may have been made before the news, but an offer is never wrong here.
    pub async fn decide_until(&mut self, degraded: &[&str]) {
        loop {
            let answer = self.decide().await;
            let found = answer["degraded"].as_array().cloned().unwrap_or_default();
            if answer["decisions"][0]["offerId"] == SHOWN && found == degraded {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// A question about a customer.
pub fn about(customer: &str) -> Value {
    json!({"customerId": customer, "channel": "web", "flow": "Winback"})
}

/// The answer to a question, on a connection of its own.
pub async fn ask(client: &Client, question: &Value) -> Answer {
    client.apart().call("POST", "/api/v1/recommend", question).await.unwrap()
}

/// How many offers an answer has.
pub fn offered(answer: &Value) -> usize {
    answer["decisions"].as_array().map_or(0, Vec::len)
}
