//! The honest caller: it asks for a decision, again and again.

use std::time::Duration;

use serde_json::json;
use serve::Clock;

use crate::http::Client;

/// Time between two calls.
const PAUSE: Duration = Duration::from_millis(20);
/// A call that takes longer has failed.
const CALL_MAX: Duration = Duration::from_secs(10);

/// An honest caller.
#[derive(Clone, Debug)]
pub struct Probe(Client);

/// What it saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How long answered calls took, shortest first.
    took: Vec<Duration>,
    /// Calls that were not answered with success, and why.
    pub refused: Vec<String>,
}

impl Seen {
    /// All calls.
    pub fn calls(&self) -> usize {
        self.took.len() + self.refused.len()
    }

    /// The time within which 99 of 100 answered calls were answered.
    pub fn p99(&self) -> Duration {
        let at = (self.took.len() * 99).div_ceil(100).saturating_sub(1);
        self.took.get(at).copied().unwrap_or_default()
    }
}

impl Probe {
    /// One that calls `base`.
    pub fn new(base: &str) -> Self {
        Self(Client::new(base))
    }

    /// Calls for so long.
    pub async fn watch(&self, time: Duration) -> Seen {
        let (mut seen, since) = (Seen::default(), Clock::system().stopwatch());
        let asked = json!({"customerId": "c", "channel": "web", "flow": "Winback", "dryRun": true});
        while since.elapsed() < time {
            let call = Clock::system().stopwatch();
            let answer = self.0.ok("POST", "/api/v1/recommend", &asked);
            match tokio::time::timeout(CALL_MAX, answer).await {
                Ok(Ok(_)) => seen.took.push(call.elapsed()),
                Ok(Err(error)) => seen.refused.push(format!("{error:#}")),
                Err(_) => seen.refused.push(format!("no answer within {CALL_MAX:?}")),
            }
            tokio::time::sleep(PAUSE).await;
        }
        seen.took.sort();
        seen
    }
}
