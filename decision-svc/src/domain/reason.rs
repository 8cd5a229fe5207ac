//! Reasons for an empty answer or for refusing a candidate.

wire::reasons!(Reason {
    QuietHours => "quiet_hours",
    TimeWindow => "time_window",
    TimezoneUnknown => "timezone_unknown",
    ConsentUnknown => "consent_unknown",
    ConsentWithheld => "consent_withheld",
    ConsentWithdrawn => "consent_withdrawn",
    FrequencyCap => "frequency_cap",
    CustomerTotalCap => "customer_total_cap",
    CrossChannelCap => "cross_channel_cap",
    Cooldown => "cooldown",
    Suppressed => "suppressed",
    MutualExclusion => "mutual_exclusion",
    CategorySuppression => "category_suppression",
    BudgetExhausted => "budget_exhausted",
    SegmentExcluded => "segment_excluded",
    Holdout => "holdout",
    CustomerUnknown => "customer_unknown",
    CustomerUnavailable => "customer_unavailable",
    PolicyUnavailable => "policy_unavailable",
    NoCandidates => "no_candidates",
    NothingQualified => "nothing_qualified",
    NotWorthIt => "not_worth_it",
    NotInInventory => "not_in_inventory",
    Excluded => "excluded",
    NotScheduled => "not_scheduled",
    RuleInvalid => "rule_invalid",
    RuleTooCostly => "rule_too_costly",
    NotQualified => "not_qualified",
    Filtered => "filtered",
    NoCreative => "no_creative",
    NotRanked => "not_ranked",
    Outranked => "outranked",
    Unavailable => "unavailable",
});

impl Reason {
    /// True when it says that something could not be asked now: asked again, the answer may be
    /// another one.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::CustomerUnavailable | Self::PolicyUnavailable | Self::Unavailable)
    }

    /// The reason of a code; `None` for an unknown code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == code)
    }
}
