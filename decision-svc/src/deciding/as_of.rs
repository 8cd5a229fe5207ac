//! Builds a case for an instant of the past: configuration of that instant, facts of the customer's
//! latest decision before it.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use formula::Moment;
use history::AsOf;
use proffer_proto::decision::v1 as proto;
use serve::Problem;
use tonic::Status;

use super::{
    ground::no_snapshot,
    kept::{self, KeptRecord},
    kept_facts::KeptFacts,
    past::PastConfiguration,
    recorded::{customer_facts, flow_of, zone},
};
use crate::{
    domain::{
        case::{Case, Configuration, Detail},
        conclude::{Conclusion, conclude},
        creative::Surface,
        judgment::Judgment,
        plan::Plan,
        request::Question,
        score::OnlinePropensity,
        snapshot::{Catalog, Snapshot},
    },
    messages::{instant, scalar},
    neighbours::{
        Gate,
        follow::{self, Followers},
        past,
        policy::{self, Contact, Rules},
    },
};

/// The note on propensities that another flow's decision does not tell.
const UNKNOWN_RESPONSES: &str =
    "propensities are those without data: the decision, of another flow, recorded no responses";

/// A case of an instant of the past.
pub struct AsOfCase {
    /// The case.
    pub case: Case,
    /// The catalog of the instant.
    pub catalog: Arc<Catalog>,
    /// The decision whose facts it uses.
    shown: proto::DecisionRecord,
    facts: KeptFacts,
}

/// Builds such cases. Cheap to clone.
#[derive(Clone)]
pub struct AsOfCases {
    /// Configuration.
    pub past: PastConfiguration,
    /// The head of the catalog's log.
    pub followers: Followers,
    /// Judges by recorded facts.
    pub gate: Arc<Gate>,
}

impl AsOfCases {
    /// The case of a question at an instant, with the facts of a decision before it.
    pub async fn case(
        &self,
        tenant: &str,
        question: Question,
        at: DateTime<Utc>,
        latest: KeptRecord,
    ) -> Result<AsOfCase, Status> {
        let KeptRecord { shown, facts, .. } = latest;
        let (shown, facts) = (shown.unwrap_or_default(), facts.unwrap_or_default());
        let snapshot = self.snapshot(tenant).await?;
        let head = snapshot.catalog.as_ref().map_or(0, |catalog| catalog.revision);
        let moment = past::Moment::Time(at.timestamp_micros());
        let catalog = self.past.catalog(tenant, moment, head).await?;
        let whole = self.past.flow(tenant, &question.flow, AsOf::Time(at)).await?;
        let whole = whole.ok_or_else(|| Problem::not_found("decision_flow", &question.flow))?;
        whole.require_active()?;
        let head = snapshot.experiment.as_ref().map_or(0, |experiments| experiments.revision);
        let effects = self.past.effects(tenant, &whole.resource.id, (moment, head)).await?;
        let flow = self.past.compiled(tenant, &whole, (&catalog, &effects)).await?;
        let mut known = customer_facts(&shown, &facts, &question.placement);
        if let Some(kept) = facts.responses.as_ref().filter(|_| flow.learns()) {
            let decided = flow_of(&self.past, tenant, (&shown.flow_id, &facts)).await?;
            known.responses = Some(Arc::new(kept.responses(&decided)));
        }
        if flow.id == shown.flow_id && flow.flow.learning.online_propensity != OnlinePropensity::Off
        {
            known.online = self.past.online(tenant, &flow.id, facts.online_version).await?;
        }
        if question.channel != shown.channel {
            let (channel, placement) = (&question.channel, &question.placement);
            known.surface = Surface::of(channel, snapshot.policy.as_deref(), placement);
            // What the customer did on that channel was not recorded.
            known.engagement = None;
        }
        if flow.id != shown.flow_id {
            // What stopped that decision, and the holdout of its flow, were its own.
            known.record = Ok(Arc::new(scalar::fields(&shown.customer_fields)));
            known.held_out = known.held_out.filter(|held_out| held_out.is_universal);
        }
        let case = Case {
            question: Arc::new(question),
            configuration: Configuration { flow, policy_revision: None, experiment_revision: None },
            facts: known,
            moment: Moment::new(at, zone(&shown)),
            detail: Detail::Everything,
        };
        Ok(AsOfCase { case, catalog, shown, facts })
    }

    async fn snapshot(&self, tenant: &str) -> Result<Arc<Snapshot>, Status> {
        let (mut follower, wait) = (self.followers.of(tenant), follow::SNAPSHOT_WAIT_MAX);
        let (snapshot, is_complete) =
            follow::wait_for(&mut follower, wait, Snapshot::is_complete).await;
        if is_complete { Ok(snapshot) } else { Err(no_snapshot()) }
    }

    /// Concludes the case; with notes on the facts. Contact policies of the instant judge by the
    /// recorded facts.
    pub async fn conclude(
        &self,
        tenant: &str,
        as_of: &AsOfCase,
    ) -> Result<(Conclusion, Vec<String>), Status> {
        let case = &as_of.case;
        let plan = self.past.planner.plan(case).await;
        let judgment = self.judgment(tenant, as_of, &plan).await?;
        let notes = as_of.notes(&plan, judgment.as_ref());
        Ok((conclude(case, plan, judgment), notes))
    }

    async fn judgment(
        &self,
        tenant: &str,
        as_of: &AsOfCase,
        plan: &Plan,
    ) -> Result<Option<Judgment>, Status> {
        let kept = as_of.contact_facts().filter(|_| !plan.ranked.is_empty());
        let Some((facts, _)) = kept else { return Ok(None) };
        let contact = Contact::of(&as_of.case, &[]);
        let by = (Rules::At(as_of.case.moment.now), None);
        policy::evaluate(&*self.gate, tenant, contact, &plan.ranked, facts, by).await.map(Some)
    }
}

impl AsOfCase {
    /// Id of the decision whose facts are used, and the fields and metrics (`metrics.x`) that it
    /// read.
    pub fn based_on(&self) -> (String, BTreeSet<String>) {
        let metrics = self.case.facts.metrics.keys().chain(&self.facts.metrics_missing);
        let mut known: BTreeSet<String> = self.case.record().keys().cloned().collect();
        known.extend(self.facts.fields_missing.iter().cloned());
        known.extend(metrics.map(|key| format!("metrics.{key}")));
        (self.shown.decision_id.clone(), known)
    }

    /// The facts policy-svc judged the decision by, and its revision. Consent and zone were read
    /// for the channel of that decision only.
    fn contact_facts(&self) -> Option<(&[u8], i64)> {
        let channel = kept::contact_channel(&self.shown);
        let is_its_channel = self.case.question.contact_channel() == channel;
        let kept = self.facts.judgment.as_ref().filter(|_| is_its_channel)?;
        Some((kept.facts.as_deref()?, kept.revision))
    }

    fn notes(&self, plan: &Plan, judgment: Option<&Judgment>) -> Vec<String> {
        let decided = self.shown.decided_at.as_ref().and_then(|at| instant(at).ok());
        let (id, decided) = (&self.shown.decision_id, decided.unwrap_or(self.case.moment.now));
        let mut notes = vec![format!("facts are those of decision {id}, made at {decided}")];
        let channel = self.case.question.contact_channel();
        let flow = &self.case.configuration.flow;
        if flow.learns() && flow.id != self.shown.flow_id && self.facts.responses.is_none() {
            notes.push(UNKNOWN_RESPONSES.to_owned());
        }
        if judgment.is_none() && !plan.ranked.is_empty() {
            notes.push(format!(
                "contact policies are not evaluated: \
                 the decision recorded no facts about contacts on channel `{channel}`"
            ));
        }
        let kept = self.contact_facts().map(|(_, revision)| revision);
        if let (Some(judged), Some(kept)) = (judgment.map(|it| it.revision), kept)
            && judged != kept
        {
            notes.push(format!(
                "contacts and outcomes were recorded as far back as policy:{kept} reads; \
                 policy:{judged} may read further back"
            ));
        }
        notes
    }
}
