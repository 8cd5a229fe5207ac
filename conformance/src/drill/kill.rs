//! Each service and the database server are killed in turn while callers write. What was
//! acknowledged must be there, and what was killed must be ready again soon.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use database::{Database, Location, PoolSizes};
use testkit::Postgres;

use super::{
    Order, Report,
    store::{decision, ledger},
};
use crate::{
    acknowledged::{Acknowledged, Acknowledgments},
    campaign,
    cluster::Cluster,
    http::Client,
};

/// What is killed, in turn: a service or the database server.
const VICTIMS: [&str; 6] = ["decision", POSTGRES, "policy", "gateway", "experiment", "catalog"];
const POSTGRES: &str = "postgres";
/// Callers, and those who look whether everything is there.
const CALLERS: usize = 16;
/// How often acknowledgments are counted, and how long a caller waits after a failure.
const POLL: Duration = Duration::from_millis(10);
/// Longest time from the start of a killed process until it may be sent work.
const READY_MAX: Duration = Duration::from_secs(3);

/// Runs the drill.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let (seed, size) = (order.seed, order.size);
    report.tell(format!("drill kill: five processes on PostgreSQL, seed {seed}"));
    let mut server = Postgres::start()?;
    let place = ["--database-url".to_owned(), server.url.clone()];
    let mut cluster = Cluster::new((1, 1), &place, &[])?;
    cluster.start().await?;
    let base = cluster.doors().pop().context("there is a gateway")?;
    campaign::configure(&base).await?;

    let (done, is_over) = (Acknowledgments::default(), Arc::<AtomicBool>::default());
    let number = Arc::<AtomicU64>::default();
    let caller = |_| {
        let (client, done) = (Client::new(&base), done.clone());
        tokio::spawn(call(client, done, number.clone(), is_over.clone()))
    };
    let callers: Vec<_> = (0..CALLERS).map(caller).collect();
    let killed = kills(order, &mut cluster, &mut server, &done, &mut report).await;
    is_over.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await?;
    }
    killed?;
    let all = done.all();
    report.tell(format!("  acknowledged: {} of {}", all.len(), size.acknowledged));
    let lost = lost(&base, &all).await?;
    report.promise("acknowledged and lost", &lost);
    report
        .promise("decisions with an offer and without their slot", &slotless(&server, &all).await?);
    report.promise("messages that are not delivered", &undelivered(&server).await?);
    Ok(report)
}

/// Writes about one new customer after the other. A call that fails is not sent again: whether it
/// was done is not known.
async fn call(client: Client, done: Acknowledgments, next: Arc<AtomicU64>, over: Arc<AtomicBool>) {
    while !over.load(Ordering::SeqCst) {
        let number = next.fetch_add(1, Ordering::SeqCst);
        if done.write(&client, format!("c{number}"), number).await.is_err() {
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Kills at even distances, until enough is acknowledged or the time is up.
async fn kills(
    order: &Order,
    cluster: &mut Cluster,
    server: &mut Postgres,
    done: &Acknowledgments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let enough = usize::try_from(order.size.acknowledged)?;
    let kills = usize::try_from(order.size.kills)?;
    let (mut before, mut late) = (0, Vec::new());
    for (kill, victim) in VICTIMS.into_iter().cycle().take(kills).enumerate() {
        reach(order, done, (kill + 1) * enough / (kills + 1)).await;
        let since = done.count() - before;
        before = done.count();
        let took = strike(order, cluster, server, victim).await?;
        report.tell(format!(
            "  kill {} of {victim}: {since} acknowledged since the last, ready after {} ms",
            kill + 1,
            took.as_millis()
        ));
        if since == 0 {
            report.violations.push(format!("kill {} met no acknowledgment", kill + 1));
        }
        if took > READY_MAX && victim != POSTGRES {
            late.push(format!("{victim} after {} ms", took.as_millis()));
        }
    }
    report.promise("services that were not ready within 3 s of their start", &late);
    reach(order, done, enough).await;
    Ok(())
}

/// Returns when so much is acknowledged. When the time is up, a little more is enough.
async fn reach(order: &Order, done: &Acknowledgments, enough: usize) {
    let start = done.count();
    while done.count() < enough && !(order.time.is_up() && done.count() > start) {
        tokio::time::sleep(POLL).await;
    }
}

/// Kills the victim and starts it again; the time from the start until it may be sent work.
async fn strike(
    order: &Order,
    cluster: &mut Cluster,
    server: &mut Postgres,
    victim: &str,
) -> anyhow::Result<Duration> {
    let index = cluster.of(victim).next();
    match index {
        Some(index) => cluster.kill(index)?,
        None => server.crash()?,
    }
    let from = order.time.elapsed_us();
    match index {
        Some(index) => {
            cluster.launch(index)?;
            cluster.ready(index).await?;
        }
        None => {
            server.start_again()?;
            for index in 0..cluster.members.len() {
                cluster.ready(index).await?;
            }
        }
    }
    Ok(Duration::from_micros(order.time.elapsed_us() - from))
}

/// What is not there.
async fn lost(base: &str, all: &[Acknowledged]) -> anyhow::Result<Vec<String>> {
    let mut looking = Vec::new();
    for part in all.chunks(all.len().div_ceil(CALLERS).max(1)) {
        let (client, part) = (Client::new(base), part.to_vec());
        looking.push(tokio::spawn(async move {
            let mut lost = Vec::new();
            for one in part {
                if !one.is_there(&client).await {
                    lost.push(format!("{one:?}"));
                }
            }
            lost
        }));
    }
    let mut lost = Vec::new();
    for part in looking {
        lost.extend(part.await?);
    }
    Ok(lost)
}

/// Decisions that returned an offer and hold no slot.
async fn slotless(server: &Postgres, all: &[Acknowledged]) -> anyhow::Result<Vec<String>> {
    let store = open(server, "policy").await?;
    let rows = ledger::contacts(&store).await?;
    store.close().await;
    let held: std::collections::BTreeSet<_> = rows.into_iter().map(|row| row.decision_id).collect();
    let is_slotless = |one: &&Acknowledged| match one {
        Acknowledged::Decision { id, offers, .. } => *offers > 0 && !held.contains(id),
        _ => false,
    };
    Ok(all.iter().filter(is_slotless).map(|one| format!("{one:?}")).collect())
}

/// Messages that decision-svc still has for its neighbors, some seconds after the last call.
async fn undelivered(server: &Postgres) -> anyhow::Result<Vec<String>> {
    let store = open(server, "decision").await?;
    let mut left = 0;
    for _ in 0..1_000 {
        left = decision::undelivered(&store).await?;
        if left == 0 {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    store.close().await;
    Ok((0..left).map(|number| format!("message {number}")).collect())
}

async fn open(server: &Postgres, service: &'static str) -> anyhow::Result<Database> {
    Database::open(&Location::Url(server.url.clone()), service, PoolSizes::default(), &[]).await
}
