//! Hostile callers beside an honest one: the process keeps its memory bound, and the honest caller
//! is answered.
//!
//! Each attack is a file with an [`Attack`] that is listed in [`ATTACKS`].

mod all_or_nothing;
mod costly_rules;
mod garbage;
mod hostile;
mod many_streams;
mod probe;
mod silent;
mod unfinished_http1;
mod unfinished_http2;
mod unread;
mod wide_headers;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use futures::future::BoxFuture;
use serde_json::json;

use self::probe::{Probe, Seen};
use super::{Order, Report};
use crate::{
    campaign,
    http::Client,
    suite::{Shape, Store, Suite},
};

/// The attacks, in the order in which they run.
pub const ATTACKS: &[Attack] = &[
    unfinished_http1::ATTACK,
    unfinished_http2::ATTACK,
    all_or_nothing::ATTACK,
    unread::ATTACK,
    many_streams::ATTACK,
    wide_headers::ATTACK,
    silent::ATTACK,
    garbage::ATTACK,
    costly_rules::ATTACK,
];

/// One mebibyte.
const MIB: u64 = 1 << 20;
/// Memory of the attacked process at most.
const RSS_MAX: u64 = 256 * MIB;
/// The honest caller's p99 under attack is at most so many times that of its control.
const P99_RATIO: u32 = 3;
/// Where the control is faster, so much is allowed: the machine is shared with the attacker, and
/// a debug build works many times as long.
const P99_FLOOR: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 40 });
/// Of so many honest calls one may be refused.
const REFUSED_ONE_IN: usize = 100;
/// Shares of the time of an attack, in hundredths: its control, and the attack.
const SHARES: (u32, u32) = (25, 60);
/// Bounds of the time of an attack.
const HOLD: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(90));
/// The schema with large records, and how many there are.
const SCHEMA: &str = "Notes";
const RECORDS: usize = 1_000;
/// Bytes of the text in such a record.
const NOTE_BYTES: usize = 1_024;

/// What a hostile caller does.
#[derive(Clone, Copy)]
pub struct Attack {
    /// Its name in reports.
    pub name: &'static str,
    /// Attacks until it is dropped. It goes on when it is refused; an error says that it could not
    /// attack at all.
    pub run: fn(Target) -> BoxFuture<'static, anyhow::Result<()>>,
}

/// What is attacked.
#[derive(Clone, Debug)]
pub struct Target {
    /// The address of REST and gRPC.
    pub address: SocketAddr,
    /// Bytes or requests that the attack has sent: without any it proves nothing.
    pub sent: Arc<AtomicU64>,
}

impl Target {
    /// The attack has sent so much more.
    pub fn count(&self, sent: usize) {
        self.sent.fetch_add(sent as u64, Ordering::SeqCst);
    }
}

/// Runs all attacks, one after the other, each on a process of its own.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let mut report = Report::default();
    report.tell(format!("drill attack: {} attacks on `proffer serve`", ATTACKS.len()));
    let each = order.time.most() / u32::try_from(ATTACKS.len()).unwrap_or(1).max(1);
    for attack in ATTACKS {
        one(attack, each, &mut report).await.with_context(|| attack.name)?;
    }
    Ok(report)
}

async fn one(attack: &Attack, time: Duration, report: &mut Report) -> anyhow::Result<()> {
    let mut suite = Suite::start(Shape::AllInOne, Store::Sqlite).await?;
    prepare(&suite).await?;
    let probe = Probe::new(&suite.base);
    let share = |hundredths: u32| (time * hundredths / 100).clamp(HOLD.0, HOLD.1);
    let control = probe.watch(share(SHARES.0)).await;
    let pid = suite.processes.first().context("there is a process")?.pid();
    let before = memory_bytes(pid, "VmRSS:")?;
    let target = Target { address: suite.address().parse()?, sent: Arc::default() };
    let attacking = tokio::spawn((attack.run)(target.clone()));
    let seen = probe.watch(share(SHARES.1)).await;
    if attacking.is_finished() {
        attacking.await?.context("the attack could not be made")?;
    } else {
        attacking.abort();
    }
    let largest = memory_bytes(pid, "VmHWM:")?;
    let sent = target.sent.load(Ordering::SeqCst);
    report.tell(format!(
        "  {}: sent {sent}; RSS {} MiB before, {} MiB at most; honest calls: {}, refused {}, \
         p99 {:.1?} (control {:.1?})",
        attack.name,
        before / MIB,
        largest / MIB,
        seen.calls(),
        seen.refused.len(),
        seen.p99(),
        control.p99()
    ));
    ensure!(sent > 0, "the attack sent nothing");
    judge(attack.name, largest, (&control, &seen), report);
    if let Err(error) = suite.is_alive() {
        report.violations.push(format!("{}: {error:#}", attack.name));
    }
    Ok(())
}

fn judge(name: &str, rss: u64, (control, seen): (&Seen, &Seen), report: &mut Report) {
    let mut broken = Vec::new();
    if rss >= RSS_MAX {
        broken.push(format!(
            "RSS was {} MiB, at most {} MiB are allowed",
            rss / MIB,
            RSS_MAX / MIB
        ));
    }
    let p99_max = (control.p99() * P99_RATIO).max(P99_FLOOR);
    if seen.p99() > p99_max {
        broken.push(format!("p99 was {:.1?}, at most {p99_max:.1?} is allowed", seen.p99()));
    }
    if seen.calls() == 0 || seen.refused.len() * REFUSED_ONE_IN > seen.calls() {
        let example = seen.refused.first().cloned().unwrap_or_default();
        broken.push(format!(
            "{} of {} honest calls failed: {example}",
            seen.refused.len(),
            seen.calls()
        ));
    }
    report.violations.extend(broken.into_iter().map(|broken| format!("{name}: {broken}")));
}

/// A campaign to decide, and large records to read.
async fn prepare(suite: &Suite) -> anyhow::Result<()> {
    campaign::configure(&suite.base).await?;
    let client = Client::new(&suite.base);
    let schema = json!({"name": SCHEMA, "fields": [{"name": "note", "type": "string"}]});
    client.ok("POST", "/api/v1/schemas", &schema).await?;
    let note = "n".repeat(NOTE_BYTES);
    let record = |number: usize| json!({"customerId": format!("note_{number}"), "note": note});
    let body = json!({"records": (0..RECORDS).map(record).collect::<Vec<_>>()});
    client.ok("POST", &format!("/api/v1/schemas/{SCHEMA}/records"), &body).await?;
    Ok(())
}

/// Memory of a process in bytes: `VmRSS:` now, `VmHWM:` at most so far.
fn memory_bytes(pid: u32, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("its memory")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}
