//! What a decision rested on, kept beside what is shown of it, so that it can be decided again.

use std::collections::BTreeSet;

use crate::domain::{
    compile::CompiledFlow,
    creative::Surface,
    decide::refusal,
    judgement::{Basis, Grant, Judgement, Refusal},
    metric::Metrics,
    reason::Reason,
    scalar::Fields,
};

/// Kept facts: what no log holds. The question, the record's fields that were read and the zone
/// stand in what is shown.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptFacts {
    /// Revision of the catalogue.
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
    /// What policy said; absent when it was not asked or did not answer.
    #[prost(message, optional, tag = "6")]
    pub judgement: Option<KeptJudgement>,
    /// Id of the channel, as creatives may name it; what was asked when nobody stored that.
    #[prost(string, tag = "7")]
    pub channel_id: String,
    /// Its name.
    #[prost(string, tag = "8")]
    pub channel_name: String,
    /// Metrics that were read and had no value; those that had one are shown.
    #[prost(string, repeated, tag = "9")]
    pub metrics_missing: Vec<String>,
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

/// A judgement of policy.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeptJudgement {
    /// The policy revision used.
    #[prost(int64, tag = "1")]
    pub revision: i64,
    /// The facts it was judged by, as policy encodes them.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub facts: Option<Vec<u8>>,
    /// The judgement as policy encodes it, when there are no facts.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub judgement: Option<Vec<u8>>,
    /// Slots were asked for.
    #[prost(bool, tag = "4")]
    pub is_reserving: bool,
    /// The slots.
    #[prost(message, repeated, tag = "5")]
    pub grants: Vec<KeptGrant>,
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

/// What is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Rested<'a> {
    /// The flow as it was applied.
    pub flow: &'a CompiledFlow,
    /// The customer's record.
    pub record: &'a Fields,
    /// The customer's metrics.
    pub metrics: &'a Metrics,
    /// Where the offer will stand.
    pub surface: &'a Surface,
    /// Why nothing could be planned.
    pub obstacle: Option<&'a Refusal>,
    /// The experiment that holds the customer out.
    pub held_out_of: Option<&'a str>,
    /// What policy said.
    pub judgement: Option<&'a Judgement>,
}

impl Rested<'_> {
    /// Customer fields that were, or may have been, read.
    fn fields_read(&self) -> BTreeSet<&str> {
        let mut read: BTreeSet<&str> = self.flow.fields_read.iter().map(String::as_str).collect();
        if let Some(Basis::Facts { fields_read, .. }) =
            self.judgement.and_then(|judgement| judgement.basis.as_ref())
        {
            read.extend(fields_read.iter().map(String::as_str));
        }
        // The zone of `today()` where the channel names none.
        read.insert("timezone");
        read
    }

    /// The metrics that were read, with their values.
    pub fn metrics_read(&self) -> Metrics {
        let read = self
            .flow
            .metrics_read
            .iter()
            .filter_map(|metric| self.metrics.get_key_value(&metric.key));
        read.map(|(key, value)| (key.clone(), *value)).collect()
    }

    /// The fields that were read, as the record had them, and the facts.
    pub fn kept(&self) -> (Fields, KeptFacts) {
        let read = self.fields_read();
        let is_read = |(name, _): &(&String, _)| read.contains(name.as_str());
        let fields = self
            .record
            .iter()
            .filter(is_read)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let missing = read.iter().filter(|name| !self.record.contains_key(**name));
        let metrics =
            self.flow.metrics_read.iter().filter(|metric| !self.metrics.contains_key(&metric.key));
        let (channel_id, channel_name) = self.surface.channel.clone().unwrap_or_default();
        let facts = KeptFacts {
            channel_id,
            channel_name,
            metrics_missing: metrics.map(|metric| metric.key.clone()).collect(),
            catalog_revision: self.flow.catalog_revision,
            flow_revision: self.flow.revision,
            obstacle: self.obstacle.map(|refusal| KeptRefusal {
                reason_code: refusal.reason_code.code().to_owned(),
                reason: refusal.reason.clone(),
            }),
            fields_missing: missing.map(|name| (*name).to_owned()).collect(),
            held_out_of: self.held_out_of.unwrap_or_default().to_owned(),
            judgement: self.judgement.map(kept_judgement),
        };
        (fields, facts)
    }
}

fn kept_judgement(found: &Judgement) -> KeptJudgement {
    let (facts, judgement) = match &found.basis {
        Some(Basis::Facts { encoded, .. }) => (Some(encoded.clone()), None),
        Some(Basis::Judgement(encoded)) => (None, Some(encoded.clone())),
        None => (None, None),
    };
    let grant = |grant: &Grant| KeptGrant {
        offer_id: grant.offer_id.clone(),
        rank: grant.rank,
        until_us: grant.reserved_until.timestamp_micros(),
    };
    KeptJudgement {
        revision: found.revision,
        facts,
        judgement,
        is_reserving: found.grants.is_some(),
        grants: found.grants.iter().flatten().map(grant).collect(),
    }
}

impl KeptRefusal {
    /// The refusal.
    pub fn refusal(&self) -> Refusal {
        // INVARIANT: written from a reason.
        refusal(Reason::of(&self.reason_code).unwrap_or(Reason::Unavailable), &self.reason)
    }
}

impl KeptFacts {
    /// Where the offer stood; `placement` is the request's.
    pub fn surface(&self, placement: &str) -> Surface {
        let channel = (self.channel_id.clone(), self.channel_name.clone());
        Surface {
            channel: Some(channel).filter(|(id, _)| !id.is_empty()),
            placement: placement.to_owned(),
        }
    }
}

impl KeptJudgement {
    /// The slots; none when none were asked for.
    pub fn grants(&self) -> Option<Vec<Grant>> {
        let grant = |kept: &KeptGrant| Grant {
            offer_id: kept.offer_id.clone(),
            rank: kept.rank,
            reserved_until: serve::from_micros(kept.until_us),
        };
        self.is_reserving.then(|| self.grants.iter().map(grant).collect())
    }
}
