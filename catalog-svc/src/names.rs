//! The names that offers, creatives, placements and metrics refer to: those of the own log, and the
//! channels of policy-svc, which is followed.

use std::sync::Arc;

use history::{Directory, Follower, Log, LogServer, Names};
use wire::named::{CATEGORY, CHANNEL, OFFER, OUTCOME_TYPE, PLACEMENT, SCHEMA};

/// What the own log names.
const OWN_KINDS: &[&str] =
    &[CATEGORY, OFFER, PLACEMENT, OUTCOME_TYPE, SCHEMA, "creative", "behavioral_metric"];
/// What policy-svc names.
const POLICY_KINDS: &[&str] = &[CHANNEL];

/// The logs that names come from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KnownNames {
    /// The names in them.
    pub names: Names,
    policy: Follower,
}

impl KnownNames {
    /// The names in the own log; those of policy-svc once it is connected.
    pub fn new(own_log: LogServer) -> Self {
        let policy = Follower::new("policy-svc", POLICY_KINDS, Directory::NO_PARTS);
        // Only its key names an outcome type.
        let own = Follower::new("catalog-svc", OWN_KINDS, |change| {
            let is_keyed = change.kind == OUTCOME_TYPE;
            if is_keyed { vec![(OUTCOME_TYPE, change.id.clone())] } else { Vec::new() }
        });
        own.connect(Arc::new(own_log));
        Self { names: Names::new(vec![own, policy.clone()]), policy }
    }

    /// Says where the log of policy-svc is.
    pub fn connect(&self, policy: Arc<Log>) {
        self.policy.connect(policy);
    }
}
