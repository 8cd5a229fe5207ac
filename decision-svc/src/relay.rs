//! Delivers the outbox: at least once, in order per customer. policy-svc and experiment-svc accept
//! each message once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serve::{Clock, TracedCall, telemetry::trace};
use tokio::sync::Notify;
use tonic::{Code, Status};

use crate::{
    neighbours::{Neighbours, experiment, follow::Followers, policy},
    settled::Settled,
    store::{OutboxRow, Store, Target},
};

/// Rows of one delivery.
const BATCH_MAX: i64 = 500;
/// Bytes of their messages: half of what a neighbor takes. A single row may have more.
const BATCH_BYTES_MAX: usize = 2 << 20;
/// How often the outbox is read when the bell does not ring.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How often experiment-svc learns how far a tenant is counted while nothing happens: experiments
/// end, and their verdicts wait for it.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// The relay. Cheap to clone.
#[derive(Clone)]
pub struct Relay {
    /// Where the outbox is.
    pub store: Store,
    /// policy-svc and experiment-svc.
    pub neighbours: Neighbours,
    /// Up to which instant outcomes are recorded or refused.
    pub settled: Settled,
    /// The experiments of tenants.
    pub followers: Followers,
    /// Rung when there is something to deliver.
    pub bell: Arc<Notify>,
    /// The time.
    pub clock: Clock,
}

impl Relay {
    /// Delivers for ever.
    pub async fn run(self) {
        // Tenants of whom experiment-svc does not know yet that nothing followed: those that may
        // have an experiment, and those whose outcomes were delivered.
        let mut unsettled = self.tenants().await;
        let mut told = self.clock.stopwatch();
        loop {
            let waiting = self.store.tenants_waiting().await.unwrap_or_default();
            let mut delivered_any = false;
            for tenant in waiting {
                delivered_any |= self.deliver(&tenant, Target::Policy).await;
                if self.deliver(&tenant, Target::Experiment).await {
                    unsettled.insert(tenant);
                    delivered_any = true;
                }
            }
            if told.elapsed() >= TELL_INTERVAL {
                unsettled.extend(self.tenants().await);
                told = self.clock.stopwatch();
                // Not only in a pause: one busy tenant would keep the others waiting.
                self.settle(&mut unsettled).await;
            }
            if delivered_any {
                continue;
            }
            let is_rung = tokio::time::timeout(LOOK_INTERVAL, self.bell.notified()).await.is_ok();
            if !is_rung {
                self.settle(&mut unsettled).await;
            }
        }
    }

    /// Tenants with customers that may have an experiment: all but those that are followed and have
    /// none.
    async fn tenants(&self) -> BTreeSet<String> {
        let tenants = self.store.tenants().await.unwrap_or_default().into_iter();
        let has_none = |tenant: &String| {
            let experiments = self.followers.known(tenant)?.experiment.clone()?;
            Some(experiments.experiments.is_empty())
        };
        tenants.filter(|tenant| has_none(tenant) != Some(true)).collect()
    }

    /// Reports to experiment-svc, once after the last delivery, up to when nothing more was
    /// received.
    async fn settle(&self, unsettled: &mut BTreeSet<String>) {
        if unsettled.is_empty() {
            return;
        }
        let Ok(settled) = self.settled.through().await else { return };
        let mut still = BTreeSet::new();
        for tenant in std::mem::take(unsettled) {
            let waiting = self.store.undelivered(&tenant, Target::Experiment, 1).await;
            let is_settled = match waiting {
                Ok(rows) if rows.is_empty() => {
                    let settled_us = settled.timestamp_micros();
                    self.send(&tenant, Target::Experiment, &[], settled_us).await.is_ok()
                }
                _ => false,
            };
            if !is_settled {
                still.insert(tenant);
            }
        }
        *unsettled = still;
    }

    /// Delivers one batch; true when something was delivered.
    async fn deliver(&self, tenant: &str, target: Target) -> bool {
        // Taken before the rows are read: what is not among them is received later.
        let settled_us = match target {
            Target::Policy => 0,
            Target::Experiment => match self.settled.through().await {
                Ok(settled) => settled.timestamp_micros(),
                Err(_) => return false,
            },
        };
        let Ok(mut rows) = self.store.undelivered(tenant, target, BATCH_MAX).await else {
            return false;
        };
        if rows.is_empty() {
            return false;
        }
        let (read, fitting) = (rows.len(), fitting(&rows));
        rows.truncate(fitting);
        let is_all = fitting == read && (read as i64) < BATCH_MAX;
        let counted_through_us =
            if is_all { settled_us } else { settled_us.min(oldest(&rows) - 1) };
        let causes = rows.iter().filter_map(|row| row.cause.as_deref());
        let traced = trace::following("relay", causes);
        let sent = self.send(tenant, target, &rows, counted_through_us);
        match TracedCall::carry(traced, sent).await {
            Ok(()) => self.store.delivered(tenant, target, &rows).await.is_ok(),
            Err(status) if status.code() == Code::InvalidArgument => {
                self.one_by_one(tenant, target, &rows).await
            }
            Err(status) => {
                tracing::debug!(?target, code = ?status.code(), "outbox waits");
                false
            }
        }
    }

    /// Finds the row that is refused, so that it alone waits and is parked after ten refusals.
    async fn one_by_one(&self, tenant: &str, target: Target, rows: &[OutboxRow]) -> bool {
        let mut delivered_any = false;
        let mut stuck: Option<&str> = None;
        for row in rows {
            if stuck == Some(row.customer_id.as_str()) {
                continue;
            }
            let one = std::slice::from_ref(row);
            match self.send(tenant, target, one, oldest(rows) - 1).await {
                Ok(()) => delivered_any |= self.store.delivered(tenant, target, one).await.is_ok(),
                Err(status) if status.code() == Code::InvalidArgument => {
                    tracing::error!(
                        ?target,
                        seq = row.customer_seq,
                        "outbox row was refused; after ten times it is parked"
                    );
                    drop(self.store.refused(tenant, target, row).await);
                    stuck = Some(row.customer_id.as_str());
                }
                Err(_) => return delivered_any,
            }
        }
        delivered_any
    }

    /// Sends rows. experiment-svc alone learns up to when everything is counted; parked rows, and
    /// rows behind them, are not.
    async fn send(
        &self,
        tenant: &str,
        target: Target,
        rows: &[OutboxRow],
        counted_through_us: i64,
    ) -> Result<(), Status> {
        let payloads: Vec<&[u8]> = rows.iter().map(|row| row.payload.as_slice()).collect();
        let Neighbours { gate, experiment, .. } = &self.neighbours;
        match target {
            Target::Policy => policy::deliver(&**gate, tenant, &payloads).await,
            Target::Experiment => {
                let held = self.store.oldest_held_us(tenant, target).await;
                let held = held.map_err(|error| serve::store_status(&error))?;
                let through_us =
                    held.map_or(counted_through_us, |held| counted_through_us.min(held - 1));
                experiment::deliver(&**experiment, tenant, &payloads, through_us).await
            }
        }
    }
}

/// How many of the first rows are delivered together: one at least.
fn fitting(rows: &[OutboxRow]) -> usize {
    let sizes = rows.iter().scan(0, |bytes, row| {
        *bytes += row.payload.len();
        Some(*bytes)
    });
    sizes.take_while(|bytes| *bytes <= BATCH_BYTES_MAX).count().max(1)
}

fn oldest(rows: &[OutboxRow]) -> i64 {
    rows.iter().map(|row| row.created_us).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_never_larger_than_a_neighbor_takes_and_never_empty() {
        let row = |bytes: usize| OutboxRow {
            customer_id: "ann".to_owned(),
            customer_seq: 1,
            created_us: 0,
            payload: vec![0; bytes],
            cause: None,
        };
        let half = BATCH_BYTES_MAX / 2;
        for (sizes, expected) in [
            (vec![half, half], 2),
            (vec![half, half, 1], 2),
            (vec![BATCH_BYTES_MAX + 1, 1], 1),
            (vec![1], 1),
        ] {
            let rows: Vec<_> = sizes.iter().map(|bytes| row(*bytes)).collect();
            assert_eq!(fitting(&rows), expected, "{sizes:?}");
        }
    }
}
