//! Tells all processes that share a store how far this one has settled, and asks the others.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use database::DatabaseError;
use serve::{Clock, Stopwatch};

use crate::{
    deciding::new_id,
    domain::settled::{Found, Replica, Sightings},
    receipt::Receipts,
    store::Store,
};

/// How often this process notes how far it has settled: more than once each second.
const BEAT_INTERVAL: Duration = Duration::from_millis(750);

/// How far all processes have settled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Settled {
    store: Store,
    receipts: Receipts,
    clock: Clock,
    replica_id: Arc<str>,
    beat: Arc<AtomicI64>,
    others: Arc<Mutex<Sightings>>,
    since: Stopwatch,
}

impl Settled {
    /// Notes this process in the store: from now on no other one counts past what it receives. Call
    /// it before the first request is answered.
    pub async fn start(
        store: Store,
        receipts: Receipts,
        clock: Clock,
    ) -> Result<Self, DatabaseError> {
        let settled = Self {
            replica_id: new_id("replica", clock.now()).into(),
            beat: Arc::default(),
            others: Arc::new(Mutex::new(Sightings::new(serve::REQUEST_TIMEOUT))),
            since: clock.stopwatch(),
            store,
            receipts,
            clock,
        };
        if settled.store.is_exclusive() {
            // Every other process that used the store has ended.
            let ended = settled.store.replicas().await?;
            settled.store.remove_replicas(&ended).await?;
        }
        settled.note().await?;
        // Another process, whose clock may be ahead, has counted up to here for reports, or waits
        // for this one from now on.
        let counted_us = settled.store.join_reports().await?;
        settled.receipts.begin_after(serve::from_micros(counted_us));
        Ok(settled)
    }

    /// Notes how far this process has settled, for ever.
    pub async fn keep_noting(self) {
        let mut tick = tokio::time::interval(BEAT_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.note().await {
                tracing::debug!(%error, "how far this process has settled was not noted");
            }
        }
    }

    /// Notes how far this process has settled.
    pub async fn note(&self) -> Result<(), DatabaseError> {
        let beat = self.beat.fetch_add(1, Ordering::SeqCst) + 1;
        let settled_us = self.receipts.settled_through().timestamp_micros();
        let replica_id = self.replica_id.to_string();
        let replica = Replica { replica_id, settled_us, beat, tracks_decisions: true };
        self.store.settle(&replica).await
    }

    /// The instant up to which every outcome that any process received is recorded or refused. What
    /// is read of the outbox afterwards has all of them, but for those that are delivered.
    pub async fn through(&self) -> Result<DateTime<Utc>, DatabaseError> {
        Ok(self.found().await?.through)
    }

    /// How far all processes have settled. What is read afterwards has everything up to there.
    pub async fn found(&self) -> Result<Found, DatabaseError> {
        let own = self.receipts.settled_through();
        let mut others = self.store.replicas().await?;
        others.retain(|replica| *replica.replica_id != *self.replica_id);
        let found = {
            let mut seen = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            seen.found(&others, own, self.clock.now(), self.since.elapsed())
        };
        self.store.remove_replicas(&found.forgotten).await?;
        Ok(found)
    }
}
