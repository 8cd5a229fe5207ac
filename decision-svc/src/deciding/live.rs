//! Builds cases from live data: configuration, customer records, metrics, undelivered outcomes,
//! stored arms and counts of responses. Each is read once for all questions that are decided
//! together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use database::DatabaseError;
use futures::future::join_all;
use serve::Clock;
use tonic::Status;

use super::{
    gathered::{Engagements, Gathered, LiveCase, Records},
    ground::{self, Ground, GroundKey, Grounds},
    planner::Planner,
    undelivered::Undelivered,
};
use crate::{
    compiled_flows::CompiledFlows,
    domain::{
        case::Detail,
        compile::CompiledFlow,
        judgment::Refusal,
        metric::Metrics,
        reason::Reason,
        request::Question,
        responses::Responses,
        score::{OnlineModel, OnlinePropensity},
        snapshot::Snapshot,
    },
    neighbours::{
        Gate, Lookup, catalog,
        follow::{self, Follower, Followers},
        policy,
    },
    online_snapshots::OnlineSnapshots,
    response_counts::ResponseCounts,
    store::{AskedMetric, Known, Store},
};

/// Builds live cases. Cheap to clone.
#[derive(Clone)]
pub struct LiveCases {
    /// Outcomes, arms and metrics.
    pub store: Store,
    /// How customers responded to offers.
    pub responses: ResponseCounts,
    /// Published online models.
    pub online: OnlineSnapshots,
    /// Outcomes that policy-svc does not have yet.
    pub undelivered: Undelivered,
    /// Flows and snapshots.
    pub grounds: Grounds,
    /// Snapshots as they arrive.
    pub followers: Followers,
    /// Flows compiled for them.
    pub compiled: CompiledFlows,
    /// Plans the cases.
    pub planner: Planner,
    /// Customer records.
    pub catalog: Arc<Lookup>,
    /// The head of policy-svc's log.
    pub gate: Arc<Gate>,
    /// The time.
    pub clock: Clock,
    /// After this silence of experiment-svc decisions report `experiments_stale`.
    pub experiments_silence_max: Duration,
}

impl LiveCases {
    /// The case of each question, in their order; of now, which is not before `earliest`, unless
    /// the question names an instant.
    pub async fn cases(
        &self,
        tenant: &str,
        questions: &[&Arc<Question>],
        detail: Detail,
        earliest: DateTime<Utc>,
    ) -> Vec<Result<LiveCase, Status>> {
        let mut gathered = match self.gather(tenant, questions).await {
            Ok(gathered) => gathered,
            Err(status) => return questions.iter().map(|_| Err(status.clone())).collect(),
        };
        let mut metrics = std::mem::take(&mut gathered.metrics);
        let case = |(index, question): (usize, &&Arc<Question>)| {
            let metrics = metrics.remove(&index).unwrap_or_default();
            let now = || question.at.unwrap_or_else(|| self.clock.now().max(earliest));
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
        let heard = self.followers.experiments_heard(tenant);
        let mut follower = self.followers.of(tenant);
        self.compiled.follow(tenant, &follower);
        let customer_ids: BTreeSet<_> =
            questions.iter().map(|question| question.customer_id.as_str()).collect();
        let customer_ids: Vec<_> = customer_ids.into_iter().collect();
        let known = self.known(tenant, &customer_ids).await;
        let known = known.map_err(|error| serve::store_status(&error))?;
        let all = questions.iter().map(|question| &***question);
        let grounds = self.grounds.of(tenant, &follower, known.head, all).await;
        let records = self.records(tenant, &mut follower, questions, &grounds).await;
        let newest = records.as_ref().ok().map(|records| &records.snapshot);
        let wait_left = self.grounds.snapshot_wait_max.saturating_sub(waited.elapsed());
        let flows = self.flows(tenant, &grounds, newest, wait_left).await?;
        let metrics = self.metrics(tenant, questions, &flows).await;
        let metrics = metrics.map_err(|error| serve::store_status(&error))?;
        let responses = self.responses(tenant, &flows, known.responses_revision).await;
        let responses = responses.map_err(|error| serve::store_status(&error))?;
        let engagements = self.engagements(tenant, &flows, &customer_ids).await;
        let engagements = engagements.map_err(|error| serve::store_status(&error))?;
        let online = self.online(tenant, &flows).await;
        let online = online.map_err(|error| serve::store_status(&error))?;
        let experiments_silence_max = self.experiments_silence_max;
        let heard = records.as_ref().map_or(heard, |records| records.experiments_heard);
        Ok(Gathered {
            grounds,
            flows,
            records,
            metrics,
            responses,
            engagements,
            online,
            known,
            heard,
            experiments_silence_max,
        })
    }

    /// Undelivered outcomes and arms of customers, and the head of the own log.
    async fn known(&self, tenant: &str, customer_ids: &[&str]) -> Result<Known, DatabaseError> {
        let mut known = self.store.known_of(tenant, customer_ids, policy::PENDING_READ).await?;
        let many = known.pending.iter_mut().filter(|(_, rows)| rows.len() > policy::PENDING_MAX);
        for (customer_id, rows) in many {
            *rows = self.undelivered.few(tenant, customer_id, std::mem::take(rows)).await?;
        }
        Ok(known)
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
        let experiments_heard = self.followers.experiments_heard(tenant);
        let (snapshot, is_fresh) = follow::wait_for(follower, wait_max, |snapshot| {
            snapshot.is_complete()
                && snapshot.catalog.as_ref().is_some_and(|catalog| catalog.revision >= head)
        })
        .await;
        Ok(Records { by_question, snapshot, is_fresh, experiments_heard })
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
            let snapshot = newest.unwrap_or(&ground.snapshot);
            let catalog = snapshot.catalog.clone().unwrap_or_default();
            let effects = snapshot.effects_of(&ground.whole.resource.id);
            let flow_key = ground.whole.key(tenant, &effects);
            let flow = self.compiled.within(wait, flow_key, &ground.whole.flow, &catalog).await;
            Ok((*key, flow.map_err(|error| serve::internal(&error))?))
        });
        join_all(flows).await.into_iter().collect()
    }

    /// How customers responded, where a flow learns from it and anything is counted.
    async fn responses(
        &self,
        tenant: &str,
        flows: &BTreeMap<GroundKey<'_>, Arc<CompiledFlow>>,
        revision: i64,
    ) -> Result<Option<Arc<Responses>>, DatabaseError> {
        if !flows.values().any(|flow| flow.counts_responses()) {
            return Ok(None);
        }
        let responses = self.responses.at_least(tenant, revision).await?;
        Ok(Some(responses).filter(|responses| !responses.is_empty()))
    }

    /// The newest online model of each flow that learns one.
    async fn online(
        &self,
        tenant: &str,
        flows: &BTreeMap<GroundKey<'_>, Arc<CompiledFlow>>,
    ) -> Result<BTreeMap<String, Arc<OnlineModel>>, DatabaseError> {
        let mut models = BTreeMap::new();
        for flow in flows.values() {
            if flow.flow.learning.online_propensity != OnlinePropensity::Off
                && let Some(model) = self.online.newest(tenant, &flow.id).await?
            {
                models.insert(flow.id.clone(), model);
            }
        }
        Ok(models)
    }

    /// How the customers respond by channel, where a flow learns relevance from it.
    async fn engagements(
        &self,
        tenant: &str,
        flows: &BTreeMap<GroundKey<'_>, Arc<CompiledFlow>>,
        customer_ids: &[&str],
    ) -> Result<Engagements, DatabaseError> {
        match flows.values().any(|flow| flow.learns_relevance()) {
            true => self.store.responses_of(tenant, customer_ids).await,
            false => Ok(Engagements::new()),
        }
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
