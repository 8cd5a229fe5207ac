//! How soon decisions use a changed offer, among many offers, and how the change slows other
//! decisions. One caller sends decisions in a closed loop, another changes offers. Server and
//! callers share the processors, because compilation needs a processor too.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use proffer_proto::catalog::v1::{
    Offer, UpdateOfferRequest, offer_service_client::OfferServiceClient,
};
use tonic::transport::Channel;

use crate::{
    campaign::{Campaign, Size, checked},
    drive::number,
    ratio::{self, Goal, Term, median},
    recommend::CUSTOMERS,
    server::Place,
};

/// Number of offers.
const OFFERS: u64 = 10_000;
/// Duration of the term without a change.
const QUIET: Duration = Duration::from_secs(2);
/// Changes per round.
const PUBLISHES: u64 = 10;
/// Names of the two settings: without and with waiting.
const WAITS: [(u64, &str); 2] =
    [(0, "decisions do not wait"), (250, "decisions wait up to 250 ms")];

/// Times of decisions in milliseconds, each with the catalog revision it used.
type Asked = Vec<(f64, i64)>;

/// What was measured around one change.
struct Publish {
    /// Time from the answer to the write until the answer of the first decision that used it, in
    /// milliseconds.
    visible_ms: f64,
    /// Decisions sent in that time.
    meanwhile: Vec<f64>,
}

async fn ask(campaign: &Campaign) -> anyhow::Result<(f64, i64)> {
    let started = Instant::now();
    let answer = campaign.decisions().recommend(campaign.request(number())).await?.into_inner();
    let decision = answer.decision.context("the answer has no decision")?;
    checked(&decision)?;
    let revision =
        decision.snapshot.iter().find_map(|part| part.strip_prefix("catalog:")?.parse().ok());
    Ok((
        started.elapsed().as_secs_f64() * 1e3,
        revision.context("the decision names no catalog revision")?,
    ))
}

async fn quiet(campaign: &Campaign) -> anyhow::Result<Asked> {
    let (started, mut asked) = (Instant::now(), Vec::new());
    while started.elapsed() < QUIET {
        asked.push(ask(campaign).await?);
    }
    Ok(asked)
}

async fn publish(
    campaign: &Campaign,
    offers: &mut OfferServiceClient<Channel>,
    nth: u64,
) -> anyhow::Result<Publish> {
    let offer = Offer { priority: Some((nth % 100) as f64), ..Default::default() };
    let request = UpdateOfferRequest {
        id: format!("off_apparel_{}", 3 * (nth % 1_000)),
        offer: Some(offer),
        update_mask: Some(prost_types::FieldMask { paths: vec!["priority".to_owned()] }),
    };
    let writing = async {
        let answer = offers.update_offer(request).await?.into_inner();
        anyhow::Ok((Instant::now(), answer.offer.context("the answer has no offer")?.revision))
    };
    let mut writing = std::pin::pin!(writing);
    let (mut written, mut meanwhile) = (None, Vec::new());
    loop {
        let asking = ask(campaign);
        let (spent, by) = match written {
            Some(_) => asking.await?,
            None => {
                let mut asking = std::pin::pin!(asking);
                tokio::select! {
                    done = &mut writing => {
                        written = Some(done?);
                        asking.await?
                    }
                    asked = &mut asking => asked?,
                }
            }
        };
        meanwhile.push(spent);
        if let Some((at, revision)) = written
            && by >= revision
        {
            return Ok(Publish { visible_ms: at.elapsed().as_secs_f64() * 1e3, meanwhile });
        }
    }
}

fn p99(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(f64::NAN)
}

fn times(asked: Asked) -> Vec<f64> {
    asked.into_iter().map(|(spent, _)| spent).collect()
}

/// Runs the rounds and prints the report.
pub async fn run(rounds: usize) -> anyhow::Result<()> {
    for (wait_ms, how) in WAITS {
        let campaign = Campaign::start_at(
            Place::Anywhere,
            wait_ms,
            Size { offers: OFFERS, customers: CUSTOMERS },
        )
        .await?;
        let mut offers = OfferServiceClient::new(campaign.channel.clone());
        quiet(&campaign).await?;
        let mut during = Term::new("p99 of decisions while an offer is published, ms");
        let mut before = Term::new("p99 of decisions before, ms");
        let mut again = Term::new("the same again");
        let (mut visible, mut longest) = (Vec::new(), 0.0_f64);
        for round in 0..rounds as u64 {
            before.rounds.push(p99(times(quiet(&campaign).await?)));
            let mut meanwhile = Vec::new();
            for nth in 0..PUBLISHES {
                let published = publish(&campaign, &mut offers, round * PUBLISHES + nth).await?;
                visible.push(published.visible_ms);
                meanwhile.extend(published.meanwhile);
            }
            longest = meanwhile.iter().copied().fold(longest, f64::max);
            during.rounds.push(p99(meanwhile));
            again.rounds.push(p99(times(quiet(&campaign).await?)));
        }
        let goal = if wait_ms == 0 { Goal::AtMost(1.5) } else { Goal::None };
        ratio::print(
            &format!("{OFFERS} offers, one of them changed, {how}"),
            &during,
            &before,
            &again,
            goal,
        );
        let latest = visible.iter().copied().fold(0.0, f64::max);
        println!(
            "  from the write to the first decision with it: median {:.0} ms, \
             longest {latest:.0} ms (goal ≤ 1000)",
            median(visible)
        );
        println!("  longest decision meanwhile: {longest:.0} ms");
    }
    Ok(())
}
