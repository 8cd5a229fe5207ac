//! The names that contact policies and channels refer to: those of catalog-svc, which is followed,
//! and those of the own log.

use std::sync::Arc;

use history::{Directory, Follower, History, Log, LogServer, Names};
use wire::{
    named::{CATEGORY, CHANNEL, FIELD, OFFER, OUTCOME_TYPE, SUBCATEGORY},
    part,
};

/// What catalog-svc names.
const CATALOG_KINDS: &[&str] = &[CATEGORY, OFFER, SUBCATEGORY, OUTCOME_TYPE, FIELD];
/// What the own log names.
const OWN_KINDS: &[&str] = &[CHANNEL, "contact_policy", "settings"];

/// The logs that names come from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KnownNames {
    /// The names in them.
    pub names: Names,
    catalog: Follower,
}

impl KnownNames {
    /// The names in the own log; those of catalog-svc once it is connected.
    pub fn new(history: &History) -> Self {
        let catalog = Follower::new("catalog-svc", CATALOG_KINDS, part::parts);
        let own = Follower::new("policy-svc", OWN_KINDS, Directory::NO_PARTS);
        own.connect(Arc::new(LogServer::new(history.clone(), Vec::new)));
        Self { names: Names::new(vec![own, catalog.clone()]), catalog }
    }

    /// Says where the log of catalog-svc is.
    pub fn connect(&self, catalog: Arc<Log>) {
        self.catalog.connect(catalog);
    }
}
