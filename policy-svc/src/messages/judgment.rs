//! Prints judgments as proto messages.

use chrono::SecondsFormat;
use proffer_proto::policy::v1 as proto;

use crate::domain::verdict::{Judgment, PolicyVerdict, Refusal, Verdict};

/// A judgment, without the facts.
pub fn judgment(found: Judgment) -> proto::Judgment {
    proto::Judgment {
        refusal: found.refusal.map(refusal),
        verdicts: found.verdicts.into_iter().map(verdict).collect(),
        ledger_at: Some(history::timestamp(found.ledger_at)),
        revision: found.revision,
        timezone: found.timezone,
        tz_version: chrono_tz::IANA_TZDB_VERSION.to_owned(),
        consent_sources: found.consent_sources,
        facts: None,
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
