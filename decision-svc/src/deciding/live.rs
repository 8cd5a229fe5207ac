//! Builds cases from live data: configuration, customer records, metrics, undelivered outcomes and
//! stored arms. Each is read once for all questions that are decided together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use database::DatabaseError;
use formula::Moment;
use futures::future::join_all;
use serve::Clock;
use tonic::Status;

use super::ground::{self, Ground, GroundKey, Grounds, no_snapshot};
use crate::{
    compiled_flows::CompiledFlows,
    domain::{
        assignment::{self, BindingArm},
        case::{Case, Configuration, CustomerFacts, Detail},
        compile::CompiledFlow,
        creative::Surface,
        judgement::Refusal,
        metric::Metrics,
        reason::Reason,
        request::Question,
        scalar::Fields,
        snapshot::{Catalog, Snapshot},
        zone::zone_of,
    },
    neighbours::{
        Lookup, catalog,
        follow::{self, Follower, Followers},
        policy,
    },
    store::{AskedMetric, Known, OutboxRow, Store},
};

/// A case built from live data, and what writing its decision needs.
pub struct LiveCase {
    /// The case.
    pub case: Case,
    /// The newest catalog; the flow may be compiled for an older one.
    pub catalog: Arc<Catalog>,
    /// The customer's outcomes that are acknowledged and not yet delivered to policy-svc.
    pub pending: Vec<OutboxRow>,
    /// The arms that bind the decision.
    pub arms: Vec<BindingArm>,
    /// What was not as it should be, for example `snapshot_stale`.
    pub degraded: Vec<String>,
}

/// Builds live cases. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    /// Outcomes, arms and metrics.
    pub store: Store,
    /// Flows and snapshots.
    pub grounds: Grounds,
    /// Snapshots as they arrive.
    pub followers: Followers,
    /// Flows compiled for them.
    pub compiled: CompiledFlows,
    /// Customer records.
    pub catalog: Arc<Lookup>,
    /// The time.
    pub clock: Clock,
}

/// All that some questions need.
struct Gathered<'q> {
    grounds: BTreeMap<GroundKey<'q>, Result<Ground, Status>>,
    flows: BTreeMap<GroundKey<'q>, Arc<CompiledFlow>>,
    records: Result<Records, Refusal>,
    /// By index of the question.
    metrics: BTreeMap<usize, Metrics>,
    known: Known,
}

/// Customer records, and the snapshot they are read with.
struct Records {
    /// By index of the question; `None` for an unknown customer.
    by_question: Vec<Option<Arc<Fields>>>,
    snapshot: Arc<Snapshot>,
    /// The snapshot is as new as the records.
    is_fresh: bool,
}

impl Live {
    /// The case of each question, in their order.
    pub async fn cases(
        &self,
        tenant: &str,
        questions: &[&Arc<Question>],
        detail: Detail,
    ) -> Vec<Result<LiveCase, Status>> {
        let mut gathered = match self.gather(tenant, questions).await {
            Ok(gathered) => gathered,
            Err(status) => return questions.iter().map(|_| Err(status.clone())).collect(),
        };
        let mut metrics = std::mem::take(&mut gathered.metrics);
        let case = |(index, question): (usize, &&Arc<Question>)| {
            let metrics = metrics.remove(&index).unwrap_or_default();
            let now = || question.at.unwrap_or_else(|| self.clock.now());
            gathered.case(index, question, metrics, detail, now)
        };
        questions.iter().enumerate().map(case).collect()
    }

    async fn gather<'q>(
        &self,
        tenant: &str,
        questions: &[&'q Arc<Question>],
    ) -> Result<Gathered<'q>, Status> {
        let waited = self.clock.stopwatch();
        let mut follower = self.followers.of(tenant).await.ok_or_else(no_snapshot)?;
        self.compiled.follow(tenant, &follower);
        let customer_ids: BTreeSet<_> =
            questions.iter().map(|question| question.customer_id.as_str()).collect();
        let customer_ids: Vec<_> = customer_ids.into_iter().collect();
        let pending_max = policy::PENDING_MAX as i64 + 1;
        let known = self.store.known_of(tenant, &customer_ids, pending_max).await;
        let known = known.map_err(|error| serve::store_status(&error))?;
        let all = questions.iter().map(|question| &***question);
        let grounds = self.grounds.of(tenant, &follower, known.head, all).await;
        let records = self.records(tenant, &mut follower, questions, &grounds).await;
        let newest = records.as_ref().ok().map(|records| &records.snapshot);
        let wait_left = self.grounds.snapshot_wait_max.saturating_sub(waited.elapsed());
        let flows = self.flows(tenant, &grounds, newest, wait_left).await?;
        let metrics = self.metrics(tenant, questions, &flows).await;
        let metrics = metrics.map_err(|error| serve::store_status(&error))?;
        Ok(Gathered { grounds, flows, records, metrics, known })
    }

    /// The customers' records with a snapshot as new as they are, or the newest there is.
    async fn records<'q>(
        &self,
        tenant: &str,
        follower: &mut Follower,
        questions: &[&'q Arc<Question>],
        grounds: &BTreeMap<GroundKey<'q>, Result<Ground, Status>>,
    ) -> Result<Records, Refusal> {
        let wanted_by = |question: &&'q Arc<Question>| {
            let ground = grounds.get(&ground::key(question))?.as_ref().ok()?;
            Some((question.customer_id.as_str(), ground.whole.flow.schema()))
        };
        let wanted: BTreeSet<_> = questions.iter().filter_map(wanted_by).collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        let read = catalog::customers(&*self.catalog, tenant, &wanted).await;
        let (records, head) = read.map_err(|status| {
            tracing::warn!(code = ?status.code(), "customer records could not be read");
            let reason = "the customer's record cannot be read now; nothing is offered";
            Refusal::new(Reason::CustomerUnavailable, reason)
        })?;
        let records: Vec<_> = records.into_iter().map(|record| record.map(Arc::new)).collect();
        let by_question = questions.iter().map(|question| {
            let index = wanted.binary_search(&wanted_by(question)?).ok()?;
            records.get(index).cloned().flatten()
        });
        let by_question = by_question.collect();
        let wait_max = self.grounds.snapshot_wait_max;
        let (snapshot, is_fresh) = follow::wait_for(follower, wait_max, |snapshot| {
            snapshot.is_complete()
                && snapshot.catalog.as_ref().is_some_and(|catalog| catalog.revision >= head)
        })
        .await;
        Ok(Records { by_question, snapshot, is_fresh })
    }

    /// The flow of each ground, compiled for the newest snapshot; or for an older one, when
    /// compiling takes longer than `wait`.
    async fn flows<'q>(
        &self,
        tenant: &str,
        grounds: &BTreeMap<GroundKey<'q>, Result<Ground, Status>>,
        newest: Option<&Arc<Snapshot>>,
        wait: Duration,
    ) -> Result<BTreeMap<GroundKey<'q>, Arc<CompiledFlow>>, Status> {
        let known = grounds.iter().filter_map(|(key, ground)| Some((key, ground.as_ref().ok()?)));
        let flows = known.map(|(key, ground)| async move {
            let catalog = newest.unwrap_or(&ground.snapshot).catalog.clone().unwrap_or_default();
            let flow_key = ground.whole.key(tenant);
            let flow = self.compiled.within(wait, flow_key, &ground.whole.flow, &catalog).await;
            Ok((*key, flow.map_err(|error| serve::internal(&error))?))
        });
        join_all(flows).await.into_iter().collect()
    }

    /// The metrics that each question's flow reads, by index of the question.
    async fn metrics(
        &self,
        tenant: &str,
        questions: &[&Arc<Question>],
        flows: &BTreeMap<GroundKey<'_>, Arc<CompiledFlow>>,
    ) -> Result<BTreeMap<usize, Metrics>, DatabaseError> {
        let (now, mut wanted, mut indexes) = (self.clock.now(), Vec::new(), Vec::new());
        for (index, question) in questions.iter().enumerate() {
            let Some(flow) = flows.get(&ground::key(question)) else { continue };
            let at = question.at.unwrap_or(now);
            let until_us = question.at.map_or(i64::MAX, |at| at.timestamp_micros());
            for metric in &flow.metrics_read {
                let (customer_id, after_us) = (question.customer_id.as_str(), metric.after_us(at));
                wanted.push(AskedMetric { customer_id, metric, after_us, until_us });
                indexes.push(index);
            }
        }
        let found = self.store.metrics(tenant, &wanted).await?;
        let mut metrics: BTreeMap<usize, Metrics> = BTreeMap::new();
        for (place, value) in found {
            if let (Some(wanted), Some(index)) = (wanted.get(place), indexes.get(place)) {
                metrics.entry(*index).or_default().insert(wanted.metric.key.clone(), value);
            }
        }
        Ok(metrics)
    }
}

impl Gathered<'_> {
    /// The case of one question.
    fn case(
        &self,
        index: usize,
        question: &Arc<Question>,
        metrics: Metrics,
        detail: Detail,
        now: impl FnOnce() -> DateTime<Utc>,
    ) -> Result<LiveCase, Status> {
        let key = ground::key(question);
        let ground = self.grounds.get(&key).ok_or_else(no_snapshot)?;
        let ground = ground.as_ref().map_err(Status::clone)?;
        let flow = self.flows.get(&key).cloned().ok_or_else(no_snapshot)?;
        let is_stale = match &self.records {
            Ok(records) => records.is_stale(&flow, question)?,
            Err(_) => false,
        };
        let (snapshot, record) = match &self.records {
            Ok(records) => (&records.snapshot, records.of(index)),
            Err(refusal) => (&ground.snapshot, Err(refusal.clone())),
        };
        let (customer_id, channel, now) = (&question.customer_id, &question.channel, now());
        let stored = self.known.arms.get(customer_id).map(Vec::as_slice).unwrap_or_default();
        let arms = match &snapshot.experiment {
            Some(experiments) if record.is_ok() => {
                let flow = (flow.id.as_str(), flow.name.as_str());
                assignment::binding_arms(experiments, flow, stored, customer_id, now)
            }
            _ => Vec::new(),
        };
        let policy = snapshot.policy.clone().unwrap_or_default();
        let no_fields = Fields::new();
        let fields = record.as_deref().unwrap_or(&no_fields);
        let (zone, timezone_source) = zone_of(&policy, channel, fields);
        let experiment_revision = snapshot.experiment.as_ref().map_or(0, |part| part.revision);
        let case = Case {
            question: question.clone(),
            configuration: Configuration {
                flow,
                policy_revision: Some(policy.revision),
                experiment_revision: Some(experiment_revision),
            },
            facts: CustomerFacts {
                surface: Surface::of(channel, Some(&*policy), &question.placement),
                record,
                metrics,
                held_out_of: assignment::held_out_of(&arms).map(str::to_owned),
                timezone_source,
            },
            moment: Moment::new(now, zone),
            detail,
        };
        let pending = self.known.pending.get(customer_id).cloned().unwrap_or_default();
        let degraded = if is_stale { vec!["snapshot_stale".to_owned()] } else { Vec::new() };
        let catalog = snapshot.catalog.clone().unwrap_or_default();
        Ok(LiveCase { case, catalog, pending, arms, degraded })
    }
}

impl Records {
    /// Whether the decision is made with configuration older than the record; refused when the
    /// question asks for newer.
    fn is_stale(&self, flow: &CompiledFlow, question: &Question) -> Result<bool, Status> {
        let least = &question.min_revisions;
        if !self.is_fresh && least.is_given || flow.catalog_revision < least.catalog {
            return Err(ground::stale());
        }
        let newest = self.snapshot.catalog.as_ref().map_or(0, |catalog| catalog.revision);
        Ok(!self.is_fresh || flow.catalog_revision < newest)
    }

    fn of(&self, index: usize) -> Result<Arc<Fields>, Refusal> {
        let unknown = || Refusal::new(Reason::CustomerUnknown, "the customer has no record");
        self.by_question.get(index).cloned().flatten().ok_or_else(unknown)
    }
}
