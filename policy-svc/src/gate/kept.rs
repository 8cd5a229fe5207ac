//! The answer to a reservation: what the caller gets, and the bytes kept for retries.

use chrono::{DateTime, Utc};
use proffer_proto::policy::v1 as proto;
use prost::{DecodeError, Message as _};

use super::Basis;
use crate::{domain::verdict::Judgment, messages::judgment::judgment};

/// A kept answer larger than this loses the lists of policies of offers that got no slot.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// A slot held for an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The offer.
    pub offer_id: String,
    /// Rank within the decision, from 1.
    pub rank: i64,
    /// When it lapses.
    pub reserved_until: DateTime<Utc>,
}

/// What was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The judgment.
    pub judgment: Judgment,
    /// Its inputs.
    pub basis: Basis,
    /// The slots, in ranking order.
    pub grants: Vec<Grant>,
    /// The decision that holds them.
    pub decision_id: String,
}

/// What was granted, without the facts.
pub fn reserved(found: Reserved) -> proto::ReserveResponse {
    let grant = |grant: Grant| proto::Grant {
        offer_id: grant.offer_id,
        rank: i32::try_from(grant.rank).unwrap_or(i32::MAX),
        reserved_until: Some(history::timestamp(grant.reserved_until)),
    };
    proto::ReserveResponse {
        judgment: Some(judgment(found.judgment)),
        grants: found.grants.into_iter().map(grant).collect(),
        decision_id: found.decision_id,
    }
}

/// The bytes kept for retries: the answer without the facts, which only the first answer carries.
pub fn encoded(found: &Reserved) -> Vec<u8> {
    let mut response = reserved(found.clone());
    if response.encoded_len() > KEPT_BYTES_MAX
        && let Some(judgment) = &mut response.judgment
    {
        for verdict in &mut judgment.verdicts {
            if !found.grants.iter().any(|grant| grant.offer_id == verdict.offer_id) {
                verdict.policies.clear();
            }
        }
    }
    response.encode_to_vec()
}

/// The answer in kept bytes.
pub fn decoded(kept: &[u8]) -> Result<proto::ReserveResponse, DecodeError> {
    proto::ReserveResponse::decode(kept)
}
