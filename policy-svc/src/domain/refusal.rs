//! Reasons for refusing a contact, and which of them return the slot at a commit.

use chrono::{DateTime, FixedOffset};

wire::reasons!(ReasonCode {
    ConsentWithheld => "consent_withheld",
    ConsentWithdrawn => "consent_withdrawn",
    ConsentUnknown => "consent_unknown",
    QuietHours => "quiet_hours",
    TimeWindow => "time_window",
    TimezoneUnknown => "timezone_unknown",
    FrequencyCap => "frequency_cap",
    CustomerTotalCap => "customer_total_cap",
    CrossChannelCap => "cross_channel_cap",
    Cooldown => "cooldown",
    Suppressed => "suppressed",
    MutualExclusion => "mutual_exclusion",
    CategorySuppression => "category_suppression",
    BudgetExhausted => "budget_exhausted",
    SegmentExcluded => "segment_excluded",
    PolicyUnavailable => "policy_unavailable",
});

impl ReasonCode {
    /// A refusal about time comes before that of any other policy.
    pub fn is_about_time(self) -> bool {
        matches!(self, Self::QuietHours | Self::TimeWindow | Self::TimezoneUnknown)
    }

    /// True when a no-go for this reason gives a held slot back: suppression and a withdrawal do;
    /// what may pass by itself while the slot is held keeps it.
    pub fn gives_back(self) -> bool {
        match self {
            Self::ConsentWithheld
            | Self::ConsentWithdrawn
            | Self::Cooldown
            | Self::Suppressed
            | Self::MutualExclusion
            | Self::CategorySuppression
            | Self::SegmentExcluded => true,
            Self::ConsentUnknown
            | Self::QuietHours
            | Self::TimeWindow
            | Self::TimezoneUnknown
            | Self::FrequencyCap
            | Self::CustomerTotalCap
            | Self::CrossChannelCap
            | Self::BudgetExhausted
            | Self::PolicyUnavailable => false,
        }
    }
}

/// Why contact is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ReasonCode,
    /// For people.
    pub reason: String,
    /// First instant that quiet hours, legal floor and time windows all allow, in the customer's
    /// time.
    pub deliver_after: Option<DateTime<FixedOffset>>,
}

impl Refusal {
    /// A refusal without an instant.
    pub fn new(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), deliver_after: None }
    }
}
