//! The experiment's read-out, once everything reported is in it.

use std::time::Duration;

use serde::Deserialize;

use super::http::Api;

/// How often the read-out is asked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// How often at most.
const LOOKS_MAX: usize = 300;

/// What the experiment shows on one metric, as far as the demo tells of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadOut {
    /// Treatment first.
    pub arms: Vec<Arm>,
    /// Of the means.
    pub difference: Option<f64>,
    /// Its interval.
    pub ci95: Vec<f64>,
    /// Test statistic.
    pub z: Option<f64>,
    /// Two-sided.
    pub p: Option<f64>,
    /// Relative to the holdout.
    pub relative_lift: Ratio,
    /// Over all treated customers.
    pub incremental_total: Ratio,
    /// Whether the arms have the sizes they should have.
    pub srm: SampleRatio,
    /// What may be said.
    pub verdict: String,
    /// Why not more.
    pub withheld: Vec<String>,
    /// Those who received, or would have received, an offer.
    pub ghost_matched: GhostMatched,
    /// Every outcome acknowledged up to here is counted.
    pub counted_through: Option<String>,
}

/// One arm.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Arm {
    /// Its name.
    pub arm: String,
    /// Customers.
    pub n: usize,
    /// Per customer.
    pub mean: f64,
    /// Customers that bought.
    pub events: usize,
    /// Over all customers.
    pub total: f64,
}

/// A figure with its interval.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ratio {
    /// The figure.
    pub value: Option<f64>,
    /// Its interval; empty when there is no bounded one.
    pub ci95: Vec<f64>,
}

/// The test of the arms' sizes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SampleRatio {
    /// Its p-value.
    pub p: f64,
}

/// The comparison among those who received, or would have received, an offer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct GhostMatched {
    /// Treatment first.
    pub arms: Vec<Arm>,
    /// Of the means.
    pub difference: Option<f64>,
    /// Its interval.
    pub ci95: Vec<f64>,
}

impl ReadOut {
    /// True when every assigned customer and every buyer has arrived.
    fn holds(&self, assigned: usize, buyers: usize) -> bool {
        let sum = |of: fn(&Arm) -> usize| self.arms.iter().map(of).sum::<usize>();
        sum(|arm| arm.n) >= assigned && sum(|arm| arm.events) >= buyers
    }
}

/// Asks until all `assigned` customers and all `buyers` are counted: outcomes reach the experiment
/// a moment after they are acknowledged.
pub async fn complete(
    api: &Api,
    experiment: &str,
    assigned: usize,
    buyers: usize,
) -> anyhow::Result<ReadOut> {
    let path = format!("/api/v1/experiments/{experiment}/results?metric=revenue_per_customer");
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    for _ in 0..LOOKS_MAX {
        look.tick().await;
        let read_out: ReadOut = api.get(&path).await?;
        if read_out.holds(assigned, buyers) {
            return Ok(read_out);
        }
    }
    anyhow::bail!(
        "the read-out of {experiment} did not count {assigned} customers and {buyers} buyers in a minute"
    )
}
