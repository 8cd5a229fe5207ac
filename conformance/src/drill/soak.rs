//! One process on SQLite writes for a long time, while reads overlap and some last long. The
//! write-ahead logs keep their bound, and nothing acknowledged is lost.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use serve::{Clock, Stopwatch};

use super::{Order, Report, store::open_read::OpenRead};
use crate::{
    acknowledged::Acknowledgments,
    campaign,
    http::Client,
    suite::{Shape, Store, Suite},
};

/// Those who write, and those who read without a pause.
const WRITERS: usize = 4;
const READERS: usize = 2;
/// One mebibyte.
const MIB: u64 = 1 << 20;
/// A log is no longer than this, unless a read keeps it open.
const BYTES_MAX: u64 = 64 * MIB;
/// It is again after such a read has ended.
const SETTLED: Duration = Duration::from_secs(60);
/// A long read ends when a log has become so long.
const GROWN: u64 = 96 * MIB;
/// Beginning and latest end of the long reads, in hundredths of the time.
const READS: [(u32, u32); 2] = [(15, 45), (60, 80)];
/// What a call says that may be repeated.
const UNAVAILABLE: &str = r#": 503 {"error":{"code":"UNAVAILABLE""#;
/// How often the logs are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Looks between two lines of the report.
const LOOKS_PER_LINE: u32 = 240;

/// What callers saw.
#[derive(Clone, Default)]
struct Seen {
    done: Acknowledgments,
    /// Calls that were refused for load, and calls that failed.
    refused: Arc<AtomicU64>,
    failed: Arc<Mutex<Vec<String>>>,
    slowest_us: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    next: Arc<AtomicU64>,
}

impl Seen {
    fn note(&self, called: anyhow::Result<()>, since: Stopwatch) {
        let took = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.slowest_us.fetch_max(took, Ordering::SeqCst);
        let Err(error) = called else { return };
        let text = format!("{error:#}");
        // A machine that is busy with other things may keep a call from its store for too long.
        if text.contains(UNAVAILABLE) {
            self.refused.fetch_add(1, Ordering::SeqCst);
        } else {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }
}

/// Runs the drill.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let mut report = Report::default();
    report.tell(format!("drill soak: one process on SQLite, {WRITERS} writers, {READERS} readers"));
    let suite = Suite::start(Shape::AllInOne, Store::Sqlite).await?;
    campaign::configure(&suite.base).await?;
    let (seen, data) = (Seen::default(), suite.folder().join("data"));
    let mut callers = Vec::new();
    for _ in 0..WRITERS {
        callers.push(tokio::spawn(write(Client::new(&suite.base), seen.clone())));
    }
    for _ in 0..READERS {
        callers.push(tokio::spawn(read(Client::new(&suite.base), seen.clone())));
    }
    let watched = watch(order, &data, &seen, &mut report).await;
    seen.is_over.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await?;
    }
    watched?;
    let all = seen.done.all();
    let slowest = Duration::from_micros(seen.slowest_us.load(Ordering::SeqCst));
    report.tell(format!("  acknowledged: {}; the slowest customer took {slowest:.1?}", all.len()));
    report.tell(format!("  calls refused: {}", seen.refused.load(Ordering::SeqCst)));
    ensure!(!all.is_empty(), "nothing was written");
    let failed = seen.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    report.promise("calls that failed", &failed);
    let client = Client::new(&suite.base);
    let mut lost = Vec::new();
    for one in &all {
        if !one.is_there(&client).await {
            lost.push(format!("{one:?}"));
        }
    }
    report.promise("acknowledged and lost", &lost);
    Ok(report)
}

/// Writes about one new customer after the other.
async fn write(client: Client, seen: Seen) {
    while !seen.is_over() {
        let number = seen.next.fetch_add(1, Ordering::SeqCst);
        let since = Clock::system().stopwatch();
        seen.note(seen.done.write(&client, format!("c{number}"), number).await, since);
    }
}

/// Reads page after page of decisions, so that some read is always going on.
async fn read(client: Client, seen: Seen) {
    while !seen.is_over() {
        let since = Clock::system().stopwatch();
        let page = client.ok("GET", "/api/v1/decisions?pageSize=100", &Value::Null).await;
        seen.note(page.map(drop), since);
    }
}

/// A read that keeps the logs open.
struct LongRead {
    _held: Vec<OpenRead>,
    since: Stopwatch,
    before: u64,
    until: u32,
}

impl LongRead {
    async fn begin(data: &Path, until: u32, before: u64) -> anyhow::Result<Self> {
        let mut held = Vec::new();
        for file in files(data, ".sqlite")? {
            held.push(OpenRead::begin(&file).await?);
        }
        ensure!(!held.is_empty(), "there is no file to read");
        Ok(Self { _held: held, since: Clock::system().stopwatch(), before, until })
    }
}

/// The files of a folder whose names end so.
fn files(data: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let all = fs::read_dir(data)?.map(|entry| Ok(entry?.path()));
    let mut all = all.collect::<anyhow::Result<Vec<PathBuf>>>()?;
    all.retain(|path| path.to_string_lossy().ends_with(ending));
    Ok(all)
}

/// The write-ahead logs of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Logs {
    longest: u64,
    /// Name of the longest.
    name: String,
    total: u64,
}

impl Logs {
    fn of(data: &Path) -> anyhow::Result<Self> {
        let mut logs = Self::default();
        for path in files(data, "-wal")? {
            let length = fs::metadata(&path)?.len();
            logs.total += length;
            if length > logs.longest {
                logs.longest = length;
                logs.name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            }
        }
        Ok(logs)
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB as f64)
}

/// Looks at the logs until the time is up, with long reads in between.
async fn watch(order: &Order, data: &Path, seen: &Seen, report: &mut Report) -> anyhow::Result<()> {
    let (mut reads, mut reading) = (READS.into_iter().peekable(), None::<LongRead>);
    let mut ended: Option<Stopwatch> = None;
    let (mut above, mut most, mut most_of_line) = (Vec::new(), 0, Logs::default());
    for look in 1_u32.. {
        if order.time.is_up() {
            break;
        }
        tokio::time::sleep(LOOK).await;
        let logs = Logs::of(data)?;
        let at = Duration::from_micros(order.time.elapsed_us());
        most_of_line = most_of_line.max(logs.clone());
        if look % LOOKS_PER_LINE == 0 {
            let Logs { longest, name, .. } = std::mem::take(&mut most_of_line);
            let (count, longest) = (seen.done.count(), mib(longest));
            let open = if reading.is_some() { ", a long read" } else { "" };
            report.tell(format!("  {at:.0?}: {count} acknowledged, {name} {longest}{open}"));
        }
        let is_done =
            |read: &mut LongRead| logs.longest > GROWN || order.time.part(read.until).is_up();
        if let Some(read) = reading.take_if(is_done) {
            let (took, grown) = (read.since.elapsed(), logs.total.saturating_sub(read.before));
            let grew = mib(grown);
            report.tell(format!("  {at:.0?}: a read of {took:.0?} ended, the logs grew {grew}"));
            ensure!(grown > 0, "the long read kept no log open");
            ended = Some(Clock::system().stopwatch());
            continue;
        }
        if reading.is_none() && reads.peek().is_some_and(|(from, _)| order.time.part(*from).is_up())
        {
            let (_, until) = reads.next().context("it was peeked at")?;
            reading = Some(LongRead::begin(data, until, logs.total).await?);
        }
        let is_settled = ended.is_none_or(|ended| ended.elapsed() > SETTLED);
        if reading.is_none() && is_settled {
            most = most.max(logs.longest);
            if logs.longest > BYTES_MAX {
                above.push(format!("{} {} after {at:.0?}", logs.name, mib(logs.longest)));
            }
        }
    }
    report.tell(format!("  longest log without a long read: {}", mib(most)));
    report.promise("logs above 64 MiB without a long read", &above);
    Ok(())
}
