//! The flows that experiments run on: the names of decision-svc, whose log is followed.

use std::sync::Arc;

use history::{Directory, Follower, History, Log, LogServer, Names};
use wire::named::FLOW;

use crate::neighbours::flow::{self, OUTCOME, RETRAIN_DAYS, WINDOW_DAYS};

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
        let decision = Follower::new("decision-svc", DECISION_KINDS, flow::learning);
        let own = Follower::new("experiment-svc", OWN_KINDS, Directory::NO_PARTS);
        own.connect(Arc::new(LogServer::new(history.clone(), Vec::new)));
        Self { names: Names::new(vec![own, decision.clone()]), decision }
    }

    /// Says where the log of decision-svc is.
    pub fn connect(&self, decision: Arc<Log>) {
        self.decision.connect(decision);
    }

    /// What a flow says about learning, as far as it says so; none when
    /// decision-svc cannot be asked and the flow was never heard of.
    pub async fn learning(&self, tenant: &str, flow_id: &str) -> Option<Learning> {
        let heard = self.decision.now(tenant).await;
        let Some(flow) = heard.directory.listed(FLOW, flow_id) else {
            return heard.is_current.then(Learning::default);
        };
        let days = |part: &str| flow.part(part).and_then(|days| days.parse().ok());
        Some(Learning {
            outcome: flow.part(OUTCOME).map(str::to_owned),
            window_days: days(WINDOW_DAYS),
            retrain_days: days(RETRAIN_DAYS),
        })
    }
}

/// What a flow says about learning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learning {
    /// Key of the outcome type.
    pub outcome: Option<String>,
    /// For how many days outcomes count.
    pub window_days: Option<u32>,
    /// Every so many days effects are learned again; none for never.
    pub retrain_days: Option<u32>,
}
