//! The kinds of rule a contact policy may hold. Each is one file that looks at a [`ContactHistory`]
//! and whatever else it needs of the [`Ground`], and gives a [`Finding`].

pub mod budget;
pub mod cap;
pub mod category_suppression;
pub mod cooldown;
pub mod finding;
pub mod history;
pub mod mutual_exclusion;
pub mod outcome_based;
pub mod period;
pub mod segment_exclusion;
pub mod tally;
pub mod time_window;
pub mod window;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;

use std::collections::BTreeMap;

use super::{
    facts::OutcomeFact, question::Fields, refusal::ReasonCode, scope::Scope, zone::ZoneUnknown,
};
use budget::{Budget, Used};
use cap::Cap;
use category_suppression::CategorySuppression;
use cooldown::Cooldown;
use finding::{Finding, Told, Verdict};
use history::ContactHistory;
use mutual_exclusion::MutualExclusion;
use outcome_based::Suppression;
use segment_exclusion::SegmentExclusion;
use time_window::TimeWindow;

/// What a policy demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// At most so many contacts in scope.
    FrequencyCap(Cap),
    /// At most so many contacts with a customer, whatever they are about.
    CustomerTotalCap(Cap),
    /// At most so many contacts over all channels.
    CrossChannelCap(Cap),
    /// Rest after any contact in scope.
    Cooldown(Cooldown),
    /// Rest after a contact with an offer of the same category.
    CategorySuppression(CategorySuppression),
    /// Only one of some offers.
    MutualExclusion(MutualExclusion),
    /// Rest after outcomes.
    OutcomeBased(Suppression),
    /// Allowed days and hours.
    TimeWindow(TimeWindow),
    /// Refuses named segments.
    SegmentExclusion(SegmentExclusion),
    /// At most so many contacts, or so much spend, over all customers.
    Budget(Budget),
    /// Lifts softer policies of lower priority.
    AllowOverride,
    /// A stored rule that this version cannot read: it refuses all in its scope.
    Unreadable,
}

/// What rules may look at.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The customer's contacts at the ledger instant.
    pub history: ContactHistory<'a>,
    /// The customer's outcomes.
    pub outcomes: &'a [OutcomeFact],
    /// There are more outcomes than could be read.
    pub are_outcomes_cut: bool,
    /// The instant at which the wall clock is read.
    pub at: DateTime<Utc>,
    /// The customer's record.
    pub fields: &'a Fields,
    /// The customer's zones.
    pub zones: &'a Result<Vec<Tz>, ZoneUnknown>,
    /// What each budget has been used for, by policy.
    pub budgets: &'a BTreeMap<String, Used>,
    /// A slot is held: caps are not asked again.
    pub is_slot_held: bool,
}

impl Rule {
    /// Its name as REST says it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FrequencyCap(_) => "frequency_cap",
            Self::CustomerTotalCap(_) => "customer_total_cap",
            Self::CrossChannelCap(_) => "cross_channel_cap",
            Self::Cooldown(_) => "cooldown",
            Self::CategorySuppression(_) => "category_suppression",
            Self::MutualExclusion(_) => "mutual_exclusion",
            Self::OutcomeBased(_) => "outcome_based",
            Self::TimeWindow(_) => "time_window",
            Self::SegmentExclusion(_) => "segment_exclusion",
            Self::Budget(_) => "budget",
            Self::AllowOverride => "allow_override",
            Self::Unreadable => "unreadable",
        }
    }

    /// The scope it binds, of the one written. What a cap counts and what it refuses is always the
    /// same: were it to count more than it refuses, what it does not refuse would fill it beyond
    /// its limit.
    pub fn scope(&self, written: Scope) -> Scope {
        match self {
            Self::CustomerTotalCap(_) => Scope::default(),
            Self::CrossChannelCap(_) => written.on_every_channel(),
            _ => written,
        }
    }

    /// How far back contacts may count; none when it counts none.
    pub fn contact_reach(&self) -> Option<TimeDelta> {
        match self {
            Self::FrequencyCap(cap) | Self::CustomerTotalCap(cap) | Self::CrossChannelCap(cap) => {
                Some(cap.reach())
            }
            Self::Cooldown(rule) => Some(rule.window.length()),
            Self::CategorySuppression(rule) => Some(rule.window.length()),
            Self::MutualExclusion(rule) => Some(rule.window.length()),
            Self::OutcomeBased(_)
            | Self::TimeWindow(_)
            | Self::SegmentExclusion(_)
            | Self::Budget(_)
            | Self::AllowOverride
            | Self::Unreadable => None,
        }
    }

    /// True for the kinds that a stronger `allow_override` lifts. Consent, quiet hours, outcomes
    /// and caps never yield.
    pub fn yields(&self) -> bool {
        match self {
            Self::Cooldown(_)
            | Self::CategorySuppression(_)
            | Self::MutualExclusion(_)
            | Self::TimeWindow(_)
            | Self::SegmentExclusion(_) => true,
            Self::FrequencyCap(_)
            | Self::CustomerTotalCap(_)
            | Self::CrossChannelCap(_)
            | Self::OutcomeBased(_)
            | Self::Budget(_)
            | Self::AllowOverride
            | Self::Unreadable => false,
        }
    }

    /// Looks at a customer for the policy of this id and scope.
    pub fn open<'a>(
        &'a self,
        policy_id: &str,
        scope: &Scope,
        ground: &Ground<'a>,
    ) -> Box<dyn Finding + 'a> {
        match self {
            Self::FrequencyCap(cap) => cap.open(ReasonCode::FrequencyCap, scope, ground),
            Self::CustomerTotalCap(cap) => cap.open(ReasonCode::CustomerTotalCap, scope, ground),
            Self::CrossChannelCap(cap) => cap.open(ReasonCode::CrossChannelCap, scope, ground),
            Self::Cooldown(rule) => rule.open(scope, ground),
            Self::CategorySuppression(rule) => rule.open(scope, ground),
            Self::MutualExclusion(rule) => rule.open(scope, ground),
            Self::OutcomeBased(rule) => rule.open(scope, ground),
            Self::TimeWindow(rule) => rule.open(ground),
            Self::SegmentExclusion(rule) => rule.open(ground),
            Self::Budget(rule) => rule.open(policy_id, ground),
            Self::AllowOverride => Box::new(Verdict(Told::default())),
            Self::Unreadable => {
                let text = "its rule cannot be read by this version";
                Box::new(Verdict(Told::refused(ReasonCode::PolicyUnavailable, text)))
            }
        }
    }
}

/// An instant as texts say it.
fn utc_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
