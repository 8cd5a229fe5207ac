//! A version replaces the one before it while both serve: each reads what the other wrote, and the
//! older one notices nothing of the migration.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Order, Report, draw::Draw, replay::programme};
use crate::{
    http::Client,
    process::Process,
    suite::{Store, base_in},
};

/// Callers that load the older version while it is migrated.
const CALLERS: u64 = 4;
/// The experiment of the programme, its flow, and the share that it holds out later.
const EXPERIMENT: &str = "/api/v1/experiments/exp_held_out";
const FLOW: &str = "Flow 0";
const LATER_SHARE: u64 = 70;
/// Customers whose arms are looked at.
const ARMS: usize = 60;

/// One process of one version on the data of the drill.
struct Version {
    _process: Process,
    client: Client,
}

impl Version {
    async fn start(program: &Path, place: &[String]) -> anyhow::Result<Self> {
        let mut arguments =
            vec!["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        arguments.extend(place.iter().map(String::as_str));
        let mut process = Process::start_at(program, &arguments, &[])?;
        let base = process.line(base_in).await?;
        Ok(Self { _process: process, client: Client::new(&base) })
    }

    /// Makes `count` decisions, the first of which has this number.
    async fn decide(&self, order: &Order, first: u64, count: u64) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for number in first..first + count {
            let (draw, customers) = (Draw::new(order.seed, number), order.size.customers);
            ids.extend(programme::decide(&self.client, draw, number, customers).await?);
        }
        ensure!(!ids.is_empty(), "no decision was made");
        Ok(ids)
    }

    /// The arms of some customers, by customer: a customer without one gets it.
    async fn arms(&self, prefix: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let mut arms = BTreeMap::new();
        for number in 0..ARMS {
            let customer = format!("{prefix}{number}");
            let path = format!("/api/v1/schemas/Customer/records/{customer}");
            self.client.ok("PUT", &path, &json!({"score": 50})).await?;
            let asked = json!({"customerId": customer, "flow": FLOW, "channel": "web"});
            let decision = self.client.ok("POST", "/api/v1/recommend", &asked).await?;
            let id = decision["decisionId"].as_str().context("a decision has an id")?;
            let path = format!("/api/v1/decisions/{id}");
            let record = self.client.ok("GET", &path, &Value::Null).await?;
            arms.insert(customer, record["arm"].as_str().unwrap_or_default().to_owned());
        }
        Ok(arms)
    }

    /// Changes what the experiment holds out of those without an arm.
    async fn change_the_split(&self) -> anyhow::Result<()> {
        let share = json!({"holdoutPercentage": LATER_SHARE});
        self.client.ok("PATCH", EXPERIMENT, &share).await.map(drop)
    }

    /// Which of these decisions it does not make again as they were.
    async fn differing(&self, ids: &[String]) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        for id in ids {
            let path = format!("/api/v1/decisions/{id}/replay");
            let answer = self.client.ok("POST", &path, &json!({})).await?;
            if answer["identical"] != Value::Bool(true) {
                found.push(format!("{id}: {}", answer["differences"][0]));
            }
        }
        Ok(found)
    }
}

/// Customers who have another arm than before.
fn moved(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let moved = before.iter().filter(|(customer, arm)| now.get(*customer) != Some(arm));
    moved.map(|(customer, arm)| format!("{customer} was in {arm}")).collect()
}

/// The drill would not notice without both arms, or if the later split drew the same arms.
fn ensure_telling(
    before: &BTreeMap<String, String>,
    later: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let held = |arms: &BTreeMap<String, String>| {
        arms.values().filter(|arm| arm.as_str() == "holdout").count()
    };
    let (first, then) = (held(before), held(later));
    ensure!(first > 0 && first < before.len(), "{first} of {} are held out", before.len());
    ensure!(then > 2 * first, "the later split holds out {then}, the first one {first}");
    Ok(())
}

/// Runs the drill. `previous` is the `proffer` of the version before, `current` that of this one.
pub async fn run(order: &Order, previous: &Path, current: &Path) -> anyhow::Result<Report> {
    let mut report = Report::default();
    report.tell(format!("drill upgrade: {}, seed {}", order.store_name(), order.seed));
    let folder = tempfile::tempdir()?;
    match order.store {
        Store::Postgres => {
            let url = testkit::fresh_database_url().await;
            let place = ["--database-url".to_owned(), url];
            beside(order, previous, current, &place, &mut report).await?;
        }
        Store::Sqlite => {
            let place = ["--data".to_owned(), folder.path().display().to_string()];
            in_turn(order, previous, current, &place, &mut report).await?;
        }
    }
    Ok(report)
}

/// Both versions on one PostgreSQL.
async fn beside(
    order: &Order,
    previous: &Path,
    current: &Path,
    place: &[String],
    report: &mut Report,
) -> anyhow::Result<()> {
    let count = order.size.upgraded;
    let older = Version::start(previous, place).await?;
    programme::configure(&older.client, order.seed, order.size.customers).await?;
    let by_older = older.decide(order, 0, count).await?;
    let arms = older.arms("cust_arm_").await?;

    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..CALLERS).map(|caller| load(&older, order, caller, &stop)).collect();
    report.tell(format!("  {}", migrate(current, place).await?));
    let newer = Version::start(current, place).await?;
    let by_newer = newer.decide(order, count, count).await?;
    stop.store(true, Ordering::SeqCst);
    let (mut calls, mut failed) = (0, Vec::new());
    for caller in load {
        let (done, faults) = caller.await?;
        calls += done;
        failed.extend(faults);
    }
    report.tell(format!("  calls of the older version during the migration: {calls}"));
    ensure!(calls > 0, "the older version was not called while its tables were migrated");
    report.promise("calls of the older version that failed", &failed);
    let differing = newer.differing(&by_older).await?;
    report.promise("older decisions that the newer version makes otherwise", &differing);
    let differing = older.differing(&by_newer).await?;
    report.promise("newer decisions that the older version makes otherwise", &differing);
    newer.change_the_split().await?;
    ensure_telling(&arms, &newer.arms("cust_later_").await?)?;
    let changed = moved(&arms, &newer.arms("cust_arm_").await?);
    report.promise("customers who changed arms with the newer version", &changed);

    drop(older);
    let older = Version::start(previous, place).await.context("the older version starts again")?;
    let again = older.decide(order, 3 * count, count).await?;
    report.tell(format!("  decisions of the older version, started again: {}", again.len()));
    let differing = newer.differing(&again).await?;
    report.promise("its decisions that the newer version makes otherwise", &differing);
    let changed = moved(&arms, &older.arms("cust_arm_").await?);
    report.promise("customers who changed arms with the older version, started again", &changed);
    Ok(())
}

/// The versions one after the other on one SQLite folder.
async fn in_turn(
    order: &Order,
    previous: &Path,
    current: &Path,
    place: &[String],
    report: &mut Report,
) -> anyhow::Result<()> {
    let count = order.size.upgraded;
    let older = Version::start(previous, place).await?;
    programme::configure(&older.client, order.seed, order.size.customers).await?;
    let by_older = older.decide(order, 0, count).await?;
    let arms = older.arms("cust_arm_").await?;
    drop(older);
    report.tell(format!("  {}", migrate(current, place).await?));
    let newer = Version::start(current, place).await?;
    let differing = newer.differing(&by_older).await?;
    report.promise("older decisions that the newer version makes otherwise", &differing);
    let by_newer = newer.decide(order, count, count).await?;
    newer.change_the_split().await?;
    ensure_telling(&arms, &newer.arms("cust_later_").await?)?;
    let changed = moved(&arms, &newer.arms("cust_arm_").await?);
    report.promise("customers who changed arms with the newer version", &changed);
    drop(newer);
    let older = Version::start(previous, place).await.context("the older version starts again")?;
    let differing = older.differing(&by_newer).await?;
    report.promise("newer decisions that the older version makes otherwise", &differing);
    let again = older.decide(order, 2 * count, count).await?;
    report.tell(format!("  decisions of the older version, started again: {}", again.len()));
    let changed = moved(&arms, &older.arms("cust_arm_").await?);
    report.promise("customers who changed arms with the older version, started again", &changed);
    Ok(())
}

/// Runs `proffer migrate`, and says what it said.
async fn migrate(program: &Path, place: &[String]) -> anyhow::Result<String> {
    let mut arguments = vec!["migrate"];
    arguments.extend(place.iter().map(String::as_str));
    let process = Process::start_at(program, &arguments, &[])?;
    let (code, log, said) = process.ended_with_output().await?;
    ensure!(code == Some(0), "proffer migrate ended with {code:?}:\n{log}");
    Ok(format!("migrated: {}", said.join("; ")))
}

/// Asks without a pause until `stop`; says how often, and which calls failed.
fn load(
    version: &Version,
    order: &Order,
    caller: u64,
    stop: &Arc<AtomicBool>,
) -> tokio::task::JoinHandle<(u64, Vec<String>)> {
    let client = version.client.apart();
    let (stop, seed, customers) = (stop.clone(), order.seed, order.size.customers);
    let first = 1_000_000 * (caller + 1);
    tokio::spawn(async move {
        let (mut number, mut failed) = (first, Vec::new());
        while !stop.load(Ordering::SeqCst) {
            let draw = Draw::new(seed, number);
            if let Err(error) = programme::decide(&client, draw, number, customers).await {
                failed.push(format!("{error:#}"));
            }
            number += 1;
        }
        (number - first, failed)
    })
}
