//! `drill policy` and the other subjects: the drills at full size or a part of it. `cargo xtask
//! drill` builds and runs it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use conformance::{
    drill::{
        Order, Report, Size, Time, attack, cap, idempotency, kill, rehearse, replay, retention,
        soak, upgrade, withdrawal,
    },
    process,
    suite::Store,
};

/// Puts load on processes, kills some of them, and checks the result against a log.
#[derive(Debug, Parser)]
#[command(name = "drill")]
struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Caps, withdrawals and repeated requests of policy-svc.
    Policy(Settings),
    /// Replays of decisions.
    Decision(Settings),
    /// Replicas of every service that are rolled, killed and added.
    Cluster(Settings),
    /// Every service and PostgreSQL, killed in turn.
    Kill(Settings),
    /// Deletion of old rows while decisions are made.
    Retention(Settings),
    /// The version before this one and this one, on the same data.
    Upgrade(Settings),
    /// Writes and reads for all of the time on SQLite.
    Soak(Settings),
    /// Hostile callers beside an honest one.
    Attack(Settings),
}

#[derive(Debug, clap::Args)]
struct Settings {
    /// Time limit of the run. A drill that runs out of time says how much it did.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Seed of every choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Divides the size of each drill; the tests use 20.
    #[arg(long, default_value_t = 1)]
    part: u64,
    /// Runs only this drill; all by default.
    #[arg(long)]
    only: Option<Which>,
    /// The `proffer` of the version before; `cargo xtask drill upgrade` builds it.
    #[arg(long)]
    previous: Option<PathBuf>,
    /// Folder for the logs.
    #[arg(long, default_value = "target/drill")]
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Caps on PostgreSQL.
    Cap,
    /// Caps on SQLite.
    CapSqlite,
    /// Withdrawals.
    Withdrawal,
    /// Repeated requests.
    Idempotency,
    /// Replay on PostgreSQL.
    Replay,
    /// Replay on SQLite.
    ReplaySqlite,
    /// Replicas rolled, killed and added.
    Rehearse,
    /// Every service and PostgreSQL, killed in turn.
    Kill,
    /// Deletion on PostgreSQL.
    Retention,
    /// Deletion on SQLite.
    RetentionSqlite,
    /// Both versions at once on PostgreSQL.
    Upgrade,
    /// One version after the other on SQLite.
    UpgradeSqlite,
    /// Writes and reads on SQLite, with long reads in between.
    Soak,
    /// Hostile callers beside an honest one.
    Attack,
}

/// Each with its share of what is left of the time, in hundredths.
const POLICY: &[(Which, u32)] =
    &[(Which::Cap, 45), (Which::CapSqlite, 35), (Which::Withdrawal, 50), (Which::Idempotency, 100)];
const DECISION: &[(Which, u32)] = &[(Which::Replay, 50), (Which::ReplaySqlite, 100)];
const CLUSTER: &[(Which, u32)] = &[(Which::Rehearse, 100)];
const KILL: &[(Which, u32)] = &[(Which::Kill, 100)];
const RETENTION: &[(Which, u32)] = &[(Which::Retention, 50), (Which::RetentionSqlite, 100)];
const UPGRADE: &[(Which, u32)] = &[(Which::Upgrade, 50), (Which::UpgradeSqlite, 100)];
const SOAK: &[(Which, u32)] = &[(Which::Soak, 100)];
const ATTACK: &[(Which, u32)] = &[(Which::Attack, 100)];

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let (name, settings, plan) = match Arguments::parse().subject {
        Subject::Policy(settings) => ("policy", settings, POLICY),
        Subject::Decision(settings) => ("decision", settings, DECISION),
        Subject::Cluster(settings) => ("cluster", settings, CLUSTER),
        Subject::Kill(settings) => ("kill", settings, KILL),
        Subject::Retention(settings) => ("retention", settings, RETENTION),
        Subject::Upgrade(settings) => ("upgrade", settings, UPGRADE),
        Subject::Soak(settings) => ("soak", settings, SOAK),
        Subject::Attack(settings) => ("attack", settings, ATTACK),
    };
    let cores = std::thread::available_parallelism()?;
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let (minutes, seed) = (settings.minutes, settings.seed);
    println!(
        "cargo xtask drill {name} --minutes {minutes} --seed {seed} ({build} build, {cores} cores)"
    );
    std::fs::create_dir_all(&settings.folder)?;
    let mut left = Duration::from_secs(minutes * 60);
    let mut violations = Vec::new();
    for (which, share) in plan.iter().copied() {
        if settings.only.is_some_and(|only| only != which) {
            continue;
        }
        let most = if settings.only.is_some() { left } else { left * share / 100 };
        let time = Time::of(most);
        let is_sqlite = matches!(
            which,
            Which::CapSqlite
                | Which::ReplaySqlite
                | Which::RetentionSqlite
                | Which::UpgradeSqlite
                | Which::Soak
                | Which::Attack
        );
        let store = if is_sqlite { Store::Sqlite } else { Store::Postgres };
        let size = Size::FULL.part(settings.part);
        let order = Order { seed, size, store, folder: settings.folder.clone(), time };
        let report = run(which, &order, settings.previous.as_deref()).await?;
        let took = Duration::from_micros(time.elapsed_us());
        println!("  took {:.1} s", took.as_secs_f64());
        left = left.saturating_sub(took);
        violations.extend(report.violations);
    }
    Report { violations, ..Report::default() }.judged()?;
    println!("every promise held");
    Ok(())
}

async fn run(which: Which, order: &Order, previous: Option<&Path>) -> anyhow::Result<Report> {
    match which {
        Which::Cap | Which::CapSqlite => cap::run(order).await,
        Which::Withdrawal => withdrawal::run(order).await,
        Which::Idempotency => idempotency::run(order).await,
        Which::Replay | Which::ReplaySqlite => replay::run(order).await,
        Which::Rehearse => rehearse::run(order).await,
        Which::Kill => kill::run(order).await,
        Which::Soak => soak::run(order).await,
        Which::Attack => attack::run(order).await,
        Which::Retention | Which::RetentionSqlite => retention::run(order).await,
        Which::Upgrade | Which::UpgradeSqlite => {
            let previous =
                previous.context("--previous names the `proffer` of the version before")?;
            upgrade::run(order, previous, &process::program("proffer")?).await
        }
    }
}
