//! What callers did and were answered, kept outside the system, one JSON object a line, only ever
//! appended.
//!
//! An attempt is written before its call is sent, an answer after it came in: whatever follows
//! an answer began after it was known.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::Time;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Verb {
    Reserve,
    Commit,
    Release,
    /// An impression of a slot, of one given back or lapsed, or of none.
    Impression,
    OptOut,
    Grant,
    Withdraw,
}

/// What the service answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Slots of these offers, by rank from 1, for this decision.
    Granted {
        /// The decision that holds them.
        decision: String,
        /// Their offers.
        offers: Vec<String>,
    },
    /// No slot, or no-go, and why.
    Refused(String),
    /// Send; the contact's id.
    Go(String),
    /// So many slots were given back.
    Released(i32),
    /// Taken.
    Done,
    /// No answer, or an error: it may have happened or not. The gRPC code.
    Cut(String),
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A call is about to be sent.
    Attempt {
        /// Number of the attempt.
        id: u64,
        /// Microseconds since the drill began.
        us: u64,
        /// What.
        verb: Verb,
        /// About whom.
        customer: String,
        /// For which decision.
        decision: String,
        /// Which rank; 0 when it does not matter.
        rank: i32,
        /// For an impression: no live slot was held, so it must be marked `unreserved`.
        orphan: bool,
    },
    /// Its answer is here.
    Answer {
        /// Number of the attempt.
        id: u64,
        /// Microseconds since the drill began.
        us: u64,
        /// What the service answered.
        reply: Reply,
    },
}

/// The log of a running drill.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    time: Time,
    file: Mutex<(u64, BufWriter<File>)>,
}

impl Log {
    /// A new log.
    pub fn create(path: PathBuf, time: Time) -> anyhow::Result<Self> {
        let file = File::create(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Self { path, time, file: Mutex::new((0, BufWriter::new(file))) })
    }

    /// Notes an attempt; gives its number.
    pub fn attempt(
        &self,
        verb: Verb,
        (customer, decision, rank): (&str, &str, i32),
        orphan: bool,
    ) -> anyhow::Result<u64> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.0 += 1;
        let (id, us) = (file.0, self.time.elapsed_us());
        let (customer, decision) = (customer.to_owned(), decision.to_owned());
        let entry = Entry::Attempt { id, us, verb, customer, decision, rank, orphan };
        writeln!(file.1, "{}", serde_json::to_string(&entry)?)?;
        Ok(id)
    }

    /// Notes an answer.
    pub fn answer(&self, id: u64, reply: &Reply) -> anyhow::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry::Answer { id, us: self.time.elapsed_us(), reply: reply.clone() };
        writeln!(file.1, "{}", serde_json::to_string(&entry)?)?;
        Ok(())
    }

    /// Everything written so far, in order.
    pub fn read(&self) -> anyhow::Result<Vec<Entry>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).1.flush()?;
        let lines = BufReader::new(File::open(&self.path)?).lines();
        lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
