//! Customers whose reaction to each offer is known, and the programme that contacts them.

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use serde_json::{Value, json};

use super::{
    caller::Draw,
    world::{World, start},
};

/// What is known of a customer. The n-th number says whether the n-th offer moves the customer.
pub const FEATURES: [&str; 3] = ["first", "second", "third"];
/// The offers, each in a category of its name.
const OFFERS: [&str; 3] = ["a", "b", "c"];
/// So many of a hundred customers buy without contact, and so many more by an offer that moves
/// them.
const BUY: u64 = 20;
const BUY_MORE: u64 = 35;
/// An offer moves the customers whose number is at least this, of a thousand: a third are moved by
/// none of the three.
const MOVED_FROM: u64 = 690;
/// What a purchase is worth on average; what one is worth lies up to so much beside it.
pub const VALUE: u64 = 40;
const VALUE_SPREAD: u64 = 10;
/// What a contact costs: less than an offer earns that moves, more than one that does not.
const COST: u64 = 5;
/// Customers of a call.
const BATCH: usize = 100;
/// Rows of other calls.
const ROWS: usize = 500;

/// A customer.
pub struct Customer {
    pub id: String,
    /// By offer, 0 to 999.
    numbers: [u64; 3],
    /// The offer that the learning phase prefers.
    lot: usize,
    /// What decides about a purchase, 0 to 99, and about its value.
    luck: u64,
    more: u64,
}

/// What became of a customer: the offer that was returned, and whether the customer is held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    pub offer: Option<usize>,
    pub is_held_out: bool,
}

impl Customer {
    /// Customers by a seed; the same seed gives the same.
    pub fn many(seed: u64, prefix: &str, count: usize) -> Vec<Self> {
        let mut draw = Draw(seed);
        let mut customer = |number: usize| Self {
            id: format!("{prefix}{number:05}"),
            numbers: [(); 3].map(|()| draw.next(1_000)),
            lot: draw.next(3) as usize,
            luck: draw.next(100),
            more: draw.next(2 * VALUE_SPREAD + 1),
        };
        (0..count).map(&mut customer).collect()
    }

    /// By how much an offer changes the chance of a purchase, in percent.
    fn effect(&self, offer: usize) -> u64 {
        if self.numbers[offer] >= MOVED_FROM { BUY_MORE } else { 0 }
    }

    /// True when an offer earns more than it costs.
    pub fn pays(&self) -> bool {
        (0..3).any(|offer| self.effect(offer) > 0)
    }

    /// What contact with an offer adds to the revenue, on average.
    pub fn earns(&self, offer: usize) -> f64 {
        (self.effect(offer) * VALUE) as f64 / 100.0
    }

    /// The same less what the contact costs.
    pub fn nets(&self, offer: usize) -> f64 {
        self.earns(offer) - COST as f64
    }

    /// The covariates of a customer who was in an experiment elsewhere.
    pub fn known(&self) -> Value {
        let of = |index: usize| (FEATURES[index].to_owned(), json!(self.numbers[index]));
        (0..3).map(of).collect::<serde_json::Map<_, _>>().into()
    }

    fn record(&self) -> Value {
        let mut record = self.known();
        record["customerId"] = json!(self.id);
        record["lot"] = json!(OFFERS[self.lot]);
        record["consentEmail"] = json!(true);
        record
    }

    /// The purchase at an instant, when there is one. The same luck decides whatever the contact.
    pub fn purchase(&self, contact: Option<usize>, at: DateTime<Utc>) -> Option<Value> {
        let more = contact.map_or(0, |offer| self.effect(offer));
        (self.luck < BUY + more).then(|| {
            json!({"customerId": self.id, "outcome": "conversion",
                "value": VALUE - VALUE_SPREAD + self.more, "occurredAt": at.to_rfc3339(),
                "idempotencyKey": format!("{}-{}", self.id, at.timestamp())})
        })
    }
}

/// The programme: the flow, and what it asks for.
pub struct Programme {
    pub world: World,
}

impl Programme {
    /// Configures schema, categories, offers and channel, and a flow that prefers each customer's
    /// lot; stores the customers.
    pub async fn open(customers: &[&Customer]) -> Self {
        let world = World::bare().await;
        let field = |name: &str, of_type: &str| json!({"name": name, "type": of_type});
        let mut fields: Vec<_> = FEATURES.iter().map(|name| field(name, "integer")).collect();
        fields.extend([field("lot", "string"), field("consentEmail", "boolean")]);
        world.post("schemas", json!({"name": "Customer", "fields": fields})).await;
        for name in OFFERS {
            world.post("categories", json!({"name": name})).await;
            let affinities = json!([{"field": "lot", "value": name}]);
            let offer = json!({"id": format!("off_{name}"), "name": name, "category": name,
                "priority": 50, "businessValue": 50, "cost": COST, "affinities": affinities});
            world.post("offers", offer).await;
        }
        world.post("channels", json!({"name": "email"})).await;
        let flow = json!({"name": "Programme", "config": config(json!({}), json!({"Wr": 1}))});
        world.post("decision-flows", flow).await;
        for customers in customers.chunks(ROWS) {
            let records: Vec<_> = customers.iter().map(|customer| customer.record()).collect();
            world.post("schemas/Customer/records", json!({"records": records})).await;
        }
        Self { world }
    }

    /// Changes the flow: whether contact must pay, and how much uplift counts.
    pub async fn set(&self, must_pay: bool, uplift: f64) {
        let gate = json!({"minUplift": {"value": VALUE}});
        let score = if must_pay { gate } else { json!({}) };
        let weights = json!({"Wi": 0.5, "We": 0.25, "Wu": uplift});
        let flow = json!({"config": config(score, weights)});
        self.world.call(Method::PATCH, "decision-flows/Programme", &flow).await;
    }

    /// Creates an experiment on the flow that holds out this share, in percent.
    pub async fn hold_out(&self, name: &str, percent: u32) {
        let experiment = json!({"id": name, "name": name, "flowId": "Programme", "salt": name,
            "holdoutPercentage": percent, "duration": "90 days"});
        let created = self.world.post("experiments", experiment).await;
        self.known(&created).await;
    }

    /// Waits until decisions know what an answer of experiment-svc says.
    pub async fn known(&self, written: &Value) {
        let asked = json!({"customerId": "nobody", "channel": "email", "flow": "Programme",
            "dryRun": true, "minRevision": [format!("experiment:{}", written["revision"])]});
        self.world.post("recommend", asked).await;
    }

    /// Asks about all customers, a hundred a call. Nothing is written in a dry run.
    pub async fn ask(&self, customers: &[Customer], is_dry: bool) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(customers.len());
        for some in customers.chunks(BATCH) {
            let question = |customer: &Customer| {
                json!({"customerId": customer.id, "channel": "email", "flow": "Programme",
                    "dryRun": is_dry})
            };
            let asked: Vec<_> = some.iter().map(question).collect();
            let answer = self.world.post("recommend/batch", json!({"requests": asked})).await;
            fates.extend(answer["results"].as_array().unwrap().iter().map(fate));
        }
        assert_eq!(fates.len(), customers.len());
        fates
    }

    /// Reports what happened.
    pub async fn report(&self, outcomes: &[Value]) {
        for outcomes in outcomes.chunks(ROWS) {
            let answer = self.world.post("respond/batch", json!({"outcomes": outcomes})).await;
            assert_eq!(answer["accepted"], json!(outcomes.len()), "{answer}");
        }
    }

    /// Learns a model, which must rank, and sets it active.
    pub async fn learn(&self, asked: Value) -> Value {
        let model = self.world.post("effect-models:train", asked).await;
        assert_eq!(model["why"], json!([]), "{model}");
        let path = format!("effect-models/{}", model["id"].as_str().unwrap());
        let active = json!({"status": "active"});
        let written = self.world.call(Method::PATCH, &path, &active).await;
        self.known(&written).await;
        model
    }
}

fn config(score: Value, weights: Value) -> Value {
    json!({
        "nodes": [
            {"id": "inv", "type": "inventory", "config": {"categories": OFFERS}},
            {"id": "enr", "type": "enrich", "config": {}},
            {"id": "qual", "type": "qualify", "config": {}},
            {"id": "cp", "type": "contact_policy", "config": {}},
            {"id": "score", "type": "score", "config": score},
            {"id": "rank", "type": "rank", "config": {"weights": weights}},
            {"id": "out", "type": "response", "config": {}},
        ],
        "learning": {"features": FEATURES, "outcome": "conversion", "windowDays": 7},
    })
}

/// What a result of a batch says.
fn fate(result: &Value) -> Fate {
    let offer = result["decisions"][0]["offerId"].as_str();
    let offer = offer.map(|id| OFFERS.iter().position(|name| id == format!("off_{name}")).unwrap());
    let is_held_out = result["controlGroup"] == json!(true);
    let reason = result["reasonCode"].as_str().unwrap_or_default();
    let is_expected = match reason {
        "" => offer.is_some(),
        "holdout" => is_held_out,
        other => other == "not_worth_it",
    };
    assert!(is_expected && !(is_held_out && offer.is_some()), "{result}");
    Fate { offer, is_held_out }
}

/// So many days after the start.
pub fn day(days: i64) -> DateTime<Utc> {
    start() + TimeDelta::days(days)
}
