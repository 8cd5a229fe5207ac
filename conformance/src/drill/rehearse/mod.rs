//! A day in the life of a cluster: two replicas of each service on PostgreSQL are rolled one by
//! one, killed and added while callers decide, report, read and write. With one retry no call
//! fails, and no cap is passed.

mod check;
mod load;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use database::{Database, Location, PoolSizes};
use testkit::Postgres;

use super::{
    Order, Report,
    draw::Draw,
    store::ledger::{self, Row},
};
use crate::{
    campaign,
    cluster::{Cluster, SERVICES},
    http::Client,
};
use load::Load;

/// Replicas of each service, and one more for which there is an address.
const REPLICAS: usize = 2;
const ADDRESSES: usize = REPLICAS + 1;
/// Gateways; a caller turns to the other when one does not answer.
const GATEWAYS: usize = 2;
/// Services that get another replica.
const ADDED: [&str; 2] = ["policy", "decision"];
/// Calls that must be answered before the next thing happens.
const CALLS_BETWEEN: u64 = 60;
/// How often they are counted.
const POLL: Duration = Duration::from_millis(10);
/// Time from the signal to stop to the end of service.
const DRAIN_DELAY: [&str; 2] = ["--drain-delay-ms", "300"];

/// Runs the drill.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let (seed, workers) = (order.seed, order.size.workers.min(12));
    report.tell(format!("drill rehearse: {REPLICAS} replicas of each service, seed {seed}"));
    let server = Postgres::start()?;
    let place = ["--database-url".to_owned(), server.url.clone()];
    let mut cluster = Cluster::new((ADDRESSES, GATEWAYS), &place, &DRAIN_DELAY)?;
    let running = first_replicas(&cluster);
    for index in running.iter().copied() {
        cluster.launch(index)?;
    }
    for index in running.iter().copied() {
        cluster.ready(index).await?;
    }
    let customers = order.size.customers.clamp(20, 200);
    configure(&cluster, customers).await?;

    let load = Arc::new(Load::new(seed, customers, cluster.doors()));
    let callers = load.clone().start(workers);
    let done = turmoil(order, &mut cluster, &running, &load, &mut report).await;
    load.end();
    for caller in callers {
        caller.await??;
    }
    done?;
    let rows = contacts(&server.url).await?;
    check::judge(&mut report, &load, &rows);
    Ok(report)
}

/// The members that run at first: all but the last of each service, and every gateway.
fn first_replicas(cluster: &Cluster) -> Vec<usize> {
    let of = |service: &str| {
        let count = if service == "gateway" { GATEWAYS } else { REPLICAS };
        cluster.of(service).take(count).collect::<Vec<_>>()
    };
    SERVICES.into_iter().flat_map(of).collect()
}

/// The winback campaign, a channel without quiet hours, and customers who may get its offer.
async fn configure(cluster: &Cluster, customers: usize) -> anyhow::Result<()> {
    let base = cluster.doors().pop().context("there is a gateway")?;
    campaign::configure(&base).await?;
    let client = Client::new(&base);
    for number in 0..customers {
        client.ok("PUT", &load::record_path(number), &load::record(number as u64)).await?;
    }
    Ok(())
}

/// Rolls, kills and adds until the time is up, each at least once.
async fn turmoil(
    order: &Order,
    cluster: &mut Cluster,
    running: &[usize],
    load: &Load,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut round = 0;
    while round == 0 || !order.time.is_up() && round < order.size.kills {
        let mut draw = Draw::new(order.seed, round);
        load.phase("rolled");
        for index in running.iter().copied() {
            settle(load).await?;
            cluster.stop(index).await?;
            settle(load).await?;
            cluster.launch(index)?;
            cluster.ready(index).await?;
        }
        load.phase("killed");
        for service in SERVICES {
            let is_of = |index: &usize| cluster.members[*index].service == service;
            let victims: Vec<_> = running.iter().copied().filter(is_of).collect();
            let victim = *draw.of(&victims).context("each service has replicas")?;
            settle(load).await?;
            cluster.kill(victim)?;
            settle(load).await?;
            let from = order.time.elapsed_us();
            cluster.launch(victim)?;
            cluster.ready(victim).await?;
            let ms = (order.time.elapsed_us() - from) / 1_000;
            report.tell(format!("  {service} was killed, and ready {ms} ms after its start"));
        }
        load.phase("added");
        for service in ADDED {
            let added = cluster.of(service).last().context("each service has a spare address")?;
            cluster.launch(added)?;
            cluster.ready(added).await?;
            settle(load).await?;
            cluster.stop(added).await?;
            settle(load).await?;
        }
        round += 1;
    }
    load.phase("at rest");
    settle(load).await?;
    report.tell(format!("  rounds: {round}"));
    Ok(())
}

/// Returns when callers have had more answers: whatever happened met work.
async fn settle(load: &Load) -> anyhow::Result<()> {
    let enough = load.answered() + CALLS_BETWEEN;
    while load.answered() < enough {
        load.check()?;
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn contacts(url: &str) -> anyhow::Result<Vec<Row>> {
    let location = Location::Url(url.to_owned());
    let store = Database::open(&location, "policy", PoolSizes::default(), &[]).await?;
    let rows = ledger::contacts(&store).await?;
    store.close().await;
    Ok(rows)
}
