//! What a decision costs the server beside other calls, asked over a socket as callers do: a dry
//! run with its trace, 16 on their way over one connection of HTTP/2.

use anyhow::{Context as _, ensure};
use proffer_proto::decision::v1::{
    RecommendBatchRequest, RecommendRequest, decision_service_client::DecisionServiceClient,
};
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    drive::{Cost, drive, number},
    processor,
    programme::{Programme, Size, checked},
    ratio::{self, Goal, Term},
    rest::Rest,
};

/// Calls on their way at once.
const IN_FLIGHT: usize = 16;
/// Questions of a batch, and batches on their way at once.
const BATCH: usize = 64;
const BATCHES: usize = 4;
/// Customers, where their number is not what is asked.
pub const CUSTOMERS: u64 = 1_000;

const DECISION: &str = "server CPU of a decision, µs";
const AGAIN: &str = "the same again";

/// Asks for decisions one by one.
pub async fn decisions(
    programme: &Programme,
    callers: usize,
    asked: impl Fn(RecommendRequest) -> RecommendRequest,
) -> anyhow::Result<Cost> {
    let call = async |client: &mut DecisionServiceClient<Channel>| {
        let answer = client.recommend(asked(programme.question(number()))).await?.into_inner();
        checked(answer.decision.as_ref().context("an answer without a decision")?)
    };
    drive(&programme.server, &mut vec![programme.decisions(); callers], call).await
}

async fn plain(programme: &Programme) -> anyhow::Result<f64> {
    Ok(decisions(programme, IN_FLIGHT, |question| question).await?.cpu_us)
}

/// The health of the same port: a message of no fields asked, one of one field answered.
async fn empty(programme: &Programme) -> anyhow::Result<f64> {
    let call = async |client: &mut HealthClient<Channel>| {
        client.check(HealthCheckRequest::default()).await?;
        Ok(())
    };
    let mut clients = vec![HealthClient::new(programme.channel.clone()); IN_FLIGHT];
    Ok(drive(&programme.server, &mut clients, call).await?.cpu_us)
}

async fn explained(programme: &Programme) -> anyhow::Result<f64> {
    Ok(decisions(programme, IN_FLIGHT, |question| RecommendRequest { explain: true, ..question })
        .await?
        .cpu_us)
}

/// Candidates that an explained decision tells about beside the offered one.
async fn refused_told(programme: &Programme) -> anyhow::Result<usize> {
    let question = RecommendRequest { explain: true, ..programme.question(number()) };
    let decision =
        programme.decisions().recommend(question).await?.into_inner().decision.unwrap_or_default();
    Ok(decision.trace.unwrap_or_default().refused.len())
}

async fn by_rest(programme: &Programme) -> anyhow::Result<f64> {
    let mut connections = Vec::new();
    for _ in 0..IN_FLIGHT {
        connections.push(Rest::connect(programme.server.address).await?);
    }
    let call = async |connection: &mut Rest| {
        let RecommendRequest { customer_id, channel, flow, .. } = programme.question(number());
        let body = format!(
            r#"{{"customerId":"{customer_id}","channel":"{channel}","flow":"{flow}","dryRun":true}}"#
        );
        let answer = connection.post("/api/v1/recommend", body).await?;
        ensure!(
            answer.windows(9).any(|word| word == br#""offerId""#),
            "a decision without an offer: {answer:?}"
        );
        Ok(())
    };
    Ok(drive(&programme.server, &mut connections, call).await?.cpu_us)
}

async fn batched(programme: &Programme) -> anyhow::Result<f64> {
    let call = async |client: &mut DecisionServiceClient<Channel>| {
        let requests = (0..BATCH).map(|_| programme.question(number())).collect();
        let answer = client.recommend_batch(RecommendBatchRequest { requests }).await?.into_inner();
        ensure!(
            answer.results.len() == BATCH,
            "a batch of {BATCH} got {} answers",
            answer.results.len()
        );
        for result in &answer.results {
            checked(
                result
                    .decision
                    .as_ref()
                    .with_context(|| format!("no decision: {:?}", result.error))?,
            )?;
        }
        Ok(())
    };
    let cost = drive(&programme.server, &mut vec![programme.decisions(); BATCHES], call).await?;
    Ok(cost.cpu_us / BATCH as f64)
}

/// Measures `above` and a plain decision, interleaved.
async fn over_plain(
    rounds: usize,
    programme: &Programme,
    title: &str,
    name: &str,
    above: impl AsyncFn(&Programme) -> anyhow::Result<f64>,
    goal: Goal,
) -> anyhow::Result<()> {
    let mut terms = [Term::new(name), Term::new(DECISION), Term::new(AGAIN)];
    plain(programme).await?;
    for _ in 0..rounds {
        terms[0].rounds.push(above(programme).await?);
        terms[1].rounds.push(plain(programme).await?);
        terms[2].rounds.push(plain(programme).await?);
    }
    ratio::print(title, &terms[0], &terms[1], &terms[2], goal);
    Ok(())
}

/// A decision over an empty call.
pub fn over_empty(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        let programme = Programme::start(Size { offers: 9, customers: CUSTOMERS }).await?;
        let mut terms =
            [Term::new(DECISION), Term::new("server CPU of a health check, µs"), Term::new(AGAIN)];
        plain(&programme).await?;
        for _ in 0..rounds {
            terms[0].rounds.push(plain(&programme).await?);
            terms[1].rounds.push(empty(&programme).await?);
            terms[2].rounds.push(empty(&programme).await?);
        }
        let title = "A decision over an empty call, gRPC, 9 offers, 16 in flight";
        ratio::print(title, &terms[0], &terms[1], &terms[2], Goal::AtMost(6.0));
        Ok(())
    })
}

/// An explained decision over a plain one.
pub fn explain(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        for (offers, most) in [(9, 1.5), (100, 3.0)] {
            let programme = Programme::start(Size { offers, customers: CUSTOMERS }).await?;
            let refused = refused_told(&programme).await?;
            ensure!(refused > 0, "an explained decision tells nothing more");
            let title = format!(
                "`explain: true` over a plain decision, gRPC, {offers} offers, {refused} refused"
            );
            let name = "server CPU of an explained decision, µs";
            over_plain(rounds, &programme, &title, name, explained, Goal::AtMost(most)).await?;
        }
        Ok(())
    })
}

/// REST over gRPC.
pub fn rest(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        let programme = Programme::start(Size { offers: 9, customers: CUSTOMERS }).await?;
        let title = "The same decision by REST over gRPC, 9 offers, 16 in flight";
        let name = "server CPU of a decision by REST, µs";
        over_plain(rounds, &programme, title, name, by_rest, Goal::AtMost(2.0)).await
    })
}

/// A batch over single calls.
pub fn batch(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        let programme = Programme::start(Size { offers: 9, customers: CUSTOMERS }).await?;
        let title = format!("A customer of a batch of {BATCH} over a single call, gRPC, 9 offers");
        let name = "server CPU of a decision in a batch, µs";
        over_plain(rounds, &programme, &title, name, batched, Goal::AtMost(0.35)).await
    })
}
