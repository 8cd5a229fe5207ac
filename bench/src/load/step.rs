//! One step of the load: requests at a constant rate for some seconds, without waiting for answers.
//! The time of an answer counts from the instant at which its request was due. So a stall of the
//! server counts for every request that was due during the stall.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use proffer_proto::{
    decision::v1::{RecommendRequest, decision_service_client::DecisionServiceClient},
    values::v1::ReasonCode,
};
use tokio::sync::mpsc as channel;
use tonic::{Code, transport::Channel};

use super::Target;
use crate::{campaign::checked, drive::number};

/// Histograms cover 1 µs to one minute with three digits.
const LONGEST_US: u64 = 60_000_000;
const DIGITS: u8 = 3;
/// Time limit of an answer; a later one counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The results of a step.
#[derive(Debug)]
pub struct Step {
    /// Requests per second.
    pub offered: f64,
    /// Duration of the step.
    pub lasted: Duration,
    /// Times of decisions, in µs.
    pub accepted: Histogram<u64>,
    /// Times of refusals for overload, in µs.
    pub refused: Histogram<u64>,
    /// Number of other errors and missing answers.
    pub failed: u64,
    /// Text of one of them.
    pub failure: Option<String>,
    /// How late requests were sent, in µs.
    pub late: Histogram<u64>,
}

enum Outcome {
    Accepted,
    Refused,
    Failed(String),
}

/// The time at a quantile, in ms.
pub fn at_ms(times: &Histogram<u64>, quantile: f64) -> f64 {
    times.value_at_quantile(quantile) as f64 / 1e3
}

impl Step {
    /// Decisions per second.
    pub fn goodput(&self) -> f64 {
        self.accepted.len() as f64 / self.lasted.as_secs_f64()
    }

    /// Fraction of the requests that were decided.
    pub fn completed(&self) -> f64 {
        self.accepted.len() as f64
            / (self.accepted.len() + self.refused.len() + self.failed).max(1) as f64
    }

    /// Prints the step as one line.
    pub fn print(&self) {
        let [half, most, nearly] =
            [0.5, 0.99, 0.999].map(|quantile| at_ms(&self.accepted, quantile));
        print!(
            "  {:>7.0}/s sent {:>7.0}/s decided, p50 {half:>7.2} p99 {most:>7.2} \
             p99.9 {nearly:>7.2} ms",
            self.offered,
            self.goodput()
        );
        if !self.refused.is_empty() {
            let [half, most] = [0.5, 0.99].map(|quantile| at_ms(&self.refused, quantile));
            print!(", {} refused, p50 {half:.2} p99 {most:.2} ms", self.refused.len());
        }
        if let Some(failure) = &self.failure {
            print!(", {} FAILED: {failure}", self.failed);
        }
        println!(", sent late by p99 {:.2} ms", at_ms(&self.late, 0.99));
    }
}

/// Sends requests to `target` at `rate` for `lasting`.
pub async fn step(target: &Target, rate: f64, lasting: Duration) -> anyhow::Result<Step> {
    let histogram = || Histogram::new_with_max(LONGEST_US, DIGITS);
    let mut step = Step {
        offered: rate,
        lasted: lasting,
        accepted: histogram()?,
        refused: histogram()?,
        failed: 0,
        failure: None,
        late: histogram()?,
    };
    let count = (rate * lasting.as_secs_f64()) as u64;
    let (due, mut dues) = channel::unbounded_channel();
    // A thread keeps time better than a task: it sleeps with an accuracy of about 50 µs.
    let pace = std::thread::spawn(move || pace(count, rate, &due));
    let (outcome, outcomes) = mpsc::channel();
    let mut clients = target.clients.iter().cycle();
    while let Some(due) = dues.recv().await {
        step.late.saturating_record(micros(due));
        let client = clients.next().context("no connection")?.clone();
        let (request, outcome) = (target.request(number()), outcome.clone());
        tokio::spawn(async move {
            let found = ask(client, request).await;
            drop(outcome.send((micros(due), found)));
        });
    }
    drop(outcome);
    pace.join().map_err(|_| anyhow::anyhow!("the pace was lost"))?;
    let answers = tokio::task::spawn_blocking(move || outcomes.into_iter().collect::<Vec<_>>());
    for (spent, found) in answers.await? {
        match found {
            Outcome::Accepted => step.accepted.saturating_record(spent),
            Outcome::Refused => step.refused.saturating_record(spent),
            Outcome::Failed(failure) => {
                step.failed += 1;
                step.failure.get_or_insert(failure);
            }
        }
    }
    Ok(step)
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn pace(count: u64, rate: f64, due: &channel::UnboundedSender<Instant>) {
    let started = Instant::now();
    for place in 0..count {
        let next = started + Duration::from_secs_f64(place as f64 / rate);
        let early = next.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            std::thread::sleep(early);
        }
        if due.send(next).is_err() {
            return;
        }
    }
}

async fn ask(mut client: DecisionServiceClient<Channel>, request: RecommendRequest) -> Outcome {
    match tokio::time::timeout(PATIENCE, client.recommend(request)).await {
        Err(_) => Outcome::Failed(format!("no answer within {PATIENCE:?}")),
        Ok(Err(status)) if status.code() == Code::ResourceExhausted => Outcome::Refused,
        Ok(Err(status)) => Outcome::Failed(status.to_string()),
        Ok(Ok(answer)) => {
            let decision = answer.into_inner().decision.unwrap_or_default();
            match checked(&decision) {
                // Some customers exceed their cap during the run. That refusal is a decision too.
                Err(error) if decision.reason_code() != ReasonCode::FrequencyCap => {
                    Outcome::Failed(error.to_string())
                }
                _ => Outcome::Accepted,
            }
        }
    }
}
