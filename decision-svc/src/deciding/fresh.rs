//! Reads one's own writes of policy-svc. What a case was planned with is compared to the head of
//! policy-svc's log; a case that is behind is built again once the snapshot has caught up.

use tonic::Status;

use super::{
    gathered::LiveCase,
    judge::{Judged, PlannedCase, Try},
    live::LiveCases,
};
use crate::neighbours::{follow, policy};

/// How a planned case compares to the newest configuration of policy-svc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It has the newest, or policy-svc did not answer, which the decision reports itself.
    Fresh,
    /// It was planned with an older one. Nothing is reserved for it.
    Behind,
    /// The newest revision cannot be read now.
    Unknown,
}

impl LiveCases {
    /// Compares judged cases, in their order. policy-svc compares those that it judges. Those that
    /// have nothing to be judged are compared here, with one call at most for all of them.
    pub async fn freshness(
        &self,
        tenant: &str,
        judged: &[(&PlannedCase, &Result<Judged, Status>)],
    ) -> Vec<Freshness> {
        let is_unasked = |(planned, judged): &(&PlannedCase, &Result<Judged, Status>)| {
            judged.is_ok() && !planned.is_asked()
        };
        let revisions = judged
            .iter()
            .filter_map(|(_, judged)| Some(judged.as_ref().ok()?.judgment.as_ref()?.revision));
        let head = match revisions.max() {
            _ if !judged.iter().any(is_unasked) => None,
            Some(head) => Some(head),
            None => policy::head(&*self.gate, tenant).await.ok(),
        };
        let each = judged.iter().map(|pair| match (pair.1, head) {
            (Ok(judged), _) if judged.is_behind => Freshness::Behind,
            _ if !is_unasked(pair) => Freshness::Fresh,
            (_, Some(head)) if revision(&pair.0.live) < head => Freshness::Behind,
            (_, Some(_)) => Freshness::Fresh,
            (_, None) => Freshness::Unknown,
        });
        each.collect()
    }

    /// Waits for a snapshot that has all that policy-svc has acknowledged by now.
    pub async fn catch_up(&self, tenant: &str) -> Try {
        let Ok(head) = policy::head(&*self.gate, tenant).await else { return Try::Late };
        let mut follower = self.followers.of(tenant);
        let wait_max = self.grounds.snapshot_wait_max;
        let (_, has_arrived) = follow::wait_for(&mut follower, wait_max, |snapshot| {
            snapshot.policy.as_ref().is_some_and(|policy| policy.revision >= head)
        })
        .await;
        if has_arrived { Try::CaughtUp } else { Try::Late }
    }
}

fn revision(live: &LiveCase) -> i64 {
    live.case.configuration.policy_revision.unwrap_or_default()
}
