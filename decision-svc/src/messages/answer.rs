//! Prints the answer to a case as the message that is returned and stored.

use std::sync::Arc;

use proffer_proto::decision::v1 as proto;

use super::{
    reason_code,
    scalar::fields_into_proto,
    trace::{self, factors, policy_verdicts},
};
use crate::domain::{
    case::Case,
    conclude::{Conclusion, Offered},
    creative::ReadyCreative,
    effect::EffectModel,
    plan::Ranked,
    score::{OnlineEstimate, Segment, Uplift, segment_of},
    scratch::Workspace,
};

/// What an answer says beside the case and its conclusion.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// The decision that holds the slots; `None` on a dry run.
    pub decision_id: Option<String>,
    /// What was not as it should be, for example `snapshot_stale`.
    pub degraded: Vec<String>,
    /// The configuration used, as `catalog:17`.
    pub snapshot: Vec<String>,
    /// Time since the request arrived.
    pub latency_ms: f64,
}

/// The answer.
pub fn decision(case: &Case, conclusion: &Conclusion, about: Circumstances) -> proto::Decision {
    let answer = &conclusion.answer;
    let refusal = answer.refusal.as_ref();
    let reason_code = refusal.map(|refusal| reason_code::into_proto(refusal.reason_code));
    proto::Decision {
        decisions: answer.offers.iter().map(|offered| offer_decision(case, offered)).collect(),
        reason: refusal.map(|refusal| refusal.reason.clone()).unwrap_or_default(),
        reason_code: reason_code.unwrap_or_default().into(),
        deliver_after: answer.deliver_after.clone(),
        decision_id: about.decision_id,
        latency_ms: about.latency_ms,
        control_group: case.facts.held_out.is_some(),
        reserved_until: answer.reserved_until.map(history::timestamp),
        dry_run: case.question.is_dry_run,
        degraded: about.degraded,
        snapshot: about.snapshot,
        trace: Some(trace::trace(case, conclusion)),
        next_allowed_at: answer.next_allowed_at.map(history::timestamp),
    }
}

fn offer_decision(case: &Case, offered: &Offered) -> proto::OfferDecision {
    let ranked = &offered.ranked;
    let mandate = ranked.mandate.as_ref().filter(|_| ranked.is_mandatory);
    let computed = fields_into_proto(&ranked.computed);
    proto::OfferDecision {
        offer_id: ranked.offer_id.clone(),
        name: ranked.name.clone(),
        score: ranked.score,
        rank: offered.rank,
        trace: Some(proto::OfferTrace {
            qualified: !ranked.is_mandatory,
            computed_fields: computed.clone(),
            contact_policy: offered.contact_policy.clone(),
            uplift_segment: segment(segment_of(ranked.uplift.as_ref())).into(),
            cate: ranked.uplift.map(|uplift| uplift.effect),
            factors: Some(factors(&ranked.factors)),
            propensity_source: ranked.propensity_source.to_string(),
            policies: policy_verdicts(&offered.policies),
            mandatory: mandate.map(|mandate| mandate.reason.clone()).unwrap_or_default(),
            effect_model: effect_model(ranked),
            relevance_source: relevance_source(case),
            online: ranked.online.as_ref().map(online),
        }),
        personalization: computed,
        creative: ranked.creative.as_deref().map(creative),
    }
}

fn online(found: &OnlineEstimate) -> proto::OnlineEstimate {
    let (version, propensity) = found.found.unzip();
    proto::OnlineEstimate {
        version: version.and_then(|it| i64::try_from(it).ok()).unwrap_or_default(),
        propensity,
        shrinkage: found.shrunk,
        used: found.is_used,
    }
}

/// Where a learned relevance comes from; empty where it is not learned.
fn relevance_source(case: &Case) -> String {
    let learns = case.configuration.flow.learns_relevance();
    let engagement = case.facts.engagement.as_ref().filter(|_| learns);
    engagement.map(ToString::to_string).unwrap_or_default()
}

fn effect_model(ranked: &Ranked) -> Option<proto::UsedEffectModel> {
    let (model, found) = (ranked.effect_model.as_ref()?, ranked.uplift?);
    Some(proto::UsedEffectModel {
        id: model.id.clone(),
        version: model.version,
        ci95: vec![found.interval.0, found.interval.1],
        baseline: found.baseline,
    })
}

/// What models in the shadow say of the customer of a case.
pub fn shadow_effects(case: &Case) -> Vec<proto::ShadowEffect> {
    let flow = &case.configuration.flow;
    // What one about money says is no change of a probability.
    let is_shown = |model: &EffectModel| model.is_shadow && !model.model.in_money;
    if case.obstacle().is_some() || !flow.effects.models.iter().any(|model| is_shown(model)) {
        return Vec::new();
    }
    let customer_id = &case.question.customer_id;
    let found = flow.uplifts(customer_id, &case.inputs(), &mut Workspace::default());
    let shadow = flow.effects.models.iter().zip(found).filter(|(model, _)| is_shown(model));
    let effect = |(model, found): (&Arc<EffectModel>, Option<Uplift>)| {
        let found = found?;
        Some(proto::ShadowEffect {
            id: model.id.clone(),
            version: model.version,
            category_id: model.category_id.clone(),
            cate: found.effect,
            uplift_segment: segment(found.segment).into(),
        })
    };
    shadow.filter_map(effect).collect()
}

fn segment(segment: Segment) -> proto::UpliftSegment {
    match segment {
        Segment::Persuadable => proto::UpliftSegment::Persuadable,
        Segment::SureThing => proto::UpliftSegment::SureThing,
        Segment::LostCause => proto::UpliftSegment::LostCause,
        Segment::SleepingDog => proto::UpliftSegment::SleepingDog,
        Segment::Uncertain => proto::UpliftSegment::Uncertain,
    }
}

fn creative(found: &ReadyCreative) -> proto::OfferCreative {
    proto::OfferCreative {
        creative_id: found.id.clone(),
        name: found.name.clone(),
        placement: found.placement_named.clone(),
        content: fields_into_proto(&found.content),
    }
}
