//! Counters of the reservations that ended in the last days, per tenant, at most a minute old.
//!
//! They are counted from the contacts, so a restart or another replica counts the same. Only
//! minutes that may still change are counted again.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use database::DatabaseError;

use crate::{
    domain::{
        channel::RESERVATION_TTL_CONTACT,
        facts::Subject,
        lapse::{ENDED_WITHIN, Ended},
    },
    store::{Store, minute_of},
};

/// Counters older than this are counted again.
const AGE_MAX: TimeDelta = TimeDelta::minutes(1);
/// What may still change: the report of a contact carries an instant as old as its reservation.
const OPEN: TimeDelta = TimeDelta::hours(RESERVATION_TTL_CONTACT.num_hours() + 1);
/// Tenants whose counters are kept.
const TENANTS_MAX: usize = 256;

/// The counters of all tenants. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lapses {
    store: Store,
    tenants: Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<Counters>>>>>,
}

/// The counters of a tenant.
#[derive(Debug, Default)]
struct Counters {
    /// When they were counted.
    at: Option<DateTime<Utc>>,
    /// By minute since 1970.
    minutes: BTreeMap<i64, Vec<Ended>>,
    /// The same, by what it is about alone.
    all: Arc<Vec<Ended>>,
}

impl Lapses {
    /// Counters of a ledger.
    pub fn new(store: Store) -> Self {
        Self { store, tenants: Arc::default() }
    }

    /// The reservations of a tenant that ended in the last days.
    pub async fn ended(&self, tenant: &str) -> Result<Arc<Vec<Ended>>, DatabaseError> {
        let counted = self.of(tenant);
        let mut counted = counted.lock().await;
        let now = self.store.now();
        // An empty count is cheap to repeat.
        let is_fresh = counted.at.is_some_and(|at| (at..at + AGE_MAX).contains(&now));
        if !is_fresh || counted.all.is_empty() {
            let after = counted.count_after(now);
            let found = self.store.ended(tenant, (after, now)).await?;
            let lapsed = counted.take(after, now, found);
            metrics::counter!("proffer.slots.lapsed").increment(lapsed);
        }
        Ok(counted.all.clone())
    }

    fn of(&self, tenant: &str) -> Arc<tokio::sync::Mutex<Counters>> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= TENANTS_MAX && !tenants.contains_key(tenant) {
            tenants.clear();
        }
        tenants.entry(tenant.to_owned()).or_default().clone()
    }
}

impl Counters {
    /// The instant after which reservations are counted now: whole minutes, but for the first.
    fn count_after(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let window = now - ENDED_WITHIN;
        let open = self.at.map(|at| {
            let start_us = minute_of(at - OPEN) * 60_000_000;
            serve::from_micros(start_us - 1)
        });
        open.map_or(window, |open| open.max(window))
    }

    /// Takes what ended in between; says how many slots lapsed since the last count, none at the
    /// first.
    fn take(&mut self, after: DateTime<Utc>, now: DateTime<Utc>, found: Vec<(i64, Ended)>) -> u64 {
        let open = minute_of(after + TimeDelta::microseconds(1));
        let lapsed = |minutes: &BTreeMap<i64, Vec<Ended>>| {
            let ended = minutes.range(open..).flat_map(|(_, ended)| ended);
            ended.map(|ended| ended.lapsed).sum::<i64>()
        };
        let before = lapsed(&self.minutes);
        drop(self.minutes.split_off(&open));
        for (minute, ended) in found {
            self.minutes.entry(minute).or_default().push(ended);
        }
        let since = if self.at.is_some() { lapsed(&self.minutes) - before } else { 0 };
        self.minutes = self.minutes.split_off(&minute_of(now - ENDED_WITHIN));
        let mut all: HashMap<&Subject, Ended> = HashMap::new();
        for ended in self.minutes.values().flatten() {
            let of_subject = || Ended { subject: ended.subject.clone(), ..Ended::default() };
            let sum = all.entry(&ended.subject).or_insert_with(of_subject);
            sum.lapsed += ended.lapsed;
            sum.committed += ended.committed;
        }
        self.all = Arc::new(all.into_values().collect());
        self.at = Some(now);
        u64::try_from(since).unwrap_or_default()
    }
}
