//! Finds what the questions about one flow and channel share: the flow, and a snapshot in which the
//! channel is known.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;
use proffer_proto::errors::v1::ErrorReason;
use serve::Problem;
use tonic::{Code, Status};

use super::whole_flow::{WholeFlow, WholeFlows};
use crate::{
    domain::{
        request::{MinRevisions, Question},
        snapshot::Snapshot,
    },
    neighbours::{
        Channels,
        follow::{self, Follower},
        policy,
    },
};

/// Flow, channel and least revisions of a question.
pub type GroundKey<'q> = (&'q str, &'q str, MinRevisions);

/// The key of a question's ground.
pub fn key(question: &Question) -> GroundKey<'_> {
    (&question.flow, &question.channel, question.min_revisions)
}

/// What questions with one key share.
pub struct Ground {
    /// The flow.
    pub whole: Arc<WholeFlow>,
    /// A snapshot that has the least revisions.
    pub snapshot: Arc<Snapshot>,
}

/// Finds grounds. Cheap to clone.
#[derive(Clone)]
pub struct Grounds {
    /// The flows.
    pub flows: WholeFlows,
    /// The channels as their owner knows them.
    pub channels: Arc<dyn Channels>,
    /// How long a decision waits for configuration that it knows to be newer than its own.
    pub snapshot_wait_max: Duration,
}

impl Grounds {
    /// The grounds of these questions, by key. `head` is that of the own log.
    pub async fn of<'q>(
        &self,
        tenant: &str,
        follower: &Follower,
        head: i64,
        questions: impl Iterator<Item = &'q Question>,
    ) -> BTreeMap<GroundKey<'q>, Result<Ground, Status>> {
        let keys: std::collections::BTreeSet<GroundKey<'q>> = questions.map(key).collect();
        let grounds = keys.into_iter().map(|key| async move {
            (key, self.ground(tenant, follower.clone(), head, key).await)
        });
        join_all(grounds).await.into_iter().collect()
    }

    async fn ground(
        &self,
        tenant: &str,
        mut follower: Follower,
        head: i64,
        (flow, channel, least): GroundKey<'_>,
    ) -> Result<Ground, Status> {
        let whole = self.flows.at(tenant, flow, head).await?;
        whole.require_active()?;
        let knows_channel = |snapshot: &Snapshot| {
            channel.is_empty()
                || snapshot.policy.as_ref().is_some_and(|policy| policy.channel(channel).is_some())
        };
        // A first snapshot is waited for in any case.
        follow::wait_for(&mut follower, follow::SNAPSHOT_WAIT_MAX, Snapshot::is_complete).await;
        let is_missing = {
            let present = follower.borrow();
            present.is_complete() && !knows_channel(&present)
        };
        if is_missing {
            // Its owner knows at once whether there is one on its way here.
            policy::require_channel(&*self.channels, tenant, channel).await?;
        }
        let (snapshot, is_known) =
            follow::wait_for(&mut follower, self.snapshot_wait_max, |snapshot| {
                snapshot.is_complete() && knows_channel(snapshot) && reaches(snapshot, &least)
            })
            .await;
        if !snapshot.is_complete() {
            return Err(no_snapshot());
        }
        let reaches_own = whole.revision.max(head) >= least.decision;
        if least.is_given && !(is_known || reaches(&snapshot, &least)) || !reaches_own {
            return Err(stale());
        }
        if !knows_channel(&snapshot) {
            policy::require_channel(&*self.channels, tenant, channel).await?;
        }
        Ok(Ground { whole, snapshot })
    }
}

fn reaches(snapshot: &Snapshot, least: &MinRevisions) -> bool {
    snapshot.catalog.as_ref().is_some_and(|part| part.revision >= least.catalog)
        && snapshot.policy.as_ref().is_some_and(|part| part.revision >= least.policy)
        && snapshot.experiment.as_ref().is_some_and(|part| part.revision >= least.experiment)
}

/// The error before the first snapshot.
pub fn no_snapshot() -> Status {
    serve::unavailable("decision", &"no snapshot yet")
}

/// The error while a revision that the request names is not here.
pub fn stale() -> Status {
    let message = "a revision that the request requires has not arrived yet; try again shortly";
    Problem::new(Code::Unavailable, ErrorReason::SnapshotStale, message)
        .retry_after(serve::RETRY_AFTER)
        .into()
}
