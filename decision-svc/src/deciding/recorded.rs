//! Builds the case of a recorded decision, from the configuration and the facts of the time, and
//! concludes it again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use formula::Moment;
use history::AsOf;
use proffer_proto::decision::v1 as proto;
use tonic::Status;

use super::{
    kept::KeptRecord,
    kept_facts::{KeptFacts, KeptJudgment},
    kept_responses::KeptEngagement,
    past::PastConfiguration,
};
use crate::{
    domain::{
        case::{Case, Configuration, CustomerFacts, Detail},
        compile::CompiledFlow,
        conclude::{Conclusion, conclude},
        judgment::Judgment,
    },
    messages::{instant, question, scalar},
    neighbours::{
        Gate, past,
        policy::{self, Contact, Rules},
    },
    store::{DecisionName, Store},
};

/// A recorded decision as a case.
pub struct RecordedCase {
    /// The case.
    pub case: Case,
    /// The record as it is shown.
    pub shown: proto::DecisionRecord,
    judgment: Option<KeptJudgment>,
}

/// Builds recorded cases. Cheap to clone.
#[derive(Clone)]
pub struct RecordedCases {
    /// Records.
    pub store: Store,
    /// Configuration.
    pub past: PastConfiguration,
    /// Judges by recorded facts.
    pub gate: Arc<Gate>,
}

impl RecordedCases {
    /// The case of a decision.
    pub async fn case(
        &self,
        tenant: &str,
        name: DecisionName<'_>,
        detail: Detail,
    ) -> Result<RecordedCase, Status> {
        let KeptRecord { shown, facts, .. } = KeptRecord::find(&self.store, tenant, name).await?;
        let (shown, facts) = (shown.unwrap_or_default(), facts.unwrap_or_default());
        let flow = flow_of(&self.past, tenant, (&shown.flow_id, &facts)).await?;
        let configuration =
            Configuration { flow, policy_revision: None, experiment_revision: None };
        let (question, _) = question::read(&shown.request.clone().unwrap_or_default());
        let mut facts_of_case = customer_facts(&shown, &facts, &question.placement);
        facts_of_case.responses =
            facts.responses.as_ref().map(|kept| Arc::new(kept.responses(&configuration.flow)));
        let version = facts.online_version;
        facts_of_case.online = self.past.online(tenant, &shown.flow_id, version).await?;
        let case = Case {
            question: Arc::new(question),
            configuration,
            facts: facts_of_case,
            moment: Moment::new(decided_at(&shown), zone(&shown)),
            detail,
        };
        Ok(RecordedCase { case, shown, judgment: facts.judgment })
    }

    /// Concludes the case again: contact policies of the recorded revision judge by the recorded
    /// facts.
    pub async fn conclude(
        &self,
        tenant: &str,
        recorded: &RecordedCase,
    ) -> Result<Conclusion, Status> {
        let case = &recorded.case;
        let plan = self.past.planner.plan(case).await;
        let Some(kept) = &recorded.judgment else { return Ok(conclude(case, plan, None)) };
        let judgment = match (&kept.facts, &kept.judgment) {
            (Some(facts), _) => {
                let slots = kept.is_limited().then_some(case.question.limit);
                let by = (Rules::Revision(kept.revision), slots);
                let contact = Contact::of(case, &[]);
                policy::evaluate(&*self.gate, tenant, contact, &plan.ranked, facts, by).await?
            }
            (None, Some(judgment)) => {
                policy::decoded(judgment).map_err(|error| serve::internal(&error))?
            }
            (None, None) => Judgment::default(),
        };
        // The grant is a fact.
        let judgment = Judgment { grants: kept.grants(), ..judgment };
        Ok(conclude(case, plan, Some(judgment)))
    }
}

/// The flow of a decision, compiled for the configuration of the time.
pub async fn flow_of(
    past: &PastConfiguration,
    tenant: &str,
    (flow_id, facts): (&str, &KeptFacts),
) -> Result<Arc<CompiledFlow>, Status> {
    let moment = past::Moment::Revision(facts.catalog_revision);
    let catalog = past.catalog(tenant, moment, facts.catalog_revision).await?;
    let whole = past.flow(tenant, flow_id, AsOf::Revision(facts.flow_revision)).await?;
    let whole =
        whole.ok_or_else(|| serve::internal(&format!("flow {flow_id} has no such revision")))?;
    let revision = facts.effects_revision;
    let moment = (past::Moment::Revision(revision), revision);
    let effects = past.effects(tenant, flow_id, moment).await?;
    past.compiled(tenant, &whole, (&catalog, &effects)).await
}

/// The facts of a record about its customer, without those about responses, for an offer in
/// `placement`.
pub fn customer_facts(
    shown: &proto::DecisionRecord,
    facts: &KeptFacts,
    placement: &str,
) -> CustomerFacts {
    let trace = shown.answer.as_ref().and_then(|answer| answer.trace.as_ref());
    CustomerFacts {
        record: match facts.obstacle() {
            Some(obstacle) => Err(obstacle),
            None => Ok(Arc::new(scalar::fields(&shown.customer_fields))),
        },
        metrics: shown.metrics.clone(),
        responses: None,
        engagement: facts.engagement.as_ref().map(KeptEngagement::engagement),
        seed: facts.seed,
        online: None,
        surface: facts.surface(placement),
        held_out: facts.held_out(),
        timezone_source: trace.map(|trace| trace.timezone_source.clone()).unwrap_or_default(),
    }
}

/// The zone of a recorded decision. It is a fact: the field it was read from may mean something
/// else by now.
pub fn zone(shown: &proto::DecisionRecord) -> Tz {
    let trace = shown.answer.as_ref().and_then(|answer| answer.trace.as_ref());
    trace.and_then(|trace| trace.timezone.parse().ok()).unwrap_or(Tz::UTC)
}

fn decided_at(shown: &proto::DecisionRecord) -> DateTime<Utc> {
    let at = shown.decided_at.as_ref().and_then(|at| instant(at).ok());
    at.unwrap_or(DateTime::<Utc>::UNIX_EPOCH)
}
