//! The stored form of a decision's facts, from which the decision can be replayed.

use std::collections::BTreeSet;

use wire::name::is_named;

use super::kept_responses::{KeptEngagement, KeptResponses};
use crate::domain::{
    case::{Case, HeldOut},
    compile::CompiledFlow,
    creative::Surface,
    judgment::{Basis, Grant, Judgment, Refusal},
    metric::Metrics,
    reason::Reason,
    scalar::Fields,
};

/// The facts that no log holds. The question, the record's fields that were read and the zone are
/// in the record that is shown.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptFacts {
    /// Revision of the catalog.
    #[prost(int64, tag = "1")]
    pub catalog_revision: i64,
    /// Revision of the flow.
    #[prost(int64, tag = "2")]
    pub flow_revision: i64,
    /// Why nothing could be planned.
    #[prost(message, optional, tag = "3")]
    pub obstacle: Option<KeptRefusal>,
    /// Fields that were read and not in the record; those that were in it are shown.
    #[prost(string, repeated, tag = "4")]
    pub fields_missing: Vec<String>,
    /// The experiment that held the customer out; empty without.
    #[prost(string, tag = "5")]
    pub held_out_of: String,
    /// What policy-svc judged; absent when it was not asked or did not answer.
    #[prost(message, optional, tag = "6")]
    pub judgment: Option<KeptJudgment>,
    /// Id of the channel, as creatives may name it; the raw reference when there was no such
    /// channel.
    #[prost(string, tag = "7")]
    pub channel_id: String,
    /// Its name.
    #[prost(string, tag = "8")]
    pub channel_name: String,
    /// Metrics that were read and had no value; those that had one are shown.
    #[prost(string, repeated, tag = "9")]
    pub metrics_missing: Vec<String>,
    /// A held-out customer was answered like a treated one; false in records of earlier versions.
    #[prost(bool, tag = "10")]
    pub is_answered_alike: bool,
    /// The experiment that held the customer out is about every flow.
    #[prost(bool, tag = "11")]
    pub is_holdout_universal: bool,
    /// Revision of experiment-svc's log that has the effect models; 0 without any.
    #[prost(int64, tag = "12")]
    pub effects_revision: i64,
    /// The counts that propensities were learned from; absent when there were none.
    #[prost(message, optional, tag = "20")]
    pub responses: Option<KeptResponses>,
    /// For how many days after a contact a response counts; 0 in records of earlier versions.
    #[prost(uint32, tag = "21")]
    pub propensity_window_days: u32,
    /// What propensities were drawn by; absent when none was.
    #[prost(fixed64, optional, tag = "22")]
    pub seed: Option<u64>,
    /// How the customer responds on the channel; absent when relevance was not learned.
    #[prost(message, optional, tag = "23")]
    pub engagement: Option<KeptEngagement>,
    /// The version of the online model that was used or recorded; 0 without one.
    #[prost(uint64, tag = "24")]
    pub online_version: u64,
}

/// A refusal.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeptRefusal {
    /// For programs.
    #[prost(string, tag = "1")]
    pub reason_code: String,
    /// For people.
    #[prost(string, tag = "2")]
    pub reason: String,
}

/// A judgment of policy.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeptJudgment {
    /// The policy revision used.
    #[prost(int64, tag = "1")]
    pub revision: i64,
    /// The facts it was judged by, as policy encodes them.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub facts: Option<Vec<u8>>,
    /// The judgment as policy encodes it, when there are no facts.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub judgment: Option<Vec<u8>>,
    /// Slots were asked for.
    #[prost(bool, tag = "4")]
    pub is_reserving: bool,
    /// The slots.
    #[prost(message, repeated, tag = "5")]
    pub grants: Vec<KeptGrant>,
    /// As many slots were judged as would have been reserved.
    #[prost(bool, tag = "6")]
    pub is_slotted: bool,
}

/// A slot.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeptGrant {
    /// The offer.
    #[prost(string, tag = "1")]
    pub offer_id: String,
    /// Rank within the decision.
    #[prost(int32, tag = "2")]
    pub rank: i32,
    /// When it lapses, in microseconds since 1970.
    #[prost(int64, tag = "3")]
    pub until_us: i64,
}

impl KeptFacts {
    /// The fields of the record that were read, as the record had them, and the other facts.
    /// `scored` are the numbers of the offers whose propensity was learned.
    pub fn of(case: &Case, judgment: Option<&Judgment>, scored: &[u32]) -> (Fields, Self) {
        let (flow, record) = (&*case.configuration.flow, case.record());
        let read = fields_read(flow, judgment);
        let is_read = |(name, _): &(&String, _)| read.contains(name.as_str());
        let fields = record.iter().filter(is_read);
        let fields = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        let missing = read.iter().filter(|name| !record.contains_key(**name));
        let metrics = flow.metrics_read.iter().map(|metric| &metric.key);
        let metrics_missing = metrics.filter(|key| !case.facts.metrics.contains_key(*key));
        let held_out = case.facts.held_out.as_ref();
        let responses = case.facts.responses.as_ref();
        let (channel_id, channel_name) = case.facts.surface.channel.clone().unwrap_or_default();
        let facts = Self {
            channel_id,
            channel_name,
            metrics_missing: metrics_missing.cloned().collect(),
            catalog_revision: flow.catalog_revision,
            flow_revision: flow.revision,
            effects_revision: if flow.effects.models.is_empty() {
                0
            } else {
                flow.effects.revision
            },
            obstacle: case.obstacle().map(KeptRefusal::of),
            fields_missing: missing.map(|name| (*name).to_owned()).collect(),
            held_out_of: held_out.map(|it| it.experiment_id.clone()).unwrap_or_default(),
            judgment: judgment.map(|found| KeptJudgment::of(found, case.slots().is_some())),
            is_answered_alike: held_out.is_some_and(|it| it.is_answered_alike),
            is_holdout_universal: held_out.is_some_and(|it| it.is_universal),
            responses: responses.and_then(|found| KeptResponses::of(flow, scored, found)),
            seed: case.facts.seed,
            engagement: case.facts.engagement.as_ref().map(KeptEngagement::of),
            online_version: case.facts.online.as_ref().map_or(0, |model| model.version),
            propensity_window_days: flow.flow.learning.propensity_window_days,
        };
        (fields, facts)
    }

    /// True when a reference names the channel of the decision.
    pub fn is_channel(&self, reference: &str) -> bool {
        is_named(reference, &self.channel_id, &self.channel_name)
    }

    /// Where the offer was shown; `placement` is the request's.
    pub fn surface(&self, placement: &str) -> Surface {
        let channel = (self.channel_id.clone(), self.channel_name.clone());
        Surface {
            channel: Some(channel).filter(|(id, _)| !id.is_empty()),
            placement: placement.to_owned(),
        }
    }

    /// Why nothing could be planned.
    pub fn obstacle(&self) -> Option<Refusal> {
        self.obstacle.as_ref().map(KeptRefusal::refusal)
    }

    /// The experiment that held the customer out.
    pub fn held_out(&self) -> Option<HeldOut> {
        let experiment_id = Some(self.held_out_of.clone()).filter(|id| !id.is_empty())?;
        Some(HeldOut {
            experiment_id,
            is_universal: self.is_holdout_universal,
            is_answered_alike: self.is_answered_alike,
        })
    }
}

/// Customer fields that were, or may have been, read.
fn fields_read<'a>(flow: &'a CompiledFlow, judgment: Option<&'a Judgment>) -> BTreeSet<&'a str> {
    let mut read: BTreeSet<&str> = flow.fields_read.iter().map(String::as_str).collect();
    if let Some(Basis::Facts { fields_read, .. }) =
        judgment.and_then(|judgment| judgment.basis.as_ref())
    {
        read.extend(fields_read.iter().map(String::as_str));
    }
    // The zone of `today()` where the channel names none.
    read.insert("timezone");
    read
}

/// The metrics that were read, with their values.
pub fn metrics_read(case: &Case) -> Metrics {
    let read = case.configuration.flow.metrics_read.iter();
    let known = read.filter_map(|metric| case.facts.metrics.get_key_value(&metric.key));
    known.map(|(key, value)| (key.clone(), *value)).collect()
}

impl KeptRefusal {
    fn of(refusal: &Refusal) -> Self {
        Self {
            reason_code: refusal.reason_code.as_str().to_owned(),
            reason: refusal.reason.clone(),
        }
    }

    fn refusal(&self) -> Refusal {
        // INVARIANT: written from a reason.
        let reason_code = Reason::of(&self.reason_code).unwrap_or(Reason::Unavailable);
        Refusal::new(reason_code, self.reason.as_str())
    }
}

impl KeptJudgment {
    fn of(found: &Judgment, is_slotted: bool) -> Self {
        let (facts, judgment) = match &found.basis {
            Some(Basis::Facts { encoded, .. }) => (Some(encoded.clone()), None),
            Some(Basis::Judgment(encoded)) => (None, Some(encoded.clone())),
            None => (None, None),
        };
        let grant = |grant: &Grant| KeptGrant {
            offer_id: grant.offer_id.clone(),
            rank: grant.rank,
            until_us: grant.reserved_until.timestamp_micros(),
        };
        Self {
            revision: found.revision,
            facts,
            judgment,
            is_reserving: found.grants.is_some(),
            grants: found.grants.iter().flatten().map(grant).collect(),
            is_slotted,
        }
    }

    /// True when no more slots were judged than the question wants.
    pub fn is_limited(&self) -> bool {
        self.is_reserving || self.is_slotted
    }

    /// The slots; `None` when none were asked for.
    pub fn grants(&self) -> Option<Vec<Grant>> {
        let grant = |kept: &KeptGrant| Grant {
            offer_id: kept.offer_id.clone(),
            rank: kept.rank,
            reserved_until: serve::from_micros(kept.until_us),
        };
        self.is_reserving.then(|| self.grants.iter().map(grant).collect())
    }
}
