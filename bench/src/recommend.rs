//! Server CPU time of a decision over a socket, compared with other calls. The decision is a dry
//! run with its trace, 16 in flight over one HTTP/2 connection.

use anyhow::{Context as _, ensure};
use proffer_proto::decision::v1::{
    RecommendBatchRequest, RecommendRequest, decision_service_client::DecisionServiceClient,
};
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    campaign::{Campaign, Size, checked},
    drive::{Cost, drive, number},
    processor,
    ratio::{self, Goal, Term},
    rest::Rest,
};

/// Calls in flight.
const IN_FLIGHT: usize = 16;
/// Requests per batch, and batches in flight.
const BATCH: usize = 64;
const BATCHES: usize = 4;
/// Customers, unless a benchmark varies their number.
pub const CUSTOMERS: u64 = 1_000;

const DECISION: &str = "server CPU of a decision, µs";
const AGAIN: &str = "the same again";

/// Sends single decisions in a closed loop.
pub async fn decisions(
    campaign: &Campaign,
    callers: usize,
    asked: impl Fn(RecommendRequest) -> RecommendRequest,
) -> anyhow::Result<Cost> {
    let call = async |client: &mut DecisionServiceClient<Channel>| {
        let answer = client.recommend(asked(campaign.request(number()))).await?.into_inner();
        checked(answer.decision.as_ref().context("the answer has no decision")?)
    };
    drive(&campaign.server, &mut vec![campaign.decisions(); callers], call).await
}

/// A plain decision, in µs.
pub async fn plain(campaign: &Campaign) -> anyhow::Result<f64> {
    Ok(decisions(campaign, IN_FLIGHT, |request| request).await?.cpu_us)
}

/// A health check on the same port, as the empty call.
async fn empty(campaign: &Campaign) -> anyhow::Result<f64> {
    let call = async |client: &mut HealthClient<Channel>| {
        client.check(HealthCheckRequest::default()).await?;
        Ok(())
    };
    let mut clients = vec![HealthClient::new(campaign.channel.clone()); IN_FLIGHT];
    Ok(drive(&campaign.server, &mut clients, call).await?.cpu_us)
}

async fn explained(campaign: &Campaign) -> anyhow::Result<f64> {
    Ok(decisions(campaign, IN_FLIGHT, |request| RecommendRequest { explain: true, ..request })
        .await?
        .cpu_us)
}

/// Number of refused candidates in an explained decision.
async fn refused_count(campaign: &Campaign) -> anyhow::Result<usize> {
    let request = RecommendRequest { explain: true, ..campaign.request(number()) };
    let decision =
        campaign.decisions().recommend(request).await?.into_inner().decision.unwrap_or_default();
    Ok(decision.trace.unwrap_or_default().refused.len())
}

async fn by_rest(campaign: &Campaign) -> anyhow::Result<f64> {
    let mut connections = Vec::new();
    for _ in 0..IN_FLIGHT {
        connections.push(Rest::connect(campaign.server.address).await?);
    }
    let call = async |connection: &mut Rest| {
        let RecommendRequest { customer_id, channel, flow, .. } = campaign.request(number());
        let contact = format!(r#""customerId":"{customer_id}","channel":"{channel}""#);
        let body = format!(r#"{{{contact},"flow":"{flow}","dryRun":true}}"#);
        let answer = connection.post("/api/v1/recommend", body).await?;
        ensure!(
            answer.windows(9).any(|word| word == br#""offerId""#),
            "the decision has no offer: {answer:?}"
        );
        Ok(())
    };
    Ok(drive(&campaign.server, &mut connections, call).await?.cpu_us)
}

async fn batched(campaign: &Campaign) -> anyhow::Result<f64> {
    let call = async |client: &mut DecisionServiceClient<Channel>| {
        let requests = (0..BATCH).map(|_| campaign.request(number())).collect();
        let answer = client
            .recommend_batch(RecommendBatchRequest { requests, ..Default::default() })
            .await?
            .into_inner();
        ensure!(
            answer.results.len() == BATCH,
            "a batch of {BATCH} got {} answers",
            answer.results.len()
        );
        for result in &answer.results {
            checked(
                result.decision().with_context(|| format!("no decision: {:?}", result.error()))?,
            )?;
        }
        Ok(())
    };
    let cost = drive(&campaign.server, &mut vec![campaign.decisions(); BATCHES], call).await?;
    Ok(cost.cpu_us / BATCH as f64)
}

/// Measures `above` and a plain decision in alternation.
async fn over_plain(
    rounds: usize,
    campaign: &Campaign,
    title: &str,
    name: &str,
    above: impl AsyncFn(&Campaign) -> anyhow::Result<f64>,
    goal: Goal,
) -> anyhow::Result<()> {
    let mut terms = [Term::new(name), Term::new(DECISION), Term::new(AGAIN)];
    plain(campaign).await?;
    for _ in 0..rounds {
        terms[0].rounds.push(above(campaign).await?);
        terms[1].rounds.push(plain(campaign).await?);
        terms[2].rounds.push(plain(campaign).await?);
    }
    ratio::print(title, &terms[0], &terms[1], &terms[2], goal);
    Ok(())
}

/// A decision compared with an empty call.
pub fn over_empty(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        let campaign = Campaign::start(Size { offers: 9, customers: CUSTOMERS }).await?;
        let mut terms =
            [Term::new(DECISION), Term::new("server CPU of a health check, µs"), Term::new(AGAIN)];
        plain(&campaign).await?;
        for _ in 0..rounds {
            terms[0].rounds.push(plain(&campaign).await?);
            terms[1].rounds.push(empty(&campaign).await?);
            terms[2].rounds.push(empty(&campaign).await?);
        }
        let title = "A decision over an empty call, gRPC, 9 offers, 16 in flight";
        ratio::print(title, &terms[0], &terms[1], &terms[2], Goal::AtMost(6.0));
        Ok(())
    })
}

/// An explained decision compared with a plain one.
pub fn explain(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        for (offers, most) in [(9, 1.5), (100, 3.0)] {
            let campaign = Campaign::start(Size { offers, customers: CUSTOMERS }).await?;
            let refused = refused_count(&campaign).await?;
            ensure!(refused > 0, "the explained decision lists no refused candidate");
            let title = format!(
                "`explain: true` over a plain decision, gRPC, {offers} offers, {refused} refused"
            );
            let name = "server CPU of an explained decision, µs";
            over_plain(rounds, &campaign, &title, name, explained, Goal::AtMost(most)).await?;
        }
        Ok(())
    })
}

/// A decision over REST compared with the same over gRPC.
pub fn rest(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        let campaign = Campaign::start(Size { offers: 9, customers: CUSTOMERS }).await?;
        let title = "The same decision by REST over gRPC, 9 offers, 16 in flight";
        let name = "server CPU of a decision by REST, µs";
        over_plain(rounds, &campaign, title, name, by_rest, Goal::AtMost(2.0)).await
    })
}

/// A customer in a batch compared with a single call.
pub fn batch(rounds: usize) -> anyhow::Result<()> {
    processor::call(move || async move {
        let campaign = Campaign::start(Size { offers: 9, customers: CUSTOMERS }).await?;
        let title = format!("A customer of a batch of {BATCH} over a single call, gRPC, 9 offers");
        let name = "server CPU of a decision in a batch, µs";
        over_plain(rounds, &campaign, &title, name, batched, Goal::AtMost(0.35)).await
    })
}
