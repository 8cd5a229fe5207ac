//! Builds the case of each question from all that was read for several questions together.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use formula::Moment;
use serve::Stopwatch;
use tonic::Status;

use super::ground::{self, Ground, GroundKey, no_snapshot};
use crate::{
    domain::{
        assignment::{self, BindingArm, Draw},
        case::{Case, Configuration, CustomerFacts, Detail, HeldOut},
        compile::CompiledFlow,
        creative::Surface,
        judgment::Refusal,
        metric::Metrics,
        reason::Reason,
        request::Question,
        responses::{Count, Responses},
        scalar::Fields,
        score::{Engagement, OnlineModel},
        snapshot::{Catalog, Snapshot},
        zone::zone_of,
    },
    store::{Known, OutboxRow},
};

/// The reason in `degraded` for a decision that was made with older configuration.
const SNAPSHOT_STALE: &str = "snapshot_stale";
/// The reason for one that may not know an experiment that has started.
const EXPERIMENTS_STALE: &str = "experiments_stale";

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

impl LiveCase {
    /// Notes that it was built with older configuration than there is.
    pub fn mark_stale(&mut self) {
        if !self.degraded.iter().any(|what| what == SNAPSHOT_STALE) {
            self.degraded.push(SNAPSHOT_STALE.to_owned());
        }
    }
}

/// Contacts and responses by customer and channel.
pub type Engagements = BTreeMap<String, BTreeMap<String, Count>>;

/// All that some questions need.
pub struct Gathered<'q> {
    /// Flow and snapshot by flow and channel; or why there are none.
    pub grounds: BTreeMap<GroundKey<'q>, Result<Ground, Status>>,
    /// The flows, compiled for the newest snapshot where that is quick enough.
    pub flows: BTreeMap<GroundKey<'q>, Arc<CompiledFlow>>,
    /// The customers' records; or why they could not be read.
    pub records: Result<Records, Refusal>,
    /// By index of the question.
    pub metrics: BTreeMap<usize, Metrics>,
    /// How customers responded to offers; none when no flow learns from it, or nothing is counted.
    pub responses: Option<Arc<Responses>>,
    /// How customers respond by channel; empty when no flow learns relevance from it.
    pub engagements: Engagements,
    /// Online models by flow.
    pub online: BTreeMap<String, Arc<OnlineModel>>,
    /// Undelivered outcomes and arms by customer.
    pub known: Known,
    /// Runs since experiment-svc last sent something that is in the snapshots.
    pub heard: Stopwatch,
    /// Beyond this silence an experiment may have started that the snapshots do not have.
    pub experiments_silence_max: Duration,
}

/// Customer records, and the snapshot they are read with.
pub struct Records {
    /// By index of the question; `None` for an unknown customer.
    pub by_question: Vec<Option<Arc<Fields>>>,
    /// The snapshot the records are read with.
    pub snapshot: Arc<Snapshot>,
    /// The snapshot is as new as the records.
    pub is_fresh: bool,
    /// Runs since experiment-svc last sent something that is in the snapshot.
    pub experiments_heard: Stopwatch,
}

impl Gathered<'_> {
    /// How the customer responds on the channel of the surface, where the flow learns from it.
    fn engagement(
        &self,
        flow: &CompiledFlow,
        customer_id: &str,
        surface: &Surface,
    ) -> Option<Engagement> {
        let (channel, _) = surface.channel.as_ref().filter(|_| flow.learns_relevance())?;
        let responses = self.responses.as_deref();
        let of_customer = self.engagements.get(customer_id);
        let counts = of_customer.iter().flat_map(|channels| channels.values());
        Some(Engagement {
            on_channel: of_customer.and_then(|it| it.get(channel)).copied().unwrap_or_default(),
            customer: counts.fold(Count::default(), |sum, count| sum.plus(*count)),
            channel: responses.map(|it| it.on_channel(channel)).unwrap_or_default(),
            tenant: responses.map(Responses::total).unwrap_or_default(),
        })
    }

    /// The case of one question.
    pub fn case(
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
        // A customer who is unknown, or whose record cannot be read, keeps an arm and gets none.
        let may_draw = question.is_contact && record.is_ok();
        let draw = if may_draw { Draw::Missing } else { Draw::Nothing };
        let stored = self.known.arms.get(customer_id).map(Vec::as_slice).unwrap_or_default();
        let arms = match &snapshot.experiment {
            Some(experiments) => {
                let flow = (flow.id.as_str(), flow.name.as_str());
                assignment::binding_arms(experiments, flow, stored, customer_id, (draw, now))
            }
            None => Vec::new(),
        };
        let held_out = assignment::emptying(&arms).map(|emptying| HeldOut {
            experiment_id: emptying.arm.experiment_id.clone(),
            is_universal: emptying.is_universal,
            is_answered_alike: true,
        });
        let policy = snapshot.policy.clone().unwrap_or_default();
        let no_fields = Fields::new();
        let fields = record.as_deref().unwrap_or(&no_fields);
        let (zone, timezone_source) = zone_of(&policy, question.contact_channel(), fields);
        let responses = self.responses.clone().filter(|_| flow.learns() || flow.learns_online());
        let surface = Surface::of(channel, Some(&*policy), &question.placement);
        let engagement = self.engagement(&flow, customer_id, &surface);
        let flow_id = flow.id.clone();
        let experiment_revision = snapshot.experiment.as_ref().map_or(0, |part| part.revision);
        let case = Case {
            question: question.clone(),
            configuration: Configuration {
                flow,
                policy_revision: Some(policy.revision),
                experiment_revision: Some(experiment_revision),
            },
            facts: CustomerFacts {
                surface,
                record,
                metrics,
                responses,
                engagement,
                seed: None,
                online: self.online.get(&flow_id).cloned(),
                held_out,
                timezone_source,
            },
            moment: Moment::new(now, zone),
            detail,
        };
        let pending = self.known.pending.get(customer_id).cloned().unwrap_or_default();
        // Measured after the instant of the decision was read.
        let are_experiments_stale = self.heard.elapsed() > self.experiments_silence_max;
        let degraded = [(is_stale, SNAPSHOT_STALE), (are_experiments_stale, EXPERIMENTS_STALE)];
        let degraded = degraded.into_iter().filter(|(is_so, _)| *is_so);
        let degraded = degraded.map(|(_, what)| what.to_owned()).collect();
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
