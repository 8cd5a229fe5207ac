//! A caller that asks about customers at times of its own, and again exactly when an answer says
//! so.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use serde_json::{Value, json};

use super::world::{World, ZONES, start};

/// Minutes in which the caller asks by itself.
const ASKING_MINUTES: u64 = 7 * 24 * 60;
/// The caller asks until here.
fn last() -> DateTime<Utc> {
    start() + TimeDelta::days(20)
}

/// Answers that are followed in a row.
const FOLLOWED_MAX: u32 = 6;
/// Asks of one customer by the caller itself.
const ASKS: u32 = 2;

/// A stream of numbers that a seed decides.
pub struct Draw(pub u64);

impl Draw {
    /// The next one, 0 to `below` less one.
    pub fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// Something the caller does. The order among those of one instant is the same in every run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The customer withdraws consent.
    Withdraws(String),
    /// Another programme, without an experiment, contacts the customer.
    News(String),
    /// The programme asks; so many answers were followed.
    Asks(String, u32),
}

/// Customers and what is going to happen to them, whatever their arm.
pub struct Plan {
    /// Customers with their records.
    pub customers: Vec<(String, Value)>,
    events: BTreeMap<DateTime<Utc>, BTreeSet<Event>>,
}

/// The first exposure of a customer: when, and with which offer.
pub type Exposures = BTreeMap<String, (DateTime<Utc>, String)>;

/// What a run showed.
#[derive(Debug, Default)]
pub struct Run {
    /// First exposures, real or ghosts, by customer.
    pub exposures: Exposures,
    /// Customers who were held out.
    pub held_out: BTreeSet<String>,
    /// How many exposures came of a time that an answer had named.
    pub after_answer: usize,
    /// How many exposures came of a batch.
    pub in_batch: usize,
    /// Answers by reason, that of a held-out customer as the record has it.
    pub reasons: BTreeMap<String, usize>,
}

impl Plan {
    /// A plan by a seed, in which one of so many customers qualifies.
    pub fn of(seed: u64, customers: usize, one_of: u64) -> Self {
        let mut draw = Draw(seed);
        let mut plan = Self { customers: Vec::new(), events: BTreeMap::new() };
        for number in 0..customers {
            let customer = format!("c{number:05}");
            let segment = if draw.next(one_of) == 0 { "in" } else { "out" };
            let zone = ZONES[draw.next(ZONES.len() as u64) as usize];
            let record = json!({"customerId": customer, "segment": segment, "timezone": zone,
                "consentEmail": true});
            plan.customers.push((customer.clone(), record));
            // Every second customer is asked about at full hours, together with others.
            let step = if number % 2 == 0 { 60 } else { 1 };
            for _ in 0..ASKS {
                let minute = draw.next(ASKING_MINUTES / step) * step;
                plan.add(minute, Event::Asks(customer.clone(), 0));
            }
            if draw.next(3) == 0 {
                for _ in 0..6 {
                    plan.add(draw.next(2 * 24 * 60), Event::News(customer.clone()));
                }
            }
            if draw.next(8) == 0 {
                plan.add(draw.next(ASKING_MINUTES), Event::Withdraws(customer.clone()));
            }
        }
        plan
    }

    fn add(&mut self, minute: u64, event: Event) {
        let minute = TimeDelta::minutes(i64::try_from(minute).unwrap());
        self.events.entry(start() + TimeDelta::hours(2) + minute).or_default().insert(event);
    }

    /// Plays it against a world.
    pub async fn play(mut self, world: &World) -> Run {
        let mut run = Run::default();
        while let Some((at, events)) = self.events.pop_first() {
            world.set(at);
            let mut asks = Vec::new();
            for event in events {
                match event {
                    Event::Withdraws(customer) => {
                        let path = format!("customers/{customer}/consents/email");
                        let withdrawal = json!({"granted": false, "source": "test"});
                        world.call(Method::PUT, &path, &withdrawal).await;
                    }
                    Event::News(customer) => {
                        world.post("recommend", asked(&customer, "News")).await;
                    }
                    // Only the first exposure counts.
                    Event::Asks(customer, followed) if !run.exposures.contains_key(&customer) => {
                        asks.push((customer, followed));
                    }
                    Event::Asks(..) => {}
                }
            }
            let answers = ask(world, &asks).await;
            let is_batch = asks.len() > 1;
            for ((customer, followed), answer) in asks.into_iter().zip(answers) {
                if answer["controlGroup"] == json!(true) {
                    run.held_out.insert(customer.clone());
                }
                let (offers, reason) = would_be(world, &answer).await;
                *run.reasons.entry(reason).or_default() += 1;
                if let Some(offer) = offers.into_iter().next() {
                    run.after_answer += usize::from(followed > 0);
                    run.in_batch += usize::from(is_batch);
                    run.exposures.insert(customer, (at, offer));
                    continue;
                }
                let again = ["deliverAfter", "nextAllowedAt"].iter().find_map(|field| {
                    let text = answer[field].as_str()?;
                    Some(DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc))
                });
                let is_followed =
                    |again: &DateTime<Utc>| followed < FOLLOWED_MAX && *again < last();
                if let Some(again) = again.filter(is_followed) {
                    let event = Event::Asks(customer, followed + 1);
                    self.events.entry(again.max(at)).or_default().insert(event);
                }
            }
        }
        run
    }
}

fn asked(customer: &str, flow: &str) -> Value {
    json!({"customerId": customer, "channel": "email", "flow": flow})
}

async fn ask(world: &World, asks: &[(String, u32)]) -> Vec<Value> {
    let questions: Vec<_> = asks.iter().map(|(it, _)| asked(it, "Programme")).collect();
    match questions.as_slice() {
        [] => Vec::new(),
        [one] => vec![world.post("recommend", one.clone()).await],
        several => {
            let answer = world.post("recommend/batch", json!({"requests": several})).await;
            answer["results"].as_array().unwrap().clone()
        }
    }
}

/// The offers that were, or would have been, returned, and the reason when there is none.
async fn would_be(world: &World, answer: &Value) -> (Vec<String>, String) {
    let word = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    if answer["controlGroup"] == json!(false) {
        let offers = answer["decisions"].as_array().unwrap().iter();
        return (
            offers.map(|offer| word(&offer["offerId"])).collect(),
            word(&answer["reasonCode"]),
        );
    }
    assert_eq!(answer["decisions"], json!([]), "{answer}");
    let path = format!("decisions/{}", answer["decisionId"].as_str().unwrap());
    let record = world.call(Method::GET, &path, &json!(null)).await;
    let offers = record["ghostOffers"].as_array().cloned().unwrap_or_default();
    let reason = match &answer["reasonCode"] {
        held if held == "holdout" => word(&record["ghostReasonCode"]),
        other => word(other),
    };
    (offers.iter().map(word).collect(), reason)
}
