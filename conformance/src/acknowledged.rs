//! What was acknowledged to callers, and whether it is there.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::{
    campaign::{lapsed, record_path},
    http::Client,
};

/// What was acknowledged to a caller is done.
#[derive(Clone, Debug)]
pub enum Acknowledged {
    /// A record was written.
    Record {
        /// The customer.
        customer: String,
        /// What it says.
        purchases: u64,
    },
    /// A decision was answered.
    Decision {
        /// Its id.
        id: String,
        /// The customer.
        customer: String,
        /// How many offers it returned.
        offers: usize,
    },
    /// An outcome was recorded.
    Outcome {
        /// Its id.
        id: String,
        /// The customer.
        customer: String,
        /// Its idempotency key.
        key: String,
    },
}

/// What was acknowledged to callers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Acknowledgments {
    done: Arc<Mutex<Vec<Acknowledged>>>,
    count: Arc<AtomicUsize>,
}

impl Acknowledgments {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// All of them.
    pub fn all(&self) -> Vec<Acknowledged> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, acknowledged: Acknowledged) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(acknowledged);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    /// Writes a customer's record, asks for a decision and reports an outcome, up to the first call
    /// that fails. The winback campaign has an offer for such a customer.
    pub async fn write(
        &self,
        client: &Client,
        customer: String,
        number: u64,
    ) -> anyhow::Result<()> {
        let purchases = number + 3;
        client.ok("PUT", &record_path(&customer), &lapsed(purchases)).await?;
        self.keep(Acknowledged::Record { customer: customer.clone(), purchases });
        let asked = json!({"customerId": customer, "channel": "web", "flow": "Winback"});
        let decision = client.ok("POST", "/api/v1/recommend", &asked).await?;
        self.keep(Acknowledged::Decision {
            id: decision["decisionId"].as_str().unwrap_or_default().to_owned(),
            customer: customer.clone(),
            offers: decision["decisions"].as_array().map_or(0, Vec::len),
        });
        let key = format!("k-{customer}");
        let recorded = client.ok("POST", "/api/v1/respond", &outcome(&customer, &key)).await?;
        let id = recorded["outcomeId"].as_str().unwrap_or_default().to_owned();
        self.keep(Acknowledged::Outcome { id, customer, key });
        Ok(())
    }
}

impl Acknowledged {
    /// True when it is there.
    pub async fn is_there(&self, client: &Client) -> bool {
        match self {
            Self::Record { customer, purchases } => {
                let record = client.ok("GET", &record_path(customer), &Value::Null).await;
                record.is_ok_and(|record| record["lifetimePurchases"] == *purchases)
            }
            Self::Decision { id, customer, offers } => {
                let path = format!("/api/v1/decisions/{id}");
                let kept = client.ok("GET", &path, &Value::Null).await;
                kept.is_ok_and(|kept| {
                    let kept_offers = kept["answer"]["decisions"].as_array().map(Vec::len);
                    kept["customerId"] == **customer && kept_offers == Some(*offers)
                })
            }
            // The same key again is a duplicate of what was recorded.
            Self::Outcome { id, customer, key } => {
                let again = client.ok("POST", "/api/v1/respond", &outcome(customer, key)).await;
                again.is_ok_and(|again| again["duplicate"] == true && again["outcomeId"] == **id)
            }
        }
    }
}

fn outcome(customer: &str, key: &str) -> Value {
    json!({"customerId": customer, "outcome": "click", "idempotencyKey": key})
}
