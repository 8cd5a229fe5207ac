//! Durable reservations, each for another customer. Compares 64 callers with one on PostgreSQL, and
//! one caller with a bare flush of the disk on both databases.

use std::{
    fs::OpenOptions,
    os::unix::fs::FileExt as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use database::Location;
use proffer_proto::policy::v1 as proto;
use sqlx::{Connection as _, PgConnection};

use crate::{
    disk,
    gate::Gate,
    ratio::{self, Goal, Term, median},
};

/// Duration of one term of a round.
const ROUND: Duration = Duration::from_secs(3);
/// Callers of the larger term.
const CALLERS: usize = 64;
/// Bytes of a bare write: one page of the log.
const PAGE: usize = 4_096;
/// Pages that the bare write overwrites in turn.
const PAGES: u64 = 1_024;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The result of one round.
struct Load {
    /// Reservations granted per second.
    rate: f64,
    /// Median time of a reservation, in µs.
    p50_us: f64,
    /// Number of reservations granted.
    granted: usize,
}

async fn load(gate: &Gate, callers: usize) -> anyhow::Result<Load> {
    let started = Instant::now();
    let call = || async {
        let (mut client, mut spent) = (gate.client(), Vec::new());
        while started.elapsed() < ROUND {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let request = proto::ReserveRequest {
                question: Some(gate.question(&format!("C{number:08}"))),
                decision_id: format!("dec_{number:08}"),
                request_id: String::new(),
                limit: 1,
            };
            let asked = Instant::now();
            let answer = client.reserve(request).await?.into_inner();
            spent.push(asked.elapsed().as_secs_f64() * 1e6);
            anyhow::ensure!(answer.grants.len() == 1, "a reservation was refused: {answer:?}");
        }
        anyhow::Ok(spent)
    };
    let spent = futures::future::try_join_all((0..callers).map(|_| call())).await?.concat();
    let granted = spent.len();
    Ok(Load {
        rate: granted as f64 / started.elapsed().as_secs_f64(),
        p50_us: median(spent),
        granted,
    })
}

/// Median time of a flush of an overwritten page, in µs.
fn flush_p50_us(folder: &std::path::Path) -> anyhow::Result<f64> {
    let path = folder.join("flush");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.write_all_at(&vec![1; PAGE * PAGES as usize], 0)?;
    file.sync_all()?;
    let mut spent = Vec::new();
    let started = Instant::now();
    for place in (0..PAGES).cycle() {
        let asked = Instant::now();
        file.write_all_at(&[place as u8; PAGE], place * PAGE as u64)?;
        file.sync_data()?;
        spent.push(asked.elapsed().as_secs_f64() * 1e6);
        if started.elapsed() > ROUND / 3 {
            break;
        }
    }
    Ok(median(spent))
}

/// Number of transactions that wrote contacts; `xmin` of a row names its transaction.
async fn commits(connection: &mut PgConnection) -> anyhow::Result<i64> {
    let count = "select count(distinct xmin::text) from proffer_policy.contact";
    Ok(sqlx::query_scalar(count).fetch_one(connection).await?)
}

/// Runs the rounds and prints the report.
pub async fn run(rounds: usize) -> anyhow::Result<()> {
    let url = testkit::fresh_database_url().await;
    let gate = Gate::open(&Location::Url(url.clone())).await?;
    let mut connection = PgConnection::connect(&url).await?;
    // In the folder of the server's data, so that both flush the same disk.
    let folder = tempfile::tempdir()?;
    let mut many = Term::new("reservations per second, 64 callers");
    let mut one = Term::new("reservations per second, 1 caller");
    let mut again = Term::new("the same again");
    let mut per_commit = Term::new("reservations at 64 callers");
    let mut of_commit = Term::new("commits that held them");
    let mut p50 = Term::new("p50 of a reservation, 1 caller, µs");
    let mut flush = Term::new("p50 of a 4 KiB write and fdatasync, µs");
    let mut flush_again = Term::new("the same again");
    // The first load warms caches and plans.
    load(&gate, CALLERS).await?;
    load(&gate, 1).await?;
    for _ in 0..rounds {
        let before = commits(&mut connection).await?;
        let found = load(&gate, CALLERS).await?;
        many.rounds.push(found.rate);
        per_commit.rounds.push(found.granted as f64);
        of_commit.rounds.push((commits(&mut connection).await? - before) as f64);
        flush.rounds.push(flush_p50_us(folder.path())?);
        let found = load(&gate, 1).await?;
        one.rounds.push(found.rate);
        p50.rounds.push(found.p50_us);
        again.rounds.push(load(&gate, 1).await?.rate);
        flush_again.rounds.push(flush_p50_us(folder.path())?);
    }
    ratio::print(
        "Durable reservations, 64 callers over 1",
        &many,
        &one,
        &again,
        Goal::AtLeast(10.0),
    );
    ratio::print(
        "Reservations per commit",
        &per_commit,
        &of_commit,
        &of_commit.clone(),
        Goal::AtLeast(8.0),
    );
    ratio::print(
        "One reservation on PostgreSQL over one flush",
        &p50,
        &flush,
        &flush_again,
        Goal::AtMost(2.0),
    );
    one_on_sqlite(rounds).await
}

/// One caller on SQLite; its file is on the same disk as the flushed one.
async fn one_on_sqlite(rounds: usize) -> anyhow::Result<()> {
    let folder = disk::folder()?;
    let gate = Gate::open(&Location::Folder(folder.path().join("data"))).await?;
    let mut p50 = Term::new("p50 of a reservation, 1 caller, µs");
    let mut flush = Term::new("p50 of a 4 KiB write and fdatasync, µs");
    let mut again = Term::new("the same again");
    load(&gate, 1).await?;
    for _ in 0..rounds {
        flush.rounds.push(flush_p50_us(folder.path())?);
        p50.rounds.push(load(&gate, 1).await?.p50_us);
        again.rounds.push(flush_p50_us(folder.path())?);
    }
    ratio::print(
        "One reservation on SQLite over one flush",
        &p50,
        &flush,
        &again,
        Goal::AtMost(2.0),
    );
    Ok(())
}
