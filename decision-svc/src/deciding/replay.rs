//! A recorded decision made again, by the configuration and the facts of then.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use formula::Moment;
use history::AsOf;
use proffer_proto::{decision::v1 as proto, difference};
use serve::Problem;
use tonic::Status;

use super::{
    Context,
    answer::{About, answer},
    decision::parse,
    explain::everything,
    facts::{KeptFacts, KeptJudgement, KeptRefusal},
    flow_parts::WholeFlow,
    outcome_of::outcome_of,
    recommend::{ENGINE, wanted},
    record::KeptRecord,
};
use crate::{
    compiled_flows::Source,
    domain::{
        compile::{CompiledFlow, Facts},
        creative::Surface,
        decide::Answer,
        judgement::Judgement,
        metric::Metrics,
        plan::{self, Plan, Wanted},
        request::Question,
        scalar::Fields,
        snapshot::Catalog,
    },
    neighbours::{
        past,
        policy::{self, Rules},
        scalar,
    },
};

/// Differences told at most.
pub const DIFFERENCES_MAX: usize = 100;

/// A decision of the past, ready to be made again.
pub struct Past {
    /// The record as it is shown.
    pub shown: proto::DecisionRecord,
    /// The question.
    pub question: Question,
    /// The flow of then, for the catalogue of then.
    pub flow: Arc<CompiledFlow>,
    /// The fields that were read.
    pub record: Fields,
    /// The metrics that were read.
    pub metrics: Metrics,
    /// Where the offer stood.
    pub surface: Surface,
    /// The instant and the zone.
    pub moment: Moment,
    facts: KeptFacts,
}

/// A decision made again.
pub struct Again {
    /// The plan, as it tells what was wanted.
    pub plan: Plan,
    /// The answer.
    pub answer: Answer,
    /// The answer as it is shown.
    pub shown: proto::Decision,
}

impl Context {
    /// A recorded decision with the configuration it was made by.
    pub async fn past(&self, tenant: &str, decision_id: &str) -> Result<Past, Status> {
        let KeptRecord { shown, facts, .. } = self.kept(tenant, decision_id).await?;
        let shown = shown.unwrap_or_default();
        let Some(facts) = facts else {
            let message =
                format!("decision `{decision_id}` was recorded by a version that kept no facts");
            return Err(Problem::wrong_state(decision_id, "without facts", message).into());
        };
        let question = parse(&shown.request.clone().unwrap_or_default())?;
        let at = AsOf::Revision(facts.flow_revision);
        let resource = self.flows.get_as_of(tenant, &shown.flow_id, at).await?;
        let resource = resource.ok_or_else(|| {
            serve::internal(&format!("flow {} has no such revision", shown.flow_id))
        })?;
        let moment = past::Moment::Revision(facts.catalog_revision);
        let catalog =
            self.past.at(&*self.neighbours.catalog, tenant, moment, facts.catalog_revision).await?;
        let flow = self.whole_flow_then(tenant, resource, at).await?;
        let flow = self.flow_then(tenant, flow, &catalog).await?;
        let now = shown.decided_at.as_ref().map_or(DateTime::<Utc>::UNIX_EPOCH, |at| {
            super::instant(at).unwrap_or(DateTime::<Utc>::UNIX_EPOCH)
        });
        let (record, moment) =
            (scalar::fields(&shown.customer_fields), Moment::new(now, zone_then(&shown)));
        let (metrics, surface) = (shown.metrics.clone(), facts.surface(&question.placement));
        Ok(Past { shown, question, flow, record, metrics, surface, moment, facts })
    }

    /// A flow of the past made ready for a catalogue of the past.
    pub(super) async fn flow_then(
        &self,
        tenant: &str,
        WholeFlow { resource, flow, revision }: WholeFlow,
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<CompiledFlow>, Status> {
        let source = Source { tenant, id: &resource.id, name: &resource.name, revision };
        self.compiled_past.of(source, flow, catalog).await.map_err(|error| serve::internal(&error))
    }

    /// Makes it again; `wanted` says how much of the plan is told.
    pub async fn again(
        &self,
        tenant: &str,
        past: &Past,
        wanted: &Wanted<'_>,
    ) -> Result<Again, Status> {
        let facts = past.facts.clone();
        let plan = match facts.obstacle {
            None => plan::plan(&past.flow, &past.read(), wanted),
            Some(_) => Plan::default(),
        };
        let judgement = match &facts.judgement {
            Some(kept) => Some(self.judged_again(tenant, past, &plan, kept).await?),
            None => None,
        };
        let before = past.shown.answer.clone().unwrap_or_default();
        let trace = before.trace.unwrap_or_default();
        let about = About {
            obstacle: facts.obstacle.as_ref().map(KeptRefusal::refusal),
            held_out_of: Some(facts.held_out_of).filter(|name| !name.is_empty()),
            timezone: trace.timezone,
            timezone_source: trace.timezone_source,
            decision_id: before.decision_id,
            degraded: before.degraded,
            snapshot: before.snapshot,
            latency_ms: before.latency_ms,
        };
        let (answer, shown) = answer(&past.question, &plan, judgement.as_ref(), about);
        Ok(Again { plan, answer, shown })
    }

    async fn judged_again(
        &self,
        tenant: &str,
        past: &Past,
        plan: &Plan,
        kept: &KeptJudgement,
    ) -> Result<Judgement, Status> {
        let judgement = match (&kept.facts, &kept.judgement) {
            (Some(facts), _) => {
                let question = past.contact_question();
                let slots = kept.is_reserving.then_some(past.question.limit);
                let by = (Rules::Revision(kept.revision), slots);
                policy::evaluate(&*self.neighbours.gate, tenant, question, &plan.ranked, facts, by)
                    .await?
            }
            (None, Some(judgement)) => {
                policy::decoded(judgement).map_err(|error| serve::internal(&error))?
            }
            (None, None) => Judgement::default(),
        };
        // The grant is a fact.
        Ok(Judgement { grants: kept.grants(), ..judgement })
    }

    /// A page of what became of the candidates, after `after` by offer id.
    pub async fn candidates(
        &self,
        tenant: &str,
        decision_id: &str,
        size: usize,
        after: &str,
    ) -> Result<proto::ListCandidatesResponse, Status> {
        let past = self.past(tenant, decision_id).await?;
        let mut again = self.again(tenant, &past, &everything(&past.question)).await?;
        let mut rest = past
            .flow
            .offers
            .iter()
            .map(|offer| &offer.candidate)
            .filter(|it| it.offer_id.as_str() > after);
        let page: Vec<_> = rest.by_ref().take(size).collect();
        let next_page_token = match page.last() {
            Some(last) if rest.next().is_some() => history::token(&last.offer_id),
            _ => String::new(),
        };
        let of_page: HashSet<&str> = page.iter().map(|it| it.offer_id.as_str()).collect();
        again.plan.ranked.retain(|it| of_page.contains(it.offer_id.as_str()));
        again.plan.refused.retain(|it| of_page.contains(it.offer_id.as_str()));
        again.answer.refused.retain(|it| of_page.contains(it.offer_id.as_str()));
        let candidates =
            page.into_iter().map(|it| outcome_of(it, &again.plan, &again.answer)).collect();
        Ok(proto::ListCandidatesResponse { candidates, next_page_token })
    }

    /// Makes a decision again and compares.
    pub async fn replay(
        &self,
        tenant: &str,
        decision_id: &str,
    ) -> Result<proto::ReplayResponse, Status> {
        let past = self.past(tenant, decision_id).await?;
        let again = self.again(tenant, &past, &wanted(&past.question)).await?;
        let was = past.shown.answer.clone().unwrap_or_default();
        let mut found = difference::differences(&was, &again.shown, DIFFERENCES_MAX);
        let ghosts = difference::differences(
            &proto::DecisionRecord {
                ghost_offers: past.shown.ghost_offers.clone(),
                ..Default::default()
            },
            &proto::DecisionRecord {
                ghost_offers: again.answer.ghost_offers.clone(),
                ..Default::default()
            },
            DIFFERENCES_MAX - found.len().min(DIFFERENCES_MAX),
        );
        found.extend(ghosts);
        Ok(proto::ReplayResponse {
            identical: found.is_empty(),
            differences: found.into_iter().map(told).collect(),
            engine: ENGINE.to_owned(),
            recorded_engine: past.shown.engine.clone(),
        })
    }
}

/// The zone of a recorded decision. It is a fact: where it was read may have changed its meaning
/// since.
pub(super) fn zone_then(shown: &proto::DecisionRecord) -> Tz {
    let trace = shown.answer.as_ref().and_then(|answer| answer.trace.as_ref());
    trace.and_then(|trace| trace.timezone.parse().ok()).unwrap_or(Tz::UTC)
}

impl Past {
    /// What the plan was made of.
    fn read(&self) -> Facts<'_> {
        let Self { record, metrics, surface, moment, .. } = self;
        Facts { record, attributes: &self.question.attributes, metrics, surface, moment }
    }

    /// What policy is asked about it.
    fn contact_question(&self) -> policy::Question<'_> {
        policy::Question {
            customer_id: &self.question.customer_id,
            channel: &self.question.channel,
            now: self.moment.now,
            record: &self.record,
            pending: &[],
            as_of: None,
        }
    }
}

fn told(found: difference::Difference) -> proto::Difference {
    proto::Difference { path: found.path, was: found.was, now: found.now }
}
