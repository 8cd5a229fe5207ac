//! A load generator: questions at a constant rate, whether answered or not. It finds the knee, the
//! highest rate the server keeps up with, and tells how it behaves at half of it, at it, and at
//! twice as much.

mod step;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use proffer_proto::decision::v1::{
    RecommendRequest, decision_service_client::DecisionServiceClient,
};
use tonic::transport::Channel;

use self::step::{Step, at_ms, step};
use crate::{
    processor,
    programme::{Programme, Size},
    ratio::{self, Goal, Term},
    recommend::{CUSTOMERS, decisions},
};

/// Connections the questions are spread over.
const CONNECTIONS: usize = 8;
/// Callers that ask again at once, to learn about where the knee is.
const CALLERS: usize = 32;
/// The knee is looked for between these parts of what they reach.
const LEAST: f64 = 0.2;
const MOST: f64 = 1.6;
/// Halvings of that range.
const HALVINGS: usize = 7;
/// Later rounds look for it between these parts of what the round before found: machines become
/// slower and quicker.
const NEAR: (f64, f64) = (0.75, 1.35);
/// Halvings of that range.
const HALVINGS_NEAR: usize = 5;
/// Misses in a row that give a rate up.
const MISSES: usize = 2;
/// Part of the questions that a server decides which keeps up.
const COMPLETED_LEAST: f64 = 0.99;
/// Customers when slots are reserved: so many that few reach their cap.
const CUSTOMERS_RESERVED: u64 = 200_000;
/// A pause after each step, so that none bears what the one before left.
const PAUSE: Duration = Duration::from_millis(500);

/// Settings of the load.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Settings {
    /// A server keeps up as long as 99 of 100 answers take at most this, in milliseconds.
    #[arg(long, default_value_t = 50.0)]
    pub bound_ms: f64,
    /// Length of a step in seconds.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Reserve contacts and keep records, instead of dry runs.
    #[arg(long)]
    pub reserve: bool,
}

impl Default for Settings {
    /// As part of the whole report: shorter steps.
    fn default() -> Self {
        Self { bound_ms: 50.0, seconds: 3, reserve: false }
    }
}

/// Who is asked what.
#[derive(Clone, Debug)]
pub struct Target {
    programme: Arc<Programme>,
    clients: Vec<DecisionServiceClient<Channel>>,
    is_dry: bool,
}

impl Target {
    fn question(&self, number: u64) -> RecommendRequest {
        RecommendRequest { dry_run: self.is_dry, ..self.programme.question(number) }
    }
}

/// Steps of one length against one target, each printed.
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

    /// A rate is given up when it is missed so many times in a row: what else the machine did
    /// misses it once.
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
        let asked = |question| RecommendRequest { dry_run: is_dry, ..question };
        let reached = decisions(&self.target.programme, CALLERS, asked).await?.rate;
        println!("  {reached:>7.0}/s by {CALLERS} callers that ask again at once");
        let low = reached * LEAST;
        let knee = self.between(low, reached * MOST, HALVINGS).await?;
        knee.with_context(|| {
            format!("the server does not keep up with {low:.0} questions a second")
        })
    }

    /// The same, near what it was.
    async fn knee_near(&self, knee: f64) -> anyhow::Result<f64> {
        match self.between(knee * NEAR.0, knee * NEAR.1, HALVINGS_NEAR).await? {
            Some(knee) => Ok(knee),
            None => self.knee().await,
        }
    }

    /// The same, by halving; none when it is below `low`.
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

/// Measures and prints.
pub fn run(rounds: usize, settings: Settings) -> anyhow::Result<()> {
    processor::call(move || async move {
        let customers = if settings.reserve { CUSTOMERS_RESERVED } else { CUSTOMERS };
        let programme = Programme::start(Size { offers: 9, customers }).await?;
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(DecisionServiceClient::new(programme.server.channel().await?));
        }
        let target = Target { programme: Arc::new(programme), clients, is_dry: !settings.reserve };
        let what =
            if settings.reserve { "decisions that reserve and are kept" } else { "dry runs" };
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
        println!("  knee: {knee:.0}/s; at half of it, at it, at twice as much, and at it again:");
        let at_half = steps.at(knee / 2.0).await?;
        let at_knee = steps.at(knee).await?;
        let at_twice = steps.at(knee * 2.0).await?;
        ensure!(at_twice.failed == 0, "beyond the knee calls failed otherwise than by a refusal");
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
    ensure!(!refusal.rounds.is_empty(), "twice the knee was not too much: nothing was refused");
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
