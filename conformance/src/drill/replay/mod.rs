//! Decisions come out the same when they are made again: after the configuration, the records and
//! the contacts have all moved on, and everything was restarted.

pub(super) mod programme;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use database::{Database, Location, PoolSizes};
use serde_json::{Value, json};

use super::{Order, Report, draw::Draw, rig::numbered, store::decision};
use crate::{
    http::Client,
    suite::{Shape, Suite},
};

/// Callers at once: each keeps one connection.
const CALLERS: usize = 8;

/// Runs the drill.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let count = order.size.decisions;
    report.tell(format!("drill replay: {}, one process, seed {}", order.store_name(), order.seed));
    let mut suite = Suite::start(Shape::AllInOne, order.store).await?;
    programme::configure(&suite.client(), order.seed, order.size.customers).await?;
    let probe = probe(&suite.client()).await?;

    let ids = Arc::new(Mutex::new(Vec::new()));
    let callers = clients(&suite);
    let (kept, seed, customers) = (ids.clone(), order.seed, order.size.customers);
    // Half of the time is for the second half.
    let first = Order { time: order.time.part(45), ..order.clone() };
    let done = numbered(&first, CALLERS, count, move |number| {
        let (client, kept) = (of(&callers, number), kept.clone());
        async move {
            if let Some(id) =
                programme::decide(&client, Draw::new(seed, number), number, customers).await?
            {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(id);
            }
            Ok(())
        }
    });
    let done = done.await?;
    let ids = ids.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let note = if done < count { " (the time was up)" } else { "" };
    report.tell(format!("  decisions: {} of {done} questions, {count} wanted{note}", ids.len()));

    programme::edit_everything(&suite.client(), order.seed, order.size.customers).await?;
    suite.processes.clear();
    flip(&suite, &probe).await?;
    suite.restart().await?;

    let differing = Arc::new(Mutex::new(Vec::new()));
    let (callers, found, all) = (clients(&suite), differing.clone(), Arc::new(ids));
    let wanted = all.len() as u64;
    let asked = all.clone();
    let again = numbered(order, CALLERS, wanted, move |number| {
        let (client, found, asked) = (of(&callers, number), found.clone(), asked.clone());
        async move {
            let Some(id) = asked.get(usize::try_from(number)?) else { return Ok(()) };
            let answer = replay(&client, id).await?;
            if answer["identical"] != json!(true) {
                let first = answer["differences"][0].to_string();
                let first: String = first.chars().take(300).collect();
                found.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{id}: {first}"));
            }
            Ok(())
        }
    });
    let again = again.await?;
    let note = if again < wanted { " (the time was up)" } else { "" };
    report.tell(format!("  replayed after every edit and a restart: {again} of {wanted}{note}"));
    let differing = differing.lock().unwrap_or_else(PoisonError::into_inner).clone();
    report.promise("decisions that came out otherwise", &differing);
    let flipped = replay(&suite.client(), &probe).await?;
    let now = |difference: &Value| difference["now"].as_str().unwrap_or_default().to_owned();
    let differences = flipped["differences"].as_array().cloned().unwrap_or_default();
    let at_its_rule = differences
        .iter()
        .map(now)
        .find(|now| now.contains(r#""field":"score","op":">=","expected":"10""#));
    let is_noticed = flipped["identical"] == json!(false) && at_its_rule.is_some();
    report.tell(format!("  one recorded input turned: {}", at_its_rule.unwrap_or_default()));
    if !is_noticed {
        report.violations.push(format!("a turned input was not noticed at its rule: {flipped}"));
    }
    if again == 0 {
        report.violations.push("nothing was replayed".to_owned());
    }
    Ok(report)
}

fn clients(suite: &Suite) -> Arc<Vec<Client>> {
    Arc::new((0..CALLERS).map(|_| suite.client()).collect())
}

fn of(clients: &Arc<Vec<Client>>, number: u64) -> Client {
    let place = usize::try_from(number).unwrap_or_default() % clients.len().max(1);
    clients[place].clone()
}

async fn replay(client: &Client, id: &str) -> anyhow::Result<Value> {
    client.ok("POST", &format!("/api/v1/decisions/{id}/replay"), &json!({})).await
}

/// A decision whose outcome hangs on one number.
async fn probe(client: &Client) -> anyhow::Result<String> {
    let record = json!({"score": 12, "timezone": "Etc/UTC", "consentEmail": true});
    client.ok("PUT", "/api/v1/schemas/Customer/records/probe", &record).await?;
    let asked =
        json!({"customerId": "probe", "channel": "web", "flow": "flow_probe", "explain": true});
    let decision = client.ok("POST", "/api/v1/recommend", &asked).await?;
    anyhow::ensure!(
        decision["decisions"][0]["offerId"] == json!("off_probe"),
        "the probe got no offer: {decision}"
    );
    decision["decisionId"].as_str().map(str::to_owned).context("a decision has an id")
}

/// Turns the number in the record, past the service.
async fn flip(suite: &Suite, probe: &str) -> anyhow::Result<()> {
    let location = match suite.place().as_slice() {
        ["--data", folder] => Location::Folder((*folder).into()),
        [_, url] => Location::Url((*url).to_owned()),
        other => anyhow::bail!("the suite keeps its data in {other:?}"),
    };
    let database = Database::open(&location, "decision", PoolSizes::default(), &[]).await?;
    decision::turn_field(&database, probe, "score", 3).await?;
    database.close().await;
    Ok(())
}
