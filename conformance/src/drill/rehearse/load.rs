//! The callers: each sends a call to one gateway, and once more to the other when the first try
//! failed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{Answer, campaign, drill::draw::Draw, http::Client};

/// Pause before the one retry, as a client makes it.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Calls that may fail before the drill ends early: something is broken.
const FAILED_MAX: usize = 50;

/// What callers know.
#[derive(Debug, Default)]
struct Known {
    /// Decisions with an offer, by customer.
    granted: BTreeMap<usize, Vec<String>>,
    /// Decisions of any sort, by customer.
    decided: BTreeMap<usize, u64>,
    /// Calls that failed twice, by phase.
    failed: Vec<String>,
    /// By phase: calls, and those that were sent twice.
    phases: BTreeMap<&'static str, (u64, u64)>,
}

/// The load.
#[derive(Debug)]
pub struct Load {
    seed: u64,
    customers: usize,
    doors: Vec<String>,
    next: AtomicU64,
    answered: AtomicU64,
    is_over: AtomicBool,
    phase: Mutex<&'static str>,
    known: Mutex<Known>,
}

/// A call.
struct Planned {
    method: &'static str,
    path: String,
    body: Value,
    /// The customer of a decision.
    customer: Option<usize>,
}

/// Path of a customer's record.
pub fn record_path(number: usize) -> String {
    campaign::record_path(&customer_id(number))
}

/// Id of a customer.
pub fn customer_id(number: usize) -> String {
    format!("customer_{number:04}")
}

/// A record for which there is an offer; `turn` tells one from another.
pub fn record(turn: u64) -> Value {
    campaign::lapsed(3 + turn % 100)
}

impl Load {
    /// Nothing was called yet.
    pub fn new(seed: u64, customers: usize, doors: Vec<String>) -> Self {
        Self {
            seed,
            customers,
            doors,
            next: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            phase: Mutex::new("at rest"),
            known: Mutex::default(),
        }
    }

    /// Callers that go on until the end.
    pub fn start(self: Arc<Self>, workers: usize) -> Vec<JoinHandle<anyhow::Result<()>>> {
        let caller = |_| {
            let load = self.clone();
            tokio::spawn(async move {
                let clients: Vec<_> = load.doors.iter().map(|door| Client::new(door)).collect();
                while !load.is_over.load(Ordering::SeqCst) {
                    let number = load.next.fetch_add(1, Ordering::SeqCst);
                    load.call(&clients, number).await?;
                }
                anyhow::Ok(())
            })
        };
        (0..workers).map(caller).collect()
    }

    /// Ends the load; calls under way are still answered.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    /// What happens to the cluster from now on.
    pub fn phase(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Calls answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Fails when so many calls failed that it makes no sense to go on.
    pub fn check(&self) -> anyhow::Result<()> {
        let failed = self.failed();
        anyhow::ensure!(failed.len() < FAILED_MAX, "many calls failed: {failed:#?}");
        Ok(())
    }

    /// Calls that failed twice.
    pub fn failed(&self) -> Vec<String> {
        self.known(|known| known.failed.clone())
    }

    /// By phase: calls, and those that were sent twice.
    pub fn phases(&self) -> BTreeMap<&'static str, (u64, u64)> {
        self.known(|known| known.phases.clone())
    }

    /// By customer: decisions with an offer that were answered, and all that were.
    pub fn decided(&self) -> BTreeMap<String, (Vec<String>, u64)> {
        self.known(|known| {
            let of = |(customer, count): (&usize, &u64)| {
                let granted = known.granted.get(customer).cloned().unwrap_or_default();
                (customer_id(*customer), (granted, *count))
            };
            known.decided.iter().map(of).collect()
        })
    }

    fn known<T>(&self, read: impl FnOnce(&mut Known) -> T) -> T {
        read(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn call(&self, clients: &[Client], number: u64) -> anyhow::Result<()> {
        let mut draw = Draw::new(self.seed, number);
        let (planned, first) = (self.plan(number, &mut draw), draw.below(clients.len()));
        let phase = *self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fault = String::new();
        for attempt in 0..2 {
            let Some(client) = clients.get((first + attempt) % clients.len().max(1)) else { break };
            let Planned { method, path, body, customer } = &planned;
            match fault_of(client.call(method, path, body).await) {
                Ok(answer) => {
                    self.note(phase, attempt > 0, *customer, &answer);
                    return Ok(());
                }
                Err(why) => fault = format!("{phase}: {method} {path}: {why}; before: {fault}"),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        self.known(|known| {
            known.failed.push(fault);
            known.phases.entry(phase).or_default().0 += 1;
        });
        Ok(())
    }

    fn note(&self, phase: &'static str, is_retry: bool, customer: Option<usize>, answer: &Value) {
        self.known(|known| {
            let (calls, twice) = known.phases.entry(phase).or_default();
            (*calls, *twice) = (*calls + 1, *twice + u64::from(is_retry));
            let Some(customer) = customer else { return };
            *known.decided.entry(customer).or_default() += 1;
            let offers = answer["decisions"].as_array().map_or(0, Vec::len);
            if let Some(id) = answer["decisionId"].as_str().filter(|_| offers > 0) {
                known.granted.entry(customer).or_default().push(id.to_owned());
            }
        });
        self.answered.fetch_add(1, Ordering::SeqCst);
    }

    fn plan(&self, number: u64, draw: &mut Draw) -> Planned {
        let customer = draw.below(self.customers);
        let id = customer_id(customer);
        match draw.below(100) {
            0..60 => {
                let body = json!({"customerId": id, "channel": "web", "flow": "Winback",
                    "requestId": format!("request_{number}")});
                let path = "/api/v1/recommend".to_owned();
                Planned { method: "POST", path, body, customer: Some(customer) }
            }
            60..75 => {
                let body = json!({"customerId": id, "outcome": "click",
                    "idempotencyKey": format!("click_{number}")});
                let path = "/api/v1/respond".to_owned();
                Planned { method: "POST", path, body, customer: None }
            }
            75..85 => {
                let (path, body) = (record_path(customer), record(number));
                Planned { method: "PUT", path, body, customer: None }
            }
            85..90 => {
                let path = "/api/v1/categories/Apparel".to_owned();
                let body = json!({"description": format!("clothes, {number}")});
                Planned { method: "PATCH", path, body, customer: None }
            }
            _ => {
                let paths = ["offers", "channels", "decision-flows", "experiments"];
                let path = format!("/api/v1/{}", draw.of(&paths).unwrap_or(&"offers"));
                Planned { method: "GET", path, body: Value::Null, customer: None }
            }
        }
    }
}

/// The body of an answer, or why the call failed: no answer, an error, or a decision that could not
/// ask a neighbor.
fn fault_of(answered: anyhow::Result<Answer>) -> Result<Value, String> {
    let answer = answered.map_err(|error| format!("{error:#}"))?;
    let reason = answer.body["reasonCode"].as_str().unwrap_or_default();
    // Two callers may change the same resource at once; the later one is refused.
    let is_fault = answer.status >= 300 && answer.status != 409;
    if is_fault || reason.ends_with("_unavailable") {
        return Err(format!("{} {}", answer.status, answer.body));
    }
    Ok(answer.body)
}
