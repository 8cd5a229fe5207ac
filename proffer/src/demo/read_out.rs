//! Reads the results of the experiment once they count every reported outcome.

use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, de::DeserializeOwned};

use super::http::Api;

/// Pause between two reads.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Limit of the reads.
const POLLS_MAX: usize = 300;

/// The fields of the results that the demo reads, for one metric.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadOut {
    /// The arms, treatment first.
    pub arms: Vec<Arm>,
    /// Difference of the means.
    pub difference: Option<f64>,
    /// 95 % interval of the difference.
    pub ci95: Vec<f64>,
    /// Test statistic: t, for means.
    pub statistic: Option<f64>,
    /// Two-sided p-value.
    pub p: Option<f64>,
    /// Lift relative to the holdout.
    pub relative_lift: Ratio,
    /// Total effect over all treated customers.
    pub incremental_total: Ratio,
    /// Test of the sizes of the arms.
    pub srm: SampleRatio,
    /// The verdict.
    pub verdict: String,
    /// Why the verdict is withheld.
    pub withheld: Vec<String>,
    /// Results of customers who received, or would have received, an offer.
    pub ghost_matched: GhostMatched,
    /// Every outcome acknowledged up to this instant is counted.
    pub counted_through: Option<String>,
}

/// One arm.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Arm {
    /// Name: treatment or holdout.
    pub arm: String,
    /// Number of customers.
    pub n: usize,
    /// Mean per customer.
    pub mean: Option<f64>,
    /// Customers who bought.
    pub events: Option<usize>,
    /// Sum over all customers.
    pub total: Option<f64>,
}

/// A figure with its interval.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ratio {
    /// The value.
    pub value: Option<f64>,
    /// 95 % interval; empty when it is unbounded.
    pub ci95: Vec<f64>,
}

/// Test whether the arms have the intended sizes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SampleRatio {
    /// p-value.
    pub p: f64,
}

/// Results of customers who received, or would have received, an offer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct GhostMatched {
    /// The arms, treatment first.
    pub arms: Vec<Arm>,
    /// Difference of the means.
    pub difference: Option<f64>,
    /// 95 % interval of the difference.
    pub ci95: Vec<f64>,
}

impl ReadOut {
    /// True when every assigned customer and every buyer is counted.
    fn holds(&self, assigned: usize, buyers: usize) -> bool {
        let sum = |of: fn(&Arm) -> usize| self.arms.iter().map(of).sum::<usize>();
        sum(|arm| arm.n) >= assigned && sum(|arm| arm.events.unwrap_or_default()) >= buyers
    }
}

/// Polls until all `assigned` customers and all `buyers` are counted. Outcomes reach the experiment
/// shortly after they are acknowledged.
pub async fn complete(
    api: &Api,
    experiment: &str,
    assigned: usize,
    buyers: usize,
) -> anyhow::Result<ReadOut> {
    let path = format!("/api/v1/experiments/{experiment}/results?metric=revenue_per_customer");
    let holds = |read_out: &ReadOut| read_out.holds(assigned, buyers);
    let found = until(api, &path, POLLS_MAX, holds).await?;
    found.with_context(|| {
        format!(
            "after a minute the results of {experiment} do not count {assigned} customers and \
             {buyers} buyers"
        )
    })
}

/// Reads `path` until the answer holds, so often at most.
pub async fn until<T: DeserializeOwned>(
    api: &Api,
    path: &str,
    polls_max: usize,
    holds: impl Fn(&T) -> bool,
) -> anyhow::Result<Option<T>> {
    let mut poll = tokio::time::interval(POLL_INTERVAL);
    for _ in 0..polls_max {
        poll.tick().await;
        let answer: T = api.get(path).await?;
        if holds(&answer) {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}
