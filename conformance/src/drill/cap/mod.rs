//! No window of any cap ever holds more contacts than the cap, whatever is killed meanwhile.

mod check;
mod free;
mod load;
mod window;

use std::sync::Arc;

use chrono::TimeDelta;

use super::{
    Order, Report,
    draw::Draw,
    place::Place,
    rig::Rig,
    store::{
        ledger::{self, Row},
        naive,
    },
};
use crate::suite::Store;
use load::Load;

/// Time that passes between two rounds: more than a reservation on a pull channel lasts, less than
/// any window.
const BETWEEN_ROUNDS: TimeDelta = TimeDelta::minutes(25);
/// Rounds at least; caps would fill once and stay full if time did not pass.
const ROUNDS_MIN: u64 = 20;
const HOUR_US: i64 = 3_600_000_000;

/// A cap of the drill. They overlap: one contact counts under several.
#[derive(Clone, Copy, Debug)]
struct Cap {
    id: &'static str,
    scope: &'static str,
    hours: i32,
    limit: i32,
    counts: fn(&Row) -> bool,
}

const CAPS: [Cap; 4] = [
    Cap { id: "cap_all", scope: "global", hours: 2, limit: 8, counts: |_| true },
    Cap {
        id: "cap_apparel",
        scope: "category:Apparel",
        hours: 1,
        limit: 4,
        counts: |row| row.category == "Apparel",
    },
    Cap {
        id: "cap_pair",
        scope: "offer:off_coat,off_lamp",
        hours: 3,
        limit: 3,
        counts: |row| row.offer_id == "off_coat" || row.offer_id == "off_lamp",
    },
    Cap {
        id: "cap_web",
        scope: "channel:web",
        hours: 1,
        limit: 5,
        counts: |row| row.channel_name == "web",
    },
];

/// What a kill ends.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Replica(usize),
    Postgres,
}

/// Runs the drill.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let log = format!("cap-{}.log", order.store_name());
    let Rig { mut report, mut place, log, callers } = Rig::start(order, "cap", &log).await?;
    // Both are pulled by the customer: allowed without consent, and a reservation lasts 15 minutes.
    callers.create_channel("web", "web").await?;
    callers.create_channel("app", "in_app").await?;
    for cap in CAPS {
        callers.create_cap(cap.id, cap.scope, cap.hours, cap.limit).await?;
    }
    let processes = place.replicas();
    let load = Arc::new(Load::new(order, callers.clone()));
    let (kills, rounds) = (order.size.kills, order.size.kills.max(ROUNDS_MIN));
    let mut killed: Vec<u64> = Vec::new();
    for round in 0..rounds {
        if order.time.is_up() {
            break;
        }
        if round > 0 {
            place.with_store(async |store| ledger::pass(store, BETWEEN_ROUNDS).await).await?;
        }
        let (first, end) =
            (order.size.calls * round / rounds, order.size.calls * (round + 1) / rounds);
        let mut draw = Draw::new(order.seed ^ 0x6B69_6C6C, round);
        let width = usize::try_from(end - first).unwrap_or_default();
        let kill_at =
            first + u64::try_from(width * 3 / 10 + draw.below(width * 4 / 10)).unwrap_or_default();
        let running = load.clone().start(round, first..end, kill_at);
        load.reached().await;
        // Kills are spread over the rounds evenly.
        if (round + 1) * kills / rounds > round * kills / rounds {
            let victim = match (order.store, killed.len()) {
                // The first two are of either kind, so that a small run has both.
                (Store::Postgres, 0) => Victim::Postgres,
                (Store::Postgres, 2..) if draw.percent(50) => Victim::Postgres,
                _ => Victim::Replica(draw.below(processes)),
            };
            let acknowledged = load.acknowledged();
            let since = acknowledged - killed.last().copied().unwrap_or_default();
            killed.push(acknowledged);
            let took_ms = kill(&mut place, victim, order).await?;
            report.tell(format!(
                "  kill {} of {victim:?}: {since} acknowledgements since the last, serving again \
                 after {took_ms} ms",
                killed.len()
            ));
            if since == 0 {
                report.violations.push(format!(
                    "no acknowledgement before kill {}: it proves nothing",
                    killed.len()
                ));
            }
        }
        running.await??;
        if let Some(said) = place.ended() {
            report.violations.push(format!("a process ended by itself: {said}"));
        }
    }
    let since = load.acknowledged() - killed.last().copied().unwrap_or_default();
    report.tell(format!("  after the last kill: {since} acknowledgements"));
    let done = load.done();
    let note = if done < order.size.calls { " (the time was up)" } else { "" };
    report.tell(format!(
        "  calls: {done} of {} by {} workers about {} customers in {:.1} s{note}; log in {}",
        order.size.calls,
        order.size.workers,
        order.size.customers,
        order.time.elapsed_us() as f64 / 1e6,
        log.path().display()
    ));
    let rows = place.with_store(async |store| ledger::contacts(store).await).await?;
    check::judge(&mut report, &log.read()?, &rows);
    window::check(&mut report, &rows);
    free::check(&mut report, &mut place, &callers, order.size.customers).await?;
    if let Some(url) = place.postgres_url() {
        naive_ways(&mut report, url, order).await?;
    }
    Ok(report)
}

/// Kills and starts again; returns how long no process served, in milliseconds.
async fn kill(place: &mut Place, victim: Victim, order: &Order) -> anyhow::Result<u64> {
    let from_us = order.time.elapsed_us();
    match victim {
        Victim::Replica(index) => {
            place.kill_replica(index)?;
            place.start_replica(index).await?;
        }
        Victim::Postgres => tokio::task::block_in_place(|| {
            place.crash_postgres()?;
            place.start_postgres()
        })?,
    }
    Ok((order.time.elapsed_us() - from_us) / 1_000)
}

/// The same server must let the naive ways overshoot, or the rig could not have seen it.
async fn naive_ways(report: &mut Report, url: &str, order: &Order) -> anyhow::Result<()> {
    let workers = order.size.workers;
    let customers = i32::try_from(order.size.customers / 5)?.clamp(10, 100);
    report.tell(format!(
        "  the naive ways, {workers} workers at once about each of {customers} customers, cap 3:"
    ));
    let mut overshot = 0;
    for way in naive::WAYS {
        let outcome = naive::overshoot(url, way, workers, customers).await?;
        let naive::Outcome { over, worst, failed } = outcome;
        report.tell(format!(
            "    {}: {over} customers over the cap, worst {worst}, {failed} calls failed",
            way.name
        ));
        if !way.is_exact {
            overshot += over;
        } else if over > 0 {
            report.violations.push(format!("{} overshot", way.name));
        }
    }
    if overshot == 0 {
        report
            .violations
            .push("none of the naive ways overshot: the rig proves nothing".to_owned());
    }
    Ok(())
}
