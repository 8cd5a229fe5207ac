//! Learns the online models of propensity in the background: each contact once, in the order of due
//! instant, decision and rank.
//!
//! One process holds the lease of a tenant. One transaction writes what was learned and takes the
//! contacts out of the queue, if the lease is still held. So a restart goes on where the last
//! transaction ended, and two processes never learn the same contact.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use metrics::Unit;
use prost::Message as _;
use serve::Clock;

use crate::{
    deciding::{
        kept::KeptRecord,
        kept_online::{KeptModel, KeptState},
        new_id,
    },
    domain::online_learner::{LearnedContact, OnlineState},
    online_snapshots::OnlineSnapshots,
    settled::Settled,
    store::{DueContact, Lease, StateRow, Store},
};

/// Pause when everything that is due is learned.
const PAUSE: Duration = Duration::from_secs(2);
/// Contacts that are learned in one transaction.
pub const CONTACTS_MAX: usize = 500;
/// Microseconds for which a lease holds without being prolonged.
pub const LEASE_US: i64 = 60_000_000;
/// Microseconds between two snapshots of a flow at least.
pub const PUBLISH_EVERY_US: i64 = 15 * 60 * 1_000_000;

/// What became of a part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Everything that is due is learned.
    Done,
    /// Another process learns.
    Lost,
    /// Something is left.
    More,
}

/// Learns. Cheap to clone.
#[derive(Clone)]
pub struct OnlineLearning {
    store: Store,
    settled: Settled,
    snapshots: OnlineSnapshots,
    clock: Clock,
    holder: Arc<str>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl OnlineLearning {
    /// The learner of this process.
    pub fn new(store: Store, settled: Settled, snapshots: OnlineSnapshots, clock: Clock) -> Self {
        let holder = new_id("learner", clock.now()).into();
        Self { store, settled, snapshots, clock, holder, turn: Arc::default() }
    }

    /// Learns for ever.
    pub async fn run(self) {
        metrics::describe_gauge!(
            "proffer.propensity.snapshots",
            "Snapshots of online models that are kept"
        );
        metrics::describe_gauge!(
            "proffer.propensity.snapshots.size",
            Unit::Bytes,
            "What they take"
        );
        // What went wrong in the last round; it is logged once while it lasts.
        let mut fault = String::new();
        loop {
            let found = match self.all().await {
                Ok(()) => String::new(),
                Err(error) => format!("{error:#}"),
            };
            if !found.is_empty() && found != fault {
                tracing::warn!(error = found, "contacts were not learned; they are tried again");
            }
            fault = found;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Learns everything that is due now, and publishes what may be.
    pub async fn all(&self) -> anyhow::Result<()> {
        for tenant in self.store.tenants().await? {
            while self.round(&tenant).await? == Round::More {}
        }
        Ok(())
    }

    /// Learns some contacts of a tenant, and publishes what may be.
    pub async fn round(&self, tenant: &str) -> anyhow::Result<Round> {
        // The lease tells processes apart, and this what runs in one.
        let _turn = self.turn.lock().await;
        let through = self.settled.through().await?;
        let limit = i64::try_from(CONTACTS_MAX)?;
        let is_due = self.store.due_contacts(tenant, through.timestamp_micros(), 1).await?;
        let states = self.store.online_states(tenant).await?;
        let now_us = self.clock.now().timestamp_micros();
        let is_unpublished = |row: &StateRow| may_publish(row, now_us);
        if is_due.is_empty() && !states.iter().any(is_unpublished) {
            return Ok(Round::Done);
        }
        if !self.store.take_lease(self.lease(tenant, now_us)).await? {
            return Ok(Round::Lost);
        }
        // Read under the lease: what another process has learned before is in it.
        let due = self.store.due_contacts(tenant, through.timestamp_micros(), limit).await?;
        let mut rows: BTreeMap<String, StateRow> = BTreeMap::new();
        for row in self.store.online_states(tenant).await? {
            rows.insert(row.flow_id.clone(), row);
        }
        let contacts = self.contacts(tenant, &due).await?;
        let learned = serve::background::run(move || learned(rows, contacts, now_us)).await??;
        let now_us = self.clock.now().timestamp_micros().max(now_us);
        let (states, snapshots): (Vec<_>, Vec<_>) =
            learned.into_iter().partition(|(_, model)| model.is_none());
        let states: Vec<_> = states.into_iter().map(|(row, _)| row).collect();
        let snapshots = snapshots.into_iter().filter_map(|(row, model)| Some((row, model?)));
        let snapshots: Vec<_> = snapshots.collect();
        let lease = self.lease(tenant, now_us);
        if !self.store.write_learned(lease, &due, &states, &snapshots).await? {
            return Ok(Round::Lost);
        }
        metrics::counter!("proffer.propensity.learned").increment(due.len() as u64);
        if !snapshots.is_empty() {
            self.snapshots.look_again();
        }
        let (count, bytes) = self.store.snapshots_kept(tenant).await?;
        metrics::gauge!("proffer.propensity.snapshots", "tenant" => tenant.to_owned())
            .set(count as f64);
        metrics::gauge!("proffer.propensity.snapshots.size", "tenant" => tenant.to_owned())
            .set(bytes as f64);
        Ok(if due.len() == CONTACTS_MAX { Round::More } else { Round::Done })
    }

    fn lease<'a>(&'a self, tenant: &'a str, now_us: i64) -> Lease<'a> {
        Lease { tenant, holder: &self.holder, now_us, expires_us: now_us + LEASE_US }
    }

    /// What the records of decisions say about contacts, by flow, in the order of the contacts. A
    /// contact without a record is left out.
    async fn contacts(
        &self,
        tenant: &str,
        due: &[DueContact],
    ) -> anyhow::Result<BTreeMap<String, Vec<LearnedContact>>> {
        let ids: BTreeSet<_> = due.iter().map(|it| (&*it.customer_id, &*it.decision_id)).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let found = self.store.decisions_of(tenant, &ids).await?.into_iter();
        let records: BTreeMap<_, _> =
            found.map(|(ids, row)| (ids, KeptRecord::read(&row.record))).collect();
        let mut by_flow: BTreeMap<String, Vec<LearnedContact>> = BTreeMap::new();
        let mut left_out = 0;
        for contact in due {
            let ids = (contact.customer_id.clone(), contact.decision_id.clone());
            let kept = records.get(&ids).and_then(|record| record.online.as_ref());
            match kept.and_then(|kept| kept.contact(contact.rank, contact.is_positive)) {
                Some(known) => by_flow.entry(contact.flow_id.clone()).or_default().push(known),
                None => left_out += 1,
            }
        }
        metrics::counter!("proffer.propensity.left_out").increment(left_out);
        Ok(by_flow)
    }
}

/// True when a snapshot is due: something was learned since the last, which is old enough.
fn may_publish(row: &StateRow, now_us: i64) -> bool {
    row.learned > row.published && now_us - row.published_us >= PUBLISH_EVERY_US
}

/// The states that change, each with the model to publish, if one is due.
fn learned(
    mut rows: BTreeMap<String, StateRow>,
    contacts: BTreeMap<String, Vec<LearnedContact>>,
    now_us: i64,
) -> anyhow::Result<Vec<(StateRow, Option<Vec<u8>>)>> {
    let mut changed = BTreeSet::new();
    for (flow_id, contacts) in contacts {
        let new = StateRow { flow_id: flow_id.clone(), since_us: now_us, ..StateRow::default() };
        let row = rows.entry(flow_id.clone()).or_insert(new);
        let mut state = state(row)?;
        state.learn(&contacts)?;
        row.state = KeptState::of(&state).encode_to_vec();
        row.learned += i64::try_from(contacts.len())?;
        changed.insert(flow_id);
    }
    let mut written = Vec::new();
    for (flow_id, mut row) in rows {
        let publishes = may_publish(&row, now_us);
        if !publishes && !changed.contains(&flow_id) {
            continue;
        }
        let mut model = None;
        if publishes {
            row.version += 1;
            (row.published, row.published_us) = (row.learned, now_us);
            let published = state(&row)?.model(u64::try_from(row.version)?)?;
            model = Some(KeptModel::of(&published).encode_to_vec());
        }
        written.push((row, model));
    }
    Ok(written)
}

/// What a row says was learned.
pub fn state(row: &StateRow) -> anyhow::Result<OnlineState> {
    Ok(KeptState::decode(row.state.as_slice())?.state())
}
