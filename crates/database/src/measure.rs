//! The metrics of a store: how long its calls take, and how many wait for a connection.

use std::{path::Path, sync::Arc, time::Instant};

use crate::DatabaseError;

/// The name of a store in metrics.
pub(crate) type StoreName = Arc<str>;

/// A call of a store: a read outside a transaction, the beginning of a transaction, or its commit.
#[derive(Debug)]
pub(crate) struct Measured {
    store: StoreName,
    call: &'static str,
    since: Instant,
}

impl Measured {
    /// The call begins.
    pub fn begin(store: StoreName, call: &'static str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "elapsed time does not depend on the clock")]
        let since = Instant::now();
        Self { store, call, since }
    }

    /// The call has ended. A refused write is an answer of a store that works.
    pub fn end<T>(self, ended: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        let outcome = match &ended {
            Ok(_) | Err(DatabaseError::Conflict(_)) => "ok",
            Err(_) => "error",
        };
        metrics::histogram!("proffer.store.call.duration", "store" => self.store,
            "call" => self.call, "outcome" => outcome)
        .record(self.since.elapsed().as_secs_f64());
        ended
    }
}

/// Counts a caller while it waits for a connection.
#[derive(Debug)]
pub(crate) struct Waiting(metrics::Gauge);

impl Waiting {
    pub fn new(store: &StoreName) -> Self {
        let gauge = metrics::gauge!("proffer.store.connections.waiting", "store" => store.clone());
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// Sets how many connections are in use and idle.
pub(crate) fn set_connections(store: &StoreName, in_use: usize, idle: usize) {
    for (state, count) in [("in_use", in_use), ("idle", idle)] {
        metrics::gauge!("proffer.store.connections", "store" => store.clone(),
            "state" => state)
        .set(count as f64);
    }
}

/// The name of the store in a file such as `decision.sqlite`.
pub(crate) fn of_file(file: &Path) -> StoreName {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or("unknown").into()
}

/// The name of the store of an application such as `proffer-decision`.
pub(crate) fn of_application(name: Option<&str>) -> StoreName {
    let name = name.unwrap_or("unknown");
    name.strip_prefix("proffer-").unwrap_or(name).into()
}

/// Describes the metrics of stores, once the process has a recorder.
pub fn describe() {
    metrics::describe_histogram!(
        "proffer.store.call.duration",
        metrics::Unit::Seconds,
        "Time of a read, of the beginning of a transaction, or of its commit"
    );
    metrics::describe_gauge!("proffer.store.connections", "Connections in use and idle, by store");
    metrics::describe_gauge!(
        "proffer.store.connections.waiting",
        "Callers that wait for a connection, by store"
    );
    metrics::describe_histogram!(
        "proffer.commit.batch.size",
        "Calls that one commit writes together, by store"
    );
}
