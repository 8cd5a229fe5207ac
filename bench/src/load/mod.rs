//! A load generator with an open loop: it sends requests at a constant rate, answered or not. It
//! finds the knee, the highest rate that the server keeps up with. Then it measures the server at
//! half the knee, at the knee and at twice the knee.

mod step;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use proffer_proto::decision::v1::{
    RecommendRequest, decision_service_client::DecisionServiceClient,
};
use tonic::transport::Channel;

use self::step::{Step, at_ms, step};
use crate::{
    campaign::{Campaign, Size},
    processor,
    ratio::{self, Goal, Term},
    recommend::{CUSTOMERS, decisions},
};

/// Connections that share the requests.
const CONNECTIONS: usize = 8;
/// Callers of the closed loop that estimates the knee.
const CALLERS: usize = 32;
/// The search for the knee starts between these fractions of the estimate.
const LEAST: f64 = 0.2;
const MOST: f64 = 1.6;
/// Halvings of the first range.
const HALVINGS: usize = 7;
/// Later rounds search between these fractions of the last knee, because the speed of a shared
/// machine changes.
const NEAR: (f64, f64) = (0.75, 1.35);
/// Halvings of the later ranges.
const HALVINGS_NEAR: usize = 5;
/// Misses in a row after which a rate counts as too high.
const MISSES: usize = 2;
/// Fraction of the requests that a server must decide to keep up.
const COMPLETED_LEAST: f64 = 0.99;
/// Customers in a run that reserves slots; with so many, few reach their cap.
const CUSTOMERS_RESERVED: u64 = 200_000;
/// Pause after each step, so that steps do not influence each other.
const PAUSE: Duration = Duration::from_millis(500);

/// Settings of `load`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Settings {
    /// Longest p99 of a server that keeps up, in milliseconds.
    #[arg(long, default_value_t = 50.0)]
    pub bound_ms: f64,
    /// Duration of a step in seconds.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Reserve contacts and store records, instead of dry runs.
    #[arg(long)]
    pub reserve: bool,
}

impl Default for Settings {
    /// As part of the whole report, with shorter steps.
    fn default() -> Self {
        Self { bound_ms: 50.0, seconds: 3, reserve: false }
    }
}

/// The server and the requests for it.
#[derive(Clone, Debug)]
pub struct Target {
    campaign: Arc<Campaign>,
    clients: Vec<DecisionServiceClient<Channel>>,
    is_dry: bool,
}

impl Target {
    fn request(&self, number: u64) -> RecommendRequest {
        RecommendRequest { dry_run: self.is_dry, ..self.campaign.request(number) }
    }
}

/// Runs steps against one target and prints each.
struct Steps {
    target: Target,
    settings: Settings,
}

impl Steps {
    async fn at(&self, rate: f64) -> anyhow::Result<Step> {
        let found = step(&self.target, rate, Duration::from_secs(self.settings.seconds)).await?;
        found.print();
        tokio::time::sleep(PAUSE).await;
        Ok(found)
    }

    /// True unless the rate is missed several times in a row. Other work on the machine can cause a
    /// single miss.
    async fn keeps_up(&self, rate: f64) -> anyhow::Result<bool> {
        for _ in 0..MISSES {
            let found = self.at(rate).await?;
            if found.completed() >= COMPLETED_LEAST
                && at_ms(&found.accepted, 0.99) <= self.settings.bound_ms
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The highest rate that the server keeps up with.
    async fn knee(&self) -> anyhow::Result<f64> {
        let is_dry = self.target.is_dry;
        let asked = |request| RecommendRequest { dry_run: is_dry, ..request };
        let reached = decisions(&self.target.campaign, CALLERS, asked).await?.rate;
        println!("  {reached:>7.0}/s by {CALLERS} callers in a closed loop");
        let low = reached * LEAST;
        let knee = self.between(low, reached * MOST, HALVINGS).await?;
        knee.with_context(|| {
            format!("the server does not keep up with {low:.0} requests per second")
        })
    }

    /// The knee, searched near the last one.
    async fn knee_near(&self, knee: f64) -> anyhow::Result<f64> {
        match self.between(knee * NEAR.0, knee * NEAR.1, HALVINGS_NEAR).await? {
            Some(knee) => Ok(knee),
            None => self.knee().await,
        }
    }

    /// The knee between two rates, by halving; `None` when it is below `low`.
    async fn between(
        &self,
        mut low: f64,
        mut high: f64,
        halvings: usize,
    ) -> anyhow::Result<Option<f64>> {
        if !self.keeps_up(low).await? {
            return Ok(None);
        }
        for _ in 0..halvings {
            let middle = f64::midpoint(low, high);
            if self.keeps_up(middle).await? { low = middle } else { high = middle }
        }
        Ok(Some(low))
    }
}

/// Runs the rounds and prints the report.
pub fn run(rounds: usize, settings: Settings) -> anyhow::Result<()> {
    processor::call(move || async move {
        let customers = if settings.reserve { CUSTOMERS_RESERVED } else { CUSTOMERS };
        let campaign = Campaign::start(Size { offers: 9, customers }).await?;
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(DecisionServiceClient::new(campaign.server.channel().await?));
        }
        let target = Target { campaign: Arc::new(campaign), clients, is_dry: !settings.reserve };
        let what =
            if settings.reserve { "decisions that reserve and are stored" } else { "dry runs" };
        println!(
            "Load, gRPC, 9 offers, {what}, {CONNECTIONS} connections, steps of {} s",
            settings.seconds
        );
        report(rounds, &Steps { target, settings }).await
    })
}

async fn report(rounds: usize, steps: &Steps) -> anyhow::Result<()> {
    let Settings { bound_ms, .. } = steps.settings;
    println!("  the knee: the highest rate with p99 of at most {bound_ms} ms and 99 % decided");
    let mut found_knee = None;
    let [mut slow, mut slow_knee, mut slow_again] = [
        "p99 of a decision at 2 × the knee, ms",
        "p99 of a decision at the knee, ms",
        "the same again",
    ]
    .map(Term::new);
    let [mut good, mut good_knee, mut good_again] = [
        "decisions per second at 2 × the knee",
        "decisions per second at the knee",
        "the same again",
    ]
    .map(Term::new);
    let mut refusal = Term::new("p99 of a refusal at 2 × the knee, ms");
    let [mut half, mut most, mut nearly] =
        ["p50 at half the knee, ms", "p99 at half the knee, ms", "p99.9 at half the knee, ms"]
            .map(Term::new);
    for _ in 0..rounds {
        let knee = match found_knee {
            None => steps.knee().await?,
            Some(knee) => steps.knee_near(knee).await?,
        };
        found_knee = Some(knee);
        println!(
            "  knee: {knee:.0}/s; next: half the knee, the knee, twice the knee, the knee again"
        );
        let at_half = steps.at(knee / 2.0).await?;
        let at_knee = steps.at(knee).await?;
        let at_twice = steps.at(knee * 2.0).await?;
        ensure!(
            at_twice.failed == 0,
            "at twice the knee, calls failed in another way than by a refusal"
        );
        let again = steps.at(knee).await?;
        for (term, quantile) in [(&mut half, 0.5), (&mut most, 0.99), (&mut nearly, 0.999)] {
            term.rounds.push(at_ms(&at_half.accepted, quantile));
        }
        for (slow, good, found) in [
            (&mut slow_knee, &mut good_knee, &at_knee),
            (&mut slow, &mut good, &at_twice),
            (&mut slow_again, &mut good_again, &again),
        ] {
            slow.rounds.push(at_ms(&found.accepted, 0.99));
            good.rounds.push(found.goodput());
        }
        if !at_twice.refused.is_empty() {
            refusal.rounds.push(at_ms(&at_twice.refused, 0.99));
        }
    }
    ensure!(!refusal.rounds.is_empty(), "nothing was refused at twice the knee");
    [&half, &most, &nearly, &refusal].into_iter().for_each(ratio::print_term);
    ratio::print(
        "Decisions at twice the knee, their time",
        &slow,
        &slow_knee,
        &slow_again,
        Goal::AtMost(2.0),
    );
    ratio::print(
        "Decisions at twice the knee, their number",
        &good,
        &good_knee,
        &good_again,
        Goal::AtLeast(0.9),
    );
    Ok(())
}
