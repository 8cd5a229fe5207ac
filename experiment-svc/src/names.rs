//! The flows that experiments run on: the names of decision-svc, whose log is followed.

use std::sync::Arc;

use history::{Directory, Follower, History, Log, LogServer, Names};
use wire::named::FLOW;

/// What decision-svc names, as far as experiments refer to it.
const DECISION_KINDS: &[&str] = &[FLOW];
/// What the own log names.
const OWN_KINDS: &[&str] = &["experiment"];

/// The logs that names come from. Cheap to clone.
#[derive(Clone)]
pub struct KnownNames {
    /// The names in them.
    pub names: Names,
    decision: Follower,
}

impl KnownNames {
    /// The names in the own log; those of decision-svc once it is connected.
    pub fn new(history: &History) -> Self {
        let decision = Follower::new("decision-svc", DECISION_KINDS, Directory::NO_PARTS);
        let own = Follower::new("experiment-svc", OWN_KINDS, Directory::NO_PARTS);
        own.connect(Arc::new(LogServer::new(history.clone(), Vec::new)));
        Self { names: Names::new(vec![own, decision.clone()]), decision }
    }

    /// Says where the log of decision-svc is.
    pub fn connect(&self, decision: Arc<Log>) {
        self.decision.connect(decision);
    }
}
