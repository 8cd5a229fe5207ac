//! The stored form of a decision: the record that is shown, and what later calls about the decision
//! need.

use proffer_proto::{decision::v1 as proto, experiment::v1::Arm, policy::v1::OfferSubject};
use prost::Message as _;
use serve::Problem;
use tonic::Status;

use super::{
    ENGINE,
    kept_facts::{KeptFacts, metrics_read},
    kept_online::KeptInput,
};
use crate::{
    domain::{
        assignment::{self, BindingArm, emptying},
        case::Case,
        conclude::{Conclusion, Offered},
        feature,
        outcome::DecidedOffer,
        score::OnlinePropensity,
        snapshot::Catalog,
    },
    messages::{answer, reason_code, scalar::fields_into_proto},
    store::{DecisionName, Store},
};

/// A decision as it is stored.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptRecord {
    /// What is shown.
    #[prost(message, optional, tag = "1")]
    pub shown: Option<proto::DecisionRecord>,
    /// The offers with their categories.
    #[prost(message, repeated, tag = "2")]
    pub offers: Vec<KeptOffer>,
    /// The facts it was made by.
    #[prost(message, optional, tag = "3")]
    pub facts: Option<KeptFacts>,
    /// What the online model learns of contacts with the offers; absent where it learns nothing.
    #[prost(message, optional, tag = "4")]
    pub online: Option<KeptInput>,
}

/// Whether the customer was to be contacted.
pub fn is_contact(shown: &proto::DecisionRecord) -> bool {
    shown.request.as_ref().and_then(|request| request.contact).unwrap_or(true)
}

/// The channel of the contact; empty for a decision without a contact.
pub fn contact_channel(shown: &proto::DecisionRecord) -> &str {
    if is_contact(shown) { &shown.channel } else { "" }
}

fn decision_arm(it: &BindingArm) -> proto::DecisionArm {
    let arm = if it.arm.is_holdout { Arm::Holdout } else { Arm::Treatment };
    let holdout = it.holdout_basis_points.and_then(|points| i32::try_from(points).ok());
    proto::DecisionArm {
        experiment_id: it.arm.experiment_id.clone(),
        arm: arm.into(),
        epoch: it.arm.epoch,
        holdout_basis_points: holdout,
    }
}

/// An offer as it was decided.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptOffer {
    /// Its rank, from 1.
    #[prost(int32, tag = "1")]
    pub rank: i32,
    /// What it is about.
    #[prost(message, optional, tag = "2")]
    pub subject: Option<OfferSubject>,
}

impl KeptRecord {
    /// The record of a concluded case, decided under these arms.
    pub fn of(
        case: &Case,
        conclusion: &Conclusion,
        request: proto::RecommendRequest,
        shown: proto::Decision,
        arms: &[BindingArm],
    ) -> Self {
        let (fields, facts) =
            KeptFacts::of(case, conclusion.judgment.as_ref(), &conclusion.plan.learned);
        let arm_name =
            |arm: &assignment::Arm| if arm.is_holdout { "holdout" } else { "treatment" }.to_owned();
        let held_out = case.facts.held_out.as_ref();
        // The one arm that earlier versions of clients know: what emptied the answer, else the
        // flow's own.
        let emptying = emptying(arms).or_else(|| arms.iter().find(|it| !it.is_universal));
        let arm = emptying.or_else(|| arms.first()).map(|it| &it.arm);
        let answer = &conclusion.answer;
        let ghost_reason = answer.ghost_refusal.as_ref();
        let ghost_code = ghost_reason.map(|refusal| reason_code::into_proto(refusal.reason_code));
        let offer = |offered: &Offered| KeptOffer {
            rank: offered.rank,
            subject: Some((&offered.ranked.subject).into()),
        };
        let offers = answer.offers.iter().map(offer).collect();
        let shown = proto::DecisionRecord {
            decision_id: shown.decision_id.clone().unwrap_or_default(),
            customer_id: case.question.customer_id.clone(),
            channel: case.question.channel.clone(),
            flow_id: case.configuration.flow.id.clone(),
            decided_at: Some(history::timestamp(case.moment.now)),
            request: Some(request),
            answer: Some(shown),
            customer_fields: fields_into_proto(&fields),
            arm: arm.map(arm_name).unwrap_or_default(),
            experiment_id: arm.map(|arm| arm.experiment_id.clone()).unwrap_or_default(),
            ghost_offers: answer.ghost_offers(),
            metrics: metrics_read(case),
            engine: ENGINE.to_owned(),
            arms: arms.iter().map(decision_arm).collect(),
            emptied_by: held_out.map(|it| it.experiment_id.clone()).unwrap_or_default(),
            ghost_reason: ghost_reason.map(|refusal| refusal.reason.clone()).unwrap_or_default(),
            ghost_reason_code: ghost_code.unwrap_or_default().into(),
            shadow_effects: answer::shadow_effects(case),
            explore_probability: conclusion.answer.explore_probability,
        };
        Self { shown: Some(shown), offers, facts: Some(facts), online: None }
    }

    /// The same with what the online model learns of contacts, where the flow learns one and
    /// contacts may come of the decision. `catalog` is the newest.
    #[must_use]
    pub fn with_online(self, case: &Case, conclusion: &Conclusion, catalog: &Catalog) -> Self {
        let offers = &conclusion.answer.offers;
        let online = case.configuration.flow.flow.learning.online_propensity;
        if online == OnlinePropensity::Off || offers.is_empty() || !self.may_contact() {
            return self;
        }
        let estimate = |offered: &Offered| (offered.rank, offered.ranked.online);
        let input = feature::online_input(case, catalog);
        let online = Some(KeptInput::of(&input, offers.iter().map(estimate)));
        Self { online, ..self }
    }

    /// The stored bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// The record from its stored bytes.
    pub fn read(bytes: &[u8]) -> Self {
        // INVARIANT: written by `bytes` above.
        Self::decode(bytes).unwrap_or_default()
    }

    /// The record of a decision; NOT_FOUND when there is none, or none any more.
    pub async fn find(store: &Store, tenant: &str, name: DecisionName<'_>) -> Result<Self, Status> {
        let found = store.decision(tenant, name).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        match found {
            Some(row) => Ok(Self::read(&row.record)),
            None => {
                let kept_since = store.kept_since(tenant).await;
                let kept_since = kept_since.map_err(|error| serve::store_status(&error))?;
                Err(missing(name.decision_id, kept_since).into())
            }
        }
    }

    /// Whether a contact may come of the decision: somebody was to be contacted and is not held
    /// out.
    pub fn may_contact(&self) -> bool {
        let shown = self.shown.as_ref();
        let is_held_out =
            shown.and_then(|shown| shown.answer.as_ref()).is_some_and(|it| it.control_group);
        shown.is_some_and(is_contact) && !is_held_out
    }

    /// The experiments that held the customer out. Records of earlier versions name one.
    pub fn held_out_of(&self) -> Vec<String> {
        let Some(shown) = &self.shown else { return Vec::new() };
        let held_out = shown.arms.iter().filter(|it| it.arm() == Arm::Holdout);
        let mut held_out: Vec<_> = held_out.map(|it| it.experiment_id.clone()).collect();
        let named = self.facts.as_ref().map(|facts| &facts.held_out_of);
        if held_out.is_empty() {
            held_out.extend(named.filter(|id| !id.is_empty()).cloned());
        }
        held_out
    }

    /// The offers, for reports about them.
    pub fn decided_offers(&self) -> Vec<DecidedOffer> {
        let offer = |kept: &KeptOffer| DecidedOffer {
            rank: kept.rank,
            subject: kept.subject.clone().unwrap_or_default().into(),
        };
        self.offers.iter().map(offer).collect()
    }
}

/// Why there is no such decision: it never was, or it was made before `kept_since`, in microseconds
/// since 1970, and deleted with all others from before.
pub fn missing(decision_id: &str, kept_since: Option<i64>) -> Problem {
    let problem = Problem::not_found("decision", decision_id);
    match kept_since {
        Some(since) if made_us(decision_id).is_some_and(|made| made < since) => {
            past_retention(problem, since)
        }
        _ => problem,
    }
}

/// Says that what was not found was deleted with all decisions from before `since`.
pub fn past_retention(problem: Problem, since: i64) -> Problem {
    let since = serve::from_micros(since).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let hint = format!(": it is past retention, decisions from before {since} were deleted");
    problem.hint(&hint).with("kept_since", since)
}

/// When a decision of this id was made, in microseconds since 1970: its id says so to the
/// millisecond.
fn made_us(decision_id: &str) -> Option<i64> {
    let id = uuid::Uuid::try_parse(decision_id.strip_prefix("dec_")?).ok()?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    Some(i64::try_from(seconds).ok()? * 1_000_000 + i64::from(nanos) / 1_000)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::deciding::new_id;

    #[test]
    fn a_decision_that_was_deleted_is_told_from_one_that_never_was() {
        let made: DateTime<Utc> = "2026-03-01T10:00:00.123456Z".parse().unwrap();
        let id = new_id("dec", made);
        let message = |id: &str, since: Option<i64>| {
            let status = Status::from(missing(id, since));
            assert_eq!(status.code(), tonic::Code::NotFound);
            status.message().to_owned()
        };
        let never = format!("decision `{id}` not found");
        assert_eq!(message(&id, None), never);
        assert_eq!(message(&id, Some(made.timestamp_micros() - 1_000)), never);
        let gone = message(&id, Some(made.timestamp_micros() + 1_000_000));
        assert_eq!(
            gone,
            format!(
                "{never}: it is past retention, decisions from before 2026-03-01T10:00:01Z were \
                 deleted"
            )
        );
        for other in ["dec_1", "x", "", "dec_ffffffffffffffffffffffffffffffff"] {
            assert!(message(other, Some(i64::MAX)).ends_with("not found"), "{other}");
        }
    }
}
