//! The stored form of an outcome: the report as it came, and what it meant when it was recorded.

use proffer_proto::{catalog::v1::OutcomeCategory, decision::v1::OutcomeReport};
use prost::Message as _;

use crate::domain::{outcome::ResolvedOutcome, report::cell::category_of};

/// An outcome as it is stored. Catalog and decision say later what they like: it means what it
/// meant.
#[derive(Clone, PartialEq, prost::Message)]
pub struct KeptOutcome {
    /// The report, encoded.
    #[prost(bytes = "vec", tag = "1")]
    report: Vec<u8>,
    /// Id of the offer it is about; empty without.
    #[prost(string, tag = "2")]
    pub offer_id: String,
    /// Rank of that offer within the decision, from 1; 0 without.
    #[prost(int32, tag = "3")]
    pub rank: i32,
    /// The channel; empty without.
    #[prost(string, tag = "4")]
    pub channel: String,
    /// Whether the customer saw something or did something.
    #[prost(enumeration = "OutcomeCategory", tag = "5")]
    pub category: i32,
    /// Where it counts in reports; absent in records of earlier versions.
    #[prost(message, optional, tag = "6")]
    pub place: Option<KeptPlace>,
}

/// Where an outcome counts in reports, beside its offer.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeptPlace {
    /// Id of the flow of the decision it names; empty without.
    #[prost(string, tag = "1")]
    pub flow_id: String,
    /// The category of the offer: its id, or its name in lower case; empty without.
    #[prost(string, tag = "2")]
    pub category: String,
    /// Id of the channel; its name in lower case when there is no such channel; empty without.
    #[prost(string, tag = "3")]
    pub channel: String,
}

impl KeptOutcome {
    /// What is kept of an outcome whose report came as `body`.
    pub fn of(outcome: &ResolvedOutcome, body: Vec<u8>) -> Self {
        let category = match (outcome.of_type.is_impression, outcome.of_type.is_response) {
            (true, _) => OutcomeCategory::Impression,
            (false, true) => OutcomeCategory::Response,
            (false, false) => OutcomeCategory::Unspecified,
        };
        let (offer_id, rank) = match &outcome.offer {
            Some(offer) => (offer.subject.offer_id.clone(), offer.rank),
            None => (String::new(), 0),
        };
        let category_of = outcome.offer.as_ref().map(|offer| category_of(&offer.subject));
        let place = KeptPlace {
            flow_id: outcome.flow_id.clone(),
            category: category_of.unwrap_or_default(),
            channel: outcome.channel_key.clone(),
        };
        Self {
            report: body,
            offer_id,
            rank,
            channel: outcome.channel.clone(),
            category: category.into(),
            place: Some(place),
        }
    }

    /// The stored bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// The outcome from its stored bytes.
    pub fn read(bytes: &[u8]) -> Self {
        // INVARIANT: written by `bytes` above.
        Self::decode(bytes).unwrap_or_default()
    }

    /// The report as it came.
    pub fn report(&self) -> OutcomeReport {
        // INVARIANT: its bytes are those of a report that was read.
        OutcomeReport::decode(self.report.as_slice()).unwrap_or_default()
    }
}
