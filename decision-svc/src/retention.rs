//! Deletes rows past their limit in small batches, for as long as the process runs.
//!
//! Request ids go after a day. Decisions and outcomes go only where a limit says so, and never
//! while they are needed: a behavioral metric of the tenant still counts the outcome, a withdrawal
//! of consent rests on it, or reports have not counted it yet.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use history::History;
use serve::{Clock, Deleted, Pace, RetentionSettings};

use crate::{
    domain::snapshot::Snapshot,
    neighbours::follow::{self, Followers},
    store::{CountedRows, Store},
};

/// Longest wait for the configuration of a tenant; without it, its outcomes stay.
const SNAPSHOT_WAIT_MAX: Duration = Duration::from_secs(5);
/// The type of the outcomes that withdraw consent. They stay as its evidence.
const OPT_OUT: &str = "opt_out";

/// A process may use an online model for this long after a newer one came, in microseconds.
const SNAPSHOT_SLACK_US: i64 = 3_600_000_000;

/// Deletes old rows. Cheap to clone.
#[derive(Clone)]
pub struct Retention {
    /// The rows.
    pub store: Store,
    /// Names the tenants.
    pub history: History,
    /// Says which metrics read outcomes.
    pub followers: Followers,
    /// The limits.
    pub settings: RetentionSettings,
    /// The time.
    pub clock: Clock,
}

impl Retention {
    /// Deletes everything that is due now; returns how many rows of each table.
    pub async fn once(&self, pace: Pace) -> anyhow::Result<Deleted> {
        let now = self.clock.now();
        let now_us = now.timestamp_micros();
        let mut deleted = Deleted::new();
        let requests = || self.store.delete_requests(now_us);
        pace.sweep("request", &mut deleted, requests).await?;
        let positions = self.store.report_positions().await?;
        let reported_us =
            |rows| positions.get(&rows).map(|position| position.through_us).unwrap_or_default();
        for tenant in self.history.tenants().await? {
            if let Some(before_us) = self.before_us(&tenant, "decisions", now) {
                let before_us = before_us.min(reported_us(CountedRows::Decisions) + 1);
                self.store.keep_since(&tenant, before_us).await?;
                let delete = || self.store.delete_decisions(&tenant, before_us);
                pace.sweep("decision", &mut deleted, delete).await?;
                let before_us = before_us - SNAPSHOT_SLACK_US;
                let delete = || self.store.delete_snapshots(&tenant, before_us);
                pace.sweep("online_snapshot", &mut deleted, delete).await?;
            }
            let Some(before_us) = self.before_us(&tenant, "outcomes", now) else { continue };
            let Some(counted_us) = self.counted_after_us(&tenant, now).await else {
                tracing::warn!(tenant, "its metrics are not known: no outcome was deleted");
                continue;
            };
            let until = (before_us.min(counted_us), reported_us(CountedRows::Outcomes));
            let delete = || self.store.delete_outcomes(&tenant, until, OPT_OUT);
            pace.sweep("outcome", &mut deleted, delete).await?;
        }
        Ok(deleted)
    }

    /// The instant before which rows of a kind are deleted; `None` keeps all.
    fn before_us(&self, tenant: &str, kind: &str, now: DateTime<Utc>) -> Option<i64> {
        let days = self.settings.days(tenant, kind)?;
        let before = now.checked_sub_signed(TimeDelta::days(i64::from(days)))?;
        Some(before.timestamp_micros())
    }

    /// The instant up to which no metric of the tenant counts; `None` when they are not known. A
    /// metric that is switched off may be switched on again.
    async fn counted_after_us(&self, tenant: &str, now: DateTime<Utc>) -> Option<i64> {
        let mut follower = self.followers.of(tenant);
        let is_known = |snapshot: &Snapshot| snapshot.catalog.is_some();
        let (snapshot, _) = follow::wait_for(&mut follower, SNAPSHOT_WAIT_MAX, is_known).await;
        let metrics = &snapshot.catalog.as_ref()?.metrics;
        let oldest = metrics.values().map(|metric| metric.after_us(now)).min();
        Some(oldest.unwrap_or(i64::MAX))
    }
}
