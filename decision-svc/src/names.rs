//! The names in all logs: those of the neighbors, which are followed, and those of the own one.
//! What flows refer to is resolved against them.

use std::sync::Arc;

use history::{Directory, Follower, History, Log, LogServer, Names};
use wire::{
    named::{
        CATEGORY, CHANNEL, FIELD, FLOW, MODEL, OFFER, OUTCOME_TYPE, PLACEMENT, SCHEMA, SUBCATEGORY,
        WEIGHT_PROFILE,
    },
    part,
};

/// What catalog-svc names.
const CATALOG_KINDS: &[&str] =
    &[CATEGORY, SCHEMA, OFFER, PLACEMENT, OUTCOME_TYPE, FIELD, SUBCATEGORY];
/// What policy-svc names.
const POLICY_KINDS: &[&str] = &[CHANNEL, "contact_policy"];
/// What experiment-svc names.
const EXPERIMENT_KINDS: &[&str] = &["experiment"];
/// What the own log names.
const OWN_KINDS: &[&str] = &[FLOW, WEIGHT_PROFILE, MODEL];

/// The logs of the neighbors.
#[derive(Clone)]
pub struct Logs {
    /// Of catalog-svc.
    pub catalog: Arc<Log>,
    /// Of policy-svc.
    pub policy: Arc<Log>,
    /// Of experiment-svc.
    pub experiment: Arc<Log>,
}

/// The logs that names come from. Cheap to clone.
#[derive(Clone)]
pub struct KnownNames {
    /// The names in them.
    pub names: Names,
    catalog: Follower,
    policy: Follower,
    experiment: Follower,
}

impl KnownNames {
    /// The names in the own log; those of the neighbors once they are connected.
    pub fn new(history: &History) -> Self {
        let catalog = Follower::new("catalog-svc", CATALOG_KINDS, part::parts);
        let policy = Follower::new("policy-svc", POLICY_KINDS, Directory::NO_PARTS);
        let experiment = Follower::new("experiment-svc", EXPERIMENT_KINDS, Directory::NO_PARTS);
        let own = Follower::new("decision-svc", OWN_KINDS, Directory::NO_PARTS);
        own.connect(Arc::new(LogServer::new(history.clone(), Vec::new)));
        let all = vec![own, catalog.clone(), policy.clone(), experiment.clone()];
        Self { names: Names::new(all), catalog, policy, experiment }
    }

    /// Says where the logs of the neighbors are.
    pub fn connect(&self, logs: Logs) {
        self.catalog.connect(logs.catalog);
        self.policy.connect(logs.policy);
        self.experiment.connect(logs.experiment);
    }
}

impl Logs {
    /// Those of the services at these addresses, for example `http://catalog:7101`.
    pub fn remote(
        catalog_url: &str,
        policy_url: &str,
        experiment_url: &str,
    ) -> Result<Self, serve::NeighbourError> {
        Ok(Self {
            catalog: history::remote_log(catalog_url)?,
            policy: history::remote_log(policy_url)?,
            experiment: history::remote_log(experiment_url)?,
        })
    }
}
