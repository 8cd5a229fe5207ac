//! Published online models in memory: the newest of each flow, and those that replays name.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use database::DatabaseError;
use prost::Message as _;
use serve::{Clock, Recent};

use crate::{deciding::kept_online::KeptModel, domain::score::OnlineModel, store::Store};

/// Models that are kept at most; the one that was used least recently is read again.
const MODELS_MAX: usize = 256;
/// A newer snapshot is looked for this long after the last look.
const LOOK_EVERY: TimeDelta = TimeDelta::seconds(2);

/// Published models. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OnlineSnapshots {
    store: Store,
    clock: Clock,
    newest: Arc<Mutex<Recent<(String, String), Newest>>>,
}

#[derive(Clone, Debug)]
struct Newest {
    model: Option<Arc<OnlineModel>>,
    looked_at: DateTime<Utc>,
}

impl OnlineSnapshots {
    /// Nothing read yet.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, newest: Arc::new(Mutex::new(Recent::new(MODELS_MAX))) }
    }

    /// The newest model of a flow as of at most two seconds ago; none before the first.
    pub async fn newest(
        &self,
        tenant: &str,
        flow_id: &str,
    ) -> Result<Option<Arc<OnlineModel>>, DatabaseError> {
        let (key, now) = ((tenant.to_owned(), flow_id.to_owned()), self.clock.now());
        let known = self.lock().get(&key).cloned();
        let age = known.as_ref().map(|known| (now - known.looked_at).abs());
        let model = known.and_then(|known| known.model);
        if age.is_some_and(|age| age < LOOK_EVERY) {
            return Ok(model);
        }
        let after = model.as_ref().and_then(|model| i64::try_from(model.version).ok());
        let found = self.store.newest_snapshot(tenant, flow_id, after.unwrap_or_default()).await?;
        let model = found.map(read).or(model);
        self.lock().insert(key, Newest { model: model.clone(), looked_at: now });
        Ok(model)
    }

    /// A model of a version, for a replay; none when it was deleted.
    pub async fn of_version(
        &self,
        tenant: &str,
        flow_id: &str,
        version: i64,
    ) -> Result<Option<Arc<OnlineModel>>, DatabaseError> {
        Ok(self.store.online_snapshot(tenant, flow_id, version).await?.map(read))
    }

    /// Looks for newer snapshots at the next decisions.
    pub fn look_again(&self) {
        *self.lock() = Recent::new(MODELS_MAX);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recent<(String, String), Newest>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read((version, bytes): (i64, Vec<u8>)) -> Arc<OnlineModel> {
    // INVARIANT: written by the learner from the same message.
    let kept = KeptModel::decode(bytes.as_slice()).unwrap_or_default();
    Arc::new(kept.model(u64::try_from(version).unwrap_or_default()))
}
