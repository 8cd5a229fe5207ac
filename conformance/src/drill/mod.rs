//! Drills: load on real processes that are killed while they work, judged by a log kept outside of
//! them.
//!
//! A drill prints what it ran, with its seed, and what it found; it fails when a promise was broken
//! or when its rig could not have noticed. docs/drills.md says what each proves and what not.

pub mod attack;
pub mod cap;
pub mod draw;
pub mod gate;
pub mod idempotency;
pub mod kill;
pub mod log;
pub mod place;
pub mod rehearse;
pub mod replay;
pub mod retention;
pub mod rig;
pub mod soak;
pub mod store;
pub mod upgrade;
pub mod withdrawal;

use std::{path::PathBuf, time::Duration};

use serve::{Clock, Stopwatch};

use crate::suite::Store;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Callers at once.
    pub workers: usize,
    /// Calls of the cap drill.
    pub calls: u64,
    /// Kills among them.
    pub kills: u64,
    /// Customers they are about.
    pub customers: usize,
    /// Withdrawals, each raced by a reserve and a commit.
    pub pairs: u64,
    /// Keys of the idempotency drill.
    pub keys: u64,
    /// Callers of one key at once.
    pub callers_per_key: usize,
    /// Decisions of the replay drill.
    pub decisions: u64,
    /// Decisions of each version in each phase of the upgrade drill.
    pub upgraded: u64,
    /// Records, decisions and outcomes acknowledged in the kill drill.
    pub acknowledged: u64,
}

impl Size {
    /// The size the promise is stated for.
    pub const FULL: Self = Self {
        workers: 64,
        calls: 200_000,
        kills: 20,
        customers: 500,
        pairs: 20_000,
        keys: 10_000,
        callers_per_key: 64,
        decisions: 100_000,
        upgraded: 500,
        acknowledged: 50_000,
    };

    /// A part of it. Callers stay as many, and so do the calls about one customer: the heat is the
    /// same. A part has three kills at least.
    pub fn part(self, divisor: u64) -> Self {
        let divisor = divisor.max(1);
        Self {
            calls: self.calls / divisor,
            kills: (self.kills / divisor).max(3),
            customers: (self.customers / usize::try_from(divisor).unwrap_or(1)).max(1),
            pairs: self.pairs / divisor,
            keys: self.keys / divisor,
            decisions: self.decisions / divisor,
            upgraded: (self.upgraded / divisor).max(10),
            acknowledged: self.acknowledged / divisor,
            ..self
        }
    }
}

/// What one drill is to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where every choice comes from.
    pub seed: u64,
    /// How much.
    pub size: Size,
    /// Where the services keep their data.
    pub store: Store,
    /// A folder for the log.
    pub folder: PathBuf,
    /// When to stop early.
    pub time: Time,
}

impl Order {
    /// The store as texts and file names say it.
    pub fn store_name(&self) -> String {
        format!("{:?}", self.store).to_lowercase()
    }
}

/// Time a drill may take; the report says what is left undone.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    since: Stopwatch,
    most: Duration,
}

impl Time {
    /// From now on.
    pub fn of(most: Duration) -> Self {
        Self { since: Clock::system().stopwatch(), most }
    }

    /// So many hundredths of it, from the same start.
    pub fn part(self, hundredths: u32) -> Self {
        Self { most: self.most * hundredths / 100, ..self }
    }

    /// All of it.
    pub fn most(self) -> Duration {
        self.most
    }

    /// True when it is used up.
    pub fn is_up(&self) -> bool {
        self.since.elapsed() >= self.most
    }

    /// Microseconds since the start.
    pub fn elapsed_us(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// What a drill found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was run and counted, for people.
    pub lines: Vec<String>,
    /// Broken promises; empty when all hold.
    pub violations: Vec<String>,
}

/// Violations of one kind shown; the rest is counted.
const SHOWN_MAX: usize = 5;

impl Report {
    /// Tells a figure, at once.
    pub fn tell(&mut self, line: String) {
        println!("{line}");
        self.lines.push(line);
    }

    /// Tells how often a promise was broken, with examples.
    pub fn promise(&mut self, what: &str, broken: &[String]) {
        self.tell(format!("  {what}: {}", broken.len()));
        let shown = broken.iter().take(SHOWN_MAX).map(|example| format!("{what}: {example}"));
        self.violations.extend(shown);
        if broken.len() > SHOWN_MAX {
            self.violations.push(format!("{what}: {} more", broken.len() - SHOWN_MAX));
        }
    }

    /// Fails with every broken promise.
    pub fn judged(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.violations.is_empty(),
            "the drill failed:\n{}",
            self.violations.join("\n")
        );
        Ok(())
    }
}
