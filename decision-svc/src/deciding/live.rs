//! What decisions need before they plan: configuration, records, undelivered outcomes, arms.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use database::DatabaseError;
use futures::future::join_all;
use proffer_proto::{
    decision::v1::DecisionFlow, errors::v1::ErrorReason, values::v1::ResourceStatus,
};
use serve::Problem;
use tonic::{Code, Status};

use super::{
    super::{Context, flow_parts::WholeFlow},
    Asked,
};
use crate::{
    compiled_flows::Source,
    domain::{
        assignment::Arm,
        compile::CompiledFlow,
        creative::Surface,
        decide::refusal,
        judgement::Refusal,
        metric::Metrics,
        reason::Reason,
        request::{MinRevisions, Question},
        scalar::Fields,
        snapshot::Snapshot,
    },
    neighbours::{
        catalog,
        follow::{self, Follower},
        policy,
    },
    store::{AskedMetric, OutboxRow},
};

/// The facts of one decision.
pub struct Fetched {
    /// The configuration.
    pub snapshot: Arc<Snapshot>,
    /// The flow made ready for it.
    pub flow: Arc<CompiledFlow>,
    /// The customer's record; or why it could not be read.
    pub customer: Result<Option<Arc<Fields>>, Refusal>,
    /// The behavioral metrics the flow reads.
    pub metrics: Metrics,
    /// Where the offer will stand.
    pub surface: Surface,
    /// Outcomes acknowledged and not delivered.
    pub pending: Vec<OutboxRow>,
    /// Arms stored by earlier decisions.
    pub arms: Vec<Arm>,
    /// What was not as it should be.
    pub degraded: Vec<String>,
    /// The decision's instant.
    pub now: DateTime<Utc>,
}

/// What questions about one flow and channel share.
struct Ground {
    whole: Arc<WholeFlow>,
    snapshot: Arc<Snapshot>,
}

/// Flow, channel and least revisions of a question: who has the same shares a ground.
type Kind<'a> = (&'a str, &'a str, MinRevisions);

fn kind(question: &Question) -> Kind<'_> {
    (&question.flow, &question.channel, question.min_revisions)
}

impl Context {
    /// Fetches what each needs, asking once for all.
    pub(super) async fn fetch<'r>(
        &self,
        open: Vec<Asked<'r>>,
    ) -> Vec<(Asked<'r>, Result<Fetched, Status>)> {
        let Some(tenant) = open.first().map(|asked| asked.run.tenant.clone()) else {
            return Vec::new();
        };
        let waited = self.clock.stopwatch();
        let all_fail =
            |status: Status| open.iter().map(|asked| (*asked, Err(status.clone()))).collect();
        let Some(mut follower) = self.followers.of(&tenant).await else { return all_fail(away()) };
        self.compiled.follow(&tenant, &follower);
        let customer_ids: BTreeSet<_> =
            open.iter().map(|asked| asked.run.question.customer_id.as_str()).collect();
        let customer_ids: Vec<_> = customer_ids.into_iter().collect();
        let known =
            match self.store.known_of(&tenant, &customer_ids, policy::PENDING_MAX as i64 + 1).await
            {
                Ok(known) => known,
                Err(error) => return all_fail(serve::store_status(&error)),
            };
        let grounds = self.grounds(&tenant, &follower, known.head, &open).await;
        let mut wanted = BTreeSet::new();
        for asked in &open {
            if let Some(Ok(ground)) = grounds.get(&kind(&asked.run.question)) {
                wanted
                    .insert((asked.run.question.customer_id.as_str(), ground.whole.flow.schema()));
            }
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let read = match catalog::customers(&*self.neighbours.catalog, &tenant, &wanted).await {
            Ok((records, head)) => {
                let records = records.into_iter().map(|record| record.map(Arc::new));
                Ok(self.up_to(&mut follower, head, wanted.into_iter().zip(records).collect()).await)
            }
            Err(status) => {
                tracing::warn!(code = ?status.code(), "customer records could not be read");
                Err(refusal(
                    Reason::CustomerUnavailable,
                    "the customer's record cannot be read now; nothing is offered",
                ))
            }
        };
        let newest = read.as_ref().ok().map(|read| &read.snapshot);
        let wait_left = self.snapshot_wait_max.saturating_sub(waited.elapsed());
        let flows = match self.compiled_for(&tenant, &grounds, newest, wait_left).await {
            Ok(flows) => flows,
            Err(status) => return all_fail(status),
        };
        let mut metrics = match self.metrics(&tenant, &open, &flows).await {
            Ok(metrics) => metrics,
            Err(error) => return all_fail(serve::store_status(&error)),
        };
        let mut fetched = |asked: &Asked<'_>| {
            let question = &asked.run.question;
            let metrics = metrics.remove(&asked.place).unwrap_or_default();
            let ground = match grounds.get(&kind(question)) {
                Some(Ok(ground)) => ground,
                Some(Err(status)) => return Err(status.clone()),
                None => return Err(away()),
            };
            let flow = flows.get(&kind(question)).cloned().ok_or_else(away)?;
            let mut degraded = Vec::new();
            let (snapshot, customer) = match &read {
                Ok(read) => {
                    let catalog =
                        read.snapshot.catalog.as_ref().map_or(0, |catalog| catalog.revision);
                    let least = &question.min_revisions;
                    if !read.is_fresh && least.is_given || flow.catalog_revision < least.catalog {
                        return Err(stale());
                    }
                    if !read.is_fresh || flow.catalog_revision < catalog {
                        degraded.push("snapshot_stale".to_owned());
                    }
                    let record = read
                        .records
                        .get(&(question.customer_id.as_str(), ground.whole.flow.schema()));
                    (read.snapshot.clone(), Ok(record.cloned().flatten()))
                }
                Err(refusal) => (ground.snapshot.clone(), Err(refusal.clone())),
            };
            let surface =
                Surface::of(&question.channel, snapshot.policy.as_deref(), &question.placement);
            Ok(Fetched {
                snapshot,
                flow,
                customer,
                metrics,
                surface,
                pending: known.pending.get(&question.customer_id).cloned().unwrap_or_default(),
                arms: known.arms.get(&question.customer_id).cloned().unwrap_or_default(),
                degraded,
                now: question.at.unwrap_or_else(|| self.clock.now()),
            })
        };
        open.iter().map(|asked| (*asked, fetched(asked))).collect()
    }

    /// The ground of every kind of question.
    async fn grounds<'r>(
        &self,
        tenant: &str,
        follower: &Follower,
        head: i64,
        open: &[Asked<'r>],
    ) -> BTreeMap<Kind<'r>, Result<Ground, Status>> {
        let kinds: BTreeSet<Kind<'r>> =
            open.iter().map(|asked| kind(&asked.run.question)).collect();
        let grounds = kinds.into_iter().map(|kind| async move {
            let ground = self.ground(tenant, follower.clone(), head, kind).await;
            (kind, ground)
        });
        join_all(grounds).await.into_iter().collect()
    }

    async fn ground(
        &self,
        tenant: &str,
        mut follower: Follower,
        head: i64,
        kind: Kind<'_>,
    ) -> Result<Ground, Status> {
        let (flow, channel, least) = kind;
        let whole = self.whole_flow_at(tenant, flow, head).await?;
        require_active(&whole.resource)?;
        let knows_channel = |snapshot: &Snapshot| {
            channel.is_empty()
                || snapshot.policy.as_ref().is_some_and(|policy| policy.channel(channel).is_some())
        };
        // The first snapshot of all is waited for in any case.
        follow::wait_for(&mut follower, follow::SNAPSHOT_WAIT_MAX, Snapshot::is_complete).await;
        let (snapshot, is_known) =
            follow::wait_for(&mut follower, self.snapshot_wait_max, |snapshot| {
                snapshot.is_complete() && knows_channel(snapshot) && reaches(snapshot, &least)
            })
            .await;
        if !snapshot.is_complete() {
            return Err(away());
        }
        let reaches_own = whole.revision.max(head) >= least.decision;
        if least.is_given && !(is_known || reaches(&snapshot, &least)) || !reaches_own {
            return Err(stale());
        }
        if !knows_channel(&snapshot) {
            policy::require_channel(&*self.neighbours.channels, tenant, channel).await?;
        }
        Ok(Ground { whole, snapshot })
    }

    /// Records with a snapshot as new as they are, or the newest there is.
    async fn up_to<'r>(
        &self,
        follower: &mut Follower,
        head: i64,
        records: BTreeMap<(&'r str, &'r str), Option<Arc<Fields>>>,
    ) -> Read<'r> {
        let (snapshot, is_fresh) = follow::wait_for(follower, self.snapshot_wait_max, |snapshot| {
            snapshot.is_complete()
                && snapshot.catalog.as_ref().is_some_and(|catalog| catalog.revision >= head)
        })
        .await;
        Read { records, snapshot, is_fresh }
    }

    /// The metrics that each question's flow reads, by the question's place.
    async fn metrics(
        &self,
        tenant: &str,
        open: &[Asked<'_>],
        flows: &BTreeMap<Kind<'_>, Arc<CompiledFlow>>,
    ) -> Result<BTreeMap<usize, Metrics>, DatabaseError> {
        let (now, mut asked, mut places) = (self.clock.now(), Vec::new(), Vec::new());
        for one in open {
            let question = &one.run.question;
            let Some(flow) = flows.get(&kind(question)) else { continue };
            let (at, until_us) = (
                question.at.unwrap_or(now),
                question.at.map_or(i64::MAX, |at| at.timestamp_micros()),
            );
            for metric in &flow.metrics_read {
                let (customer_id, after_us) = (question.customer_id.as_str(), metric.after_us(at));
                asked.push(AskedMetric { customer_id, metric, after_us, until_us });
                places.push(one.place);
            }
        }
        let found = self.store.metrics(tenant, &asked).await?;
        let mut metrics: BTreeMap<usize, Metrics> = BTreeMap::new();
        for (index, value) in found {
            if let (Some(asked), Some(place)) = (asked.get(index), places.get(index)) {
                metrics.entry(*place).or_default().insert(asked.metric.key.clone(), value);
            }
        }
        Ok(metrics)
    }

    /// The flow of each ground, made ready for the snapshot its decisions go by; or for an older
    /// one, when the newest takes longer than `wait`.
    async fn compiled_for<'r>(
        &self,
        tenant: &str,
        grounds: &BTreeMap<Kind<'r>, Result<Ground, Status>>,
        newest: Option<&Arc<Snapshot>>,
        wait: Duration,
    ) -> Result<BTreeMap<Kind<'r>, Arc<CompiledFlow>>, Status> {
        let made = grounds.iter().filter_map(|(kind, ground)| Some((kind, ground.as_ref().ok()?)));
        let made = made.map(|(kind, ground)| async move {
            let catalog = newest.unwrap_or(&ground.snapshot).catalog.clone().unwrap_or_default();
            let WholeFlow { resource, flow, revision } = &*ground.whole;
            let source =
                Source { tenant, id: &resource.id, name: &resource.name, revision: *revision };
            let flow = self.compiled.within(wait, source, flow, &catalog).await;
            Ok((*kind, flow.map_err(|error| serve::internal(&error))?))
        });
        join_all(made).await.into_iter().collect()
    }
}

/// Records by customer and schema, and the snapshot they are read with.
struct Read<'r> {
    records: BTreeMap<(&'r str, &'r str), Option<Arc<Fields>>>,
    snapshot: Arc<Snapshot>,
    is_fresh: bool,
}

/// Refuses a flow that is not active.
pub fn require_active(flow: &DecisionFlow) -> Result<(), Problem> {
    if matches!(flow.status(), ResourceStatus::Active | ResourceStatus::Unspecified) {
        return Ok(());
    }
    let status = flow.status().as_str_name().trim_start_matches("RESOURCE_STATUS_").to_lowercase();
    let message = format!("decision flow `{}` is {status}; only active flows decide", flow.id);
    Err(Problem::wrong_state(&flow.id, &status, message))
}

fn away() -> Status {
    serve::unavailable("decision", &"no snapshot yet")
}

fn reaches(snapshot: &Snapshot, least: &crate::domain::request::MinRevisions) -> bool {
    snapshot.catalog.as_ref().is_some_and(|part| part.revision >= least.catalog)
        && snapshot.policy.as_ref().is_some_and(|part| part.revision >= least.policy)
        && snapshot.experiment.as_ref().is_some_and(|part| part.revision >= least.experiment)
}

fn stale() -> Status {
    let message = "the asked-for revision has not arrived yet; try again shortly";
    Problem::new(Code::Unavailable, ErrorReason::SnapshotStale, message)
        .retry_after(serve::RETRY_AFTER)
        .into()
}
