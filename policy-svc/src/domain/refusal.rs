//! Why contact is refused.

use chrono::{DateTime, FixedOffset};

/// Why contact is refused, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ReasonCode {
    ConsentWithheld,
    ConsentWithdrawn,
    ConsentUnknown,
    QuietHours,
    TimeWindow,
    TimezoneUnknown,
    FrequencyCap,
    CustomerTotalCap,
    CrossChannelCap,
    Cooldown,
    Suppressed,
    MutualExclusion,
    CategorySuppression,
    BudgetExhausted,
    SegmentExcluded,
    PolicyUnavailable,
}

impl ReasonCode {
    /// As REST says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConsentWithheld => "consent_withheld",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::ConsentUnknown => "consent_unknown",
            Self::QuietHours => "quiet_hours",
            Self::TimeWindow => "time_window",
            Self::TimezoneUnknown => "timezone_unknown",
            Self::FrequencyCap => "frequency_cap",
            Self::CustomerTotalCap => "customer_total_cap",
            Self::CrossChannelCap => "cross_channel_cap",
            Self::Cooldown => "cooldown",
            Self::Suppressed => "suppressed",
            Self::MutualExclusion => "mutual_exclusion",
            Self::CategorySuppression => "category_suppression",
            Self::BudgetExhausted => "budget_exhausted",
            Self::SegmentExcluded => "segment_excluded",
            Self::PolicyUnavailable => "policy_unavailable",
        }
    }

    /// Quiet hours and their kin are told before any other policy.
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
