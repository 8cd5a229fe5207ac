//! Reasons between proto and domain.

use proffer_proto::decision::v1::ReasonCode;

use crate::domain::reason::Reason;

/// The reason as proto carries it.
pub fn into_proto(reason: Reason) -> ReasonCode {
    match reason {
        Reason::QuietHours => ReasonCode::QuietHours,
        Reason::TimeWindow => ReasonCode::TimeWindow,
        Reason::TimezoneUnknown => ReasonCode::TimezoneUnknown,
        Reason::ConsentUnknown => ReasonCode::ConsentUnknown,
        Reason::ConsentWithheld => ReasonCode::ConsentWithheld,
        Reason::ConsentWithdrawn => ReasonCode::ConsentWithdrawn,
        Reason::FrequencyCap => ReasonCode::FrequencyCap,
        Reason::CustomerTotalCap => ReasonCode::CustomerTotalCap,
        Reason::CrossChannelCap => ReasonCode::CrossChannelCap,
        Reason::Cooldown => ReasonCode::Cooldown,
        Reason::Suppressed => ReasonCode::Suppressed,
        Reason::MutualExclusion => ReasonCode::MutualExclusion,
        Reason::CategorySuppression => ReasonCode::CategorySuppression,
        Reason::BudgetExhausted => ReasonCode::BudgetExhausted,
        Reason::SegmentExcluded => ReasonCode::SegmentExcluded,
        Reason::Holdout => ReasonCode::Holdout,
        Reason::CustomerUnknown => ReasonCode::CustomerUnknown,
        Reason::CustomerUnavailable => ReasonCode::CustomerUnavailable,
        Reason::PolicyUnavailable => ReasonCode::PolicyUnavailable,
        Reason::NoCandidates => ReasonCode::NoCandidates,
        Reason::NothingQualified => ReasonCode::NothingQualified,
        Reason::NotInInventory => ReasonCode::NotInInventory,
        Reason::Excluded => ReasonCode::Excluded,
        Reason::NotScheduled => ReasonCode::NotScheduled,
        Reason::RuleInvalid => ReasonCode::RuleInvalid,
        Reason::NotQualified => ReasonCode::NotQualified,
        Reason::Filtered => ReasonCode::Filtered,
        Reason::NoCreative => ReasonCode::NoCreative,
        Reason::NotRanked => ReasonCode::NotRanked,
        Reason::Outranked => ReasonCode::Outranked,
        Reason::Unavailable => ReasonCode::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JSON and counts by reason use the name without its prefix.
    #[test]
    fn a_code_is_the_name_in_the_contract() {
        for reason in Reason::ALL {
            let name = format!("REASON_CODE_{}", reason.code().to_uppercase());
            assert_eq!(into_proto(*reason).as_str_name(), name);
            assert_eq!(Reason::of(reason.code()), Some(*reason));
        }
        assert_eq!(Reason::of("nothing"), None);
        // One more is none at all.
        assert_eq!(
            (0..200).filter(|number| ReasonCode::try_from(*number).is_ok()).count(),
            Reason::ALL.len() + 1
        );
    }
}
