//! Old decisions are deleted by the thousand while others are made, and callers do not notice.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::ensure;
use database::{Database, Location, PoolSizes};
use serde_json::json;
use serve::Clock;

use super::{Order, Report, draw::Draw, replay::programme, rig::numbered, store::decision};
use crate::suite::{Shape, Suite};

/// Callers at once.
const CALLERS: usize = 2;
/// Old copies of each decision.
const COPIES: i64 = 100;
/// What the slowest percent may take with the deletion, against without.
const RATIO_MAX: f64 = 1.5;
/// The limit, in days, and the age of the copies.
const LIMIT: &str = "decisions=400";
const AGE_DAYS: i64 = 500;

/// Runs the drill.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let mut report = Report::default();
    report.tell(format!("drill retention: {}, seed {}", order.store_name(), order.seed));
    let mut suite = Suite::start(Shape::AllInOne, order.store).await?;
    programme::configure(&suite.client(), order.seed, order.size.customers).await?;
    let first = measured(&suite, order, 0).await?;
    suite.processes.clear();
    let before = aged(&suite).await?;

    let mut runs = Vec::new();
    for (number, limits) in (1..).zip([&[][..], &["--retain", LIMIT], &[]]) {
        suite.restart_with(limits).await?;
        runs.push(measured(&suite, order, number).await?);
        suite.processes.clear();
    }
    let left = counted(&suite).await?;
    let deleted = before - left;
    report.tell(format!("  old decisions: {before}, deleted during the timing: {deleted}"));
    let [without, with, again] = runs.as_slice() else { anyhow::bail!("three runs") };
    report.tell(format!(
        "  p99 in ms: warm-up {first:.2}, without {without:.2}, with {with:.2}, without {again:.2}"
    ));
    let base = without.max(*again);
    report.tell(format!("  ratio: {:.2}, at most {RATIO_MAX}", with / base));
    ensure!(deleted > 0, "nothing was deleted while it was measured");
    if with / base > RATIO_MAX {
        report
            .violations
            .push(format!("p99 with deletion is {:.2} times that without", with / base));
    }
    Ok(report)
}

/// The time that 99 of 100 decisions stay below, in milliseconds.
async fn measured(suite: &Suite, order: &Order, run: u64) -> anyhow::Result<f64> {
    let count = order.size.upgraded * 10;
    let times = Arc::new(Mutex::new(Vec::new()));
    let clients: Arc<Vec<_>> = Arc::new((0..CALLERS).map(|_| suite.client()).collect());
    let (kept, seed, customers) = (times.clone(), order.seed, order.size.customers);
    numbered(order, CALLERS, count, move |number| {
        let client = clients[usize::try_from(number).unwrap_or_default() % CALLERS].clone();
        let kept = kept.clone();
        async move {
            let mut draw = Draw::new(seed, run * 10_000_000 + number);
            let customer = format!("cust_{}", draw.below(customers));
            let asked = json!({"customerId": customer, "flow": "Flow 0", "channel": "web"});
            let watch = Clock::system().stopwatch();
            client.ok("POST", "/api/v1/recommend", &asked).await?;
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(watch.elapsed_ms());
            Ok(())
        }
    })
    .await?;
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner).clone();
    ensure!(times.len() >= 100, "only {} decisions were measured", times.len());
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() * 99 / 100])
}

async fn store_of(suite: &Suite) -> anyhow::Result<Database> {
    let location = match suite.place().as_slice() {
        ["--data", folder] => Location::Folder((*folder).into()),
        [_, url] => Location::Url((*url).to_owned()),
        other => anyhow::bail!("the suite keeps its data in {other:?}"),
    };
    Database::open(&location, "decision", PoolSizes::default(), &[]).await
}

/// Copies every decision into the past; says how many old ones there are.
async fn aged(suite: &Suite) -> anyhow::Result<i64> {
    let database = store_of(suite).await?;
    decision::copy_into_past(&database, AGE_DAYS, COPIES).await?;
    database.close().await;
    counted(suite).await
}

async fn counted(suite: &Suite) -> anyhow::Result<i64> {
    let database = store_of(suite).await?;
    let before = Clock::system().now() - chrono::TimeDelta::days(AGE_DAYS - 1);
    let count = decision::made_before(&database, before.timestamp_micros()).await;
    database.close().await;
    count
}
