//! Counts of responses in memory. A decision learns from what it reads anyway whether they have
//! changed; then only the rows that did are read, once for all decisions that wait.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use database::DatabaseError;
use serve::Recent;

use crate::{
    domain::responses::{Count, Responses},
    store::{PARTS, ResponseRow, Store},
};

/// Tenants whose counts are kept at most; those of the one that decided least recently are dropped,
/// and read again when they are needed.
const TENANTS_MAX: usize = 256;

/// Counts of responses by tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ResponseCounts {
    store: Store,
    tenants: Arc<Mutex<Recent<String, Arc<Slot>>>>,
}

/// The counts of one tenant.
#[derive(Debug, Default)]
struct Slot {
    /// The newest, and the revision they have.
    newest: Mutex<(i64, Arc<Responses>)>,
    /// Held by the one that reads.
    reading: tokio::sync::Mutex<Rows>,
}

/// The rows that were read.
#[derive(Debug, Default)]
struct Rows {
    revisions: [i64; PARTS],
    /// By offer, category, channel and part.
    counts: HashMap<(String, String, String, usize), Count>,
    responses: Responses,
}

impl ResponseCounts {
    /// Nothing read yet.
    pub fn new(store: Store) -> Self {
        Self { store, tenants: Arc::new(Mutex::new(Recent::new(TENANTS_MAX))) }
    }

    /// The counts of a tenant with everything up to a revision, which is known to be stored.
    pub async fn at_least(
        &self,
        tenant: &str,
        revision: i64,
    ) -> Result<Arc<Responses>, DatabaseError> {
        if revision == 0 {
            return Ok(Arc::default());
        }
        let slot = self.slot(tenant);
        if let Some(found) = slot.at_least(revision) {
            return Ok(found);
        }
        let mut rows = slot.reading.lock().await;
        // Another caller may have read them while this one waited.
        if let Some(found) = slot.at_least(revision) {
            return Ok(found);
        }
        let changed = self.store.responses_after(tenant, &rows.revisions).await?;
        metrics::counter!("proffer.propensity.reads").increment(1);
        changed.into_iter().for_each(|row| rows.take(row));
        let responses = Arc::new(rows.responses.clone());
        let newest = (rows.revisions.iter().sum(), responses.clone());
        *slot.newest.lock().unwrap_or_else(PoisonError::into_inner) = newest;
        Ok(responses)
    }

    fn slot(&self, tenant: &str) -> Arc<Slot> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = tenants.get(tenant) {
            return slot.clone();
        }
        let slot = Arc::<Slot>::default();
        tenants.insert(tenant.to_owned(), slot.clone());
        slot
    }
}

impl Slot {
    fn at_least(&self, revision: i64) -> Option<Arc<Responses>> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        (newest.0 >= revision).then(|| newest.1.clone())
    }
}

impl Rows {
    fn take(&mut self, row: ResponseRow) {
        let ResponseRow { part, offer_id, category, channel, count, revision } = row;
        if let Some(known) = self.revisions.get_mut(part) {
            *known = revision.max(*known);
        }
        let key = (offer_id, category, channel, part);
        let before = self.counts.get(&key).copied().unwrap_or_default();
        self.responses.replace((&key.0, &key.1, &key.2), before, count);
        self.counts.insert(key, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(part: usize, revision: i64, contacts: u64) -> ResponseRow {
        let count = Count { contacts, positives: 1 };
        let [offer_id, category, channel] = ["off", "cat", "email"].map(str::to_owned);
        ResponseRow { part, offer_id, category, channel, count, revision }
    }

    #[test]
    fn parts_are_summed_and_a_row_read_again_replaces_itself() {
        let mut rows = Rows::default();
        for found in [row(0, 1, 1), row(3, 1, 1), row(0, 7, 4), row(3, 2, 2)] {
            rows.take(found);
        }
        assert_eq!(rows.responses.of_offer("off"), Count { contacts: 6, positives: 2 });
        assert_eq!(rows.responses.total(), rows.responses.of_category("cat"));
        assert_eq!((rows.revisions[0], rows.revisions[3]), (7, 2));
        assert_eq!(rows.revisions.iter().sum::<i64>(), 9);
    }
}
