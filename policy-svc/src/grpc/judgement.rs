//! Judgements as proto carries them.

use chrono::SecondsFormat;
use proffer_proto::policy::v1 as proto;
use prost::Message as _;

use super::facts;
use crate::{
    domain::verdict::{Judgement, PolicyVerdict, Refusal, Verdict},
    store::{Basis, Grant, Reserved},
};

/// A kept answer larger than this goes without the lists of policies of offers that got no slot.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// A judgement, with what it was judged by when that is to be kept.
pub fn judgement(found: Judgement, basis: Option<Basis>) -> proto::Judgement {
    proto::Judgement {
        refusal: found.refusal.map(refusal),
        verdicts: found.verdicts.into_iter().map(verdict).collect(),
        ledger_at: Some(history::timestamp(found.ledger_at)),
        revision: found.revision,
        timezone: found.timezone,
        tz_version: chrono_tz::IANA_TZDB_VERSION.to_owned(),
        consent_sources: found.consent_sources,
        facts: basis.map(|basis| facts::told(&basis.facts, basis.fields_read)),
    }
}

/// Why contact is refused.
pub fn refusal(found: Refusal) -> proto::Refusal {
    let deliver_after =
        found.deliver_after.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, false));
    proto::Refusal {
        // INVARIANT: every reason is in the contract; the test below.
        reason_code: wire::reason::code(found.code.as_str()).unwrap_or_default().into(),
        reason: found.reason,
        deliver_after: deliver_after.unwrap_or_default(),
    }
}

/// What was granted.
pub fn reserved(found: Reserved) -> proto::ReserveResponse {
    let grant = |grant: Grant| proto::Grant {
        offer_id: grant.offer_id,
        rank: i32::try_from(grant.rank).unwrap_or(i32::MAX),
        reserved_until: Some(history::timestamp(grant.reserved_until)),
    };
    proto::ReserveResponse {
        judgement: Some(judgement(found.judgement, Some(found.basis))),
        grants: found.grants.into_iter().map(grant).collect(),
        decision_id: found.decision_id,
    }
}

/// What was granted, as it is kept for repeats.
pub fn kept(found: &Reserved) -> Vec<u8> {
    let mut response = reserved(found.clone());
    if let Some(judgement) = &mut response.judgement {
        // A repeat is told the judgement itself.
        judgement.facts = None;
    }
    if response.encoded_len() > KEPT_BYTES_MAX
        && let Some(judgement) = &mut response.judgement
    {
        for verdict in &mut judgement.verdicts {
            if !found.grants.iter().any(|grant| grant.offer_id == verdict.offer_id) {
                verdict.policies.clear();
            }
        }
    }
    response.encode_to_vec()
}

fn verdict(found: Verdict) -> proto::Verdict {
    proto::Verdict {
        offer_id: found.offer_id,
        refusal: found.refusal.map(refusal),
        summary: found.summary,
        policies: found.policies.into_iter().map(policy_verdict).collect(),
    }
}

fn policy_verdict(found: PolicyVerdict) -> proto::PolicyVerdict {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    proto::PolicyVerdict {
        policy_id: found.policy_id,
        rule_type: found.rule_type.to_owned(),
        passed: found.is_passed,
        contacts: count(found.counted),
        reserved: count(found.reserved),
        limit: count(found.limit),
        window_seconds: found.window_seconds,
        next_allowed_at: found.next_allowed_at.map(history::timestamp),
        lifted_by: found.lifted_by.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::verdict::ReasonCode;

    #[test]
    fn every_reason_is_in_the_contract() {
        for code in ReasonCode::ALL {
            let in_contract = wire::reason::code(code.as_str()).map(wire::reason::word);
            assert_eq!(in_contract, Some(code.as_str()));
        }
    }
}
