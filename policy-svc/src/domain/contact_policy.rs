//! Rules about how often and after what a customer may be contacted.

use super::{
    Faults,
    rule::{
        budget::Budget,
        cap::{Cap, CapDraft},
        category_suppression::CategorySuppression,
        cooldown::Cooldown,
        mutual_exclusion::MutualExclusion,
        outcome_based::Suppression,
        segment_exclusion::SegmentExclusion,
        time_window::TimeWindow,
    },
    scope::Scope,
};

pub use super::rule::Rule;

/// Strength of a policy that does not say.
pub const PRIORITY_DEFAULT: i32 = 50;
/// Greatest strength.
pub const PRIORITY_MAX: i32 = 100;
/// Rule types this version serves.
pub const SUPPORTED: &str = "frequency_cap, customer_total_cap, cross_channel_cap, cooldown, category_suppression, \
    mutual_exclusion, outcome_based, time_window, segment_exclusion, budget, allow_override";

/// A contact policy as judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPolicy {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The revision it was written at.
    pub revision: i64,
    /// Only active ones are judged.
    pub is_active: bool,
    /// The strongest refusal is told: the highest priority, then the first id.
    pub priority: i32,
    /// What it looks at and refuses.
    pub scope: Scope,
    /// What it demands.
    pub rule: Rule,
}

/// A contact policy as written, unchecked.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub struct PolicyDraft<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub revision: i64,
    pub is_active: bool,
    pub scope: &'a str,
    pub priority: Option<i32>,
    pub rule: RuleDraft<'a>,
}

/// A rule as written, unchecked.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub enum RuleDraft<'a> {
    Missing,
    FrequencyCap(CapDraft),
    CustomerTotalCap(CapDraft),
    CrossChannelCap(CapDraft),
    Cooldown { window_hours: i32 },
    CategorySuppression { window_days: i32 },
    MutualExclusion { offers: &'a [String], window_days: i32 },
    OutcomeBased { outcomes: &'a [String], window_days: i32 },
    TimeWindow { allowed_days: &'a [String], start: &'a str, end: &'a str },
    SegmentExclusion { field: &'a str, segments: &'a [String] },
    Budget { window_days: i32, max_contacts: Option<i64>, max_spend: Option<&'a str> },
    AllowOverride,
}

impl ContactPolicy {
    /// Checks a policy; all faults are told.
    pub fn parse(draft: &PolicyDraft<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let scope = Scope::parse(draft.scope)
            .map_err(|text| faults.push(("scope".to_owned(), text)))
            .unwrap_or_default();
        let priority = draft.priority.unwrap_or(PRIORITY_DEFAULT);
        if !(0..=PRIORITY_MAX).contains(&priority) {
            faults.push((
                "priority".to_owned(),
                format!("is {priority}; it must be 0 to {PRIORITY_MAX}"),
            ));
        }
        let rule =
            rule(draft.rule).map_err(|found| faults.extend(found)).unwrap_or(Rule::Unreadable);
        if !faults.is_empty() {
            return Err(faults);
        }
        let (id, name) = (draft.id.to_owned(), draft.name.to_owned());
        let (revision, is_active) = (draft.revision, draft.is_active);
        Ok(Self { id, name, revision, is_active, priority, scope: rule.scope(scope), rule })
    }

    /// A stored policy that this version cannot read: it refuses all in its scope, or everything
    /// when even that cannot be read.
    pub fn unreadable(draft: &PolicyDraft<'_>) -> Self {
        Self {
            id: draft.id.to_owned(),
            name: draft.name.to_owned(),
            revision: draft.revision,
            is_active: draft.is_active,
            priority: draft.priority.unwrap_or(PRIORITY_DEFAULT),
            scope: Scope::parse(draft.scope).unwrap_or_default(),
            rule: Rule::Unreadable,
        }
    }
}

fn rule(draft: RuleDraft<'_>) -> Result<Rule, Faults> {
    match draft {
        RuleDraft::Missing => {
            Err(vec![("rule_type".to_owned(), format!("is required: one of {SUPPORTED}"))])
        }
        RuleDraft::FrequencyCap(draft) => {
            Cap::parse("frequency_cap", draft).map(Rule::FrequencyCap)
        }
        RuleDraft::CustomerTotalCap(draft) => {
            Cap::parse("customer_total_cap", draft).map(Rule::CustomerTotalCap)
        }
        RuleDraft::CrossChannelCap(draft) => {
            Cap::parse("cross_channel_cap", draft).map(Rule::CrossChannelCap)
        }
        RuleDraft::Cooldown { window_hours } => Cooldown::parse(window_hours).map(Rule::Cooldown),
        RuleDraft::CategorySuppression { window_days } => {
            CategorySuppression::parse(window_days).map(Rule::CategorySuppression)
        }
        RuleDraft::MutualExclusion { offers, window_days } => {
            MutualExclusion::parse(offers, window_days).map(Rule::MutualExclusion)
        }
        RuleDraft::TimeWindow { allowed_days, start, end } => {
            TimeWindow::parse(allowed_days, start, end).map(Rule::TimeWindow)
        }
        RuleDraft::SegmentExclusion { field, segments } => {
            SegmentExclusion::parse(field, segments).map(Rule::SegmentExclusion)
        }
        RuleDraft::AllowOverride => Ok(Rule::AllowOverride),
        RuleDraft::OutcomeBased { outcomes, window_days } => {
            Suppression::parse(outcomes, window_days).map(Rule::OutcomeBased)
        }
        RuleDraft::Budget { window_days, max_contacts, max_spend } => {
            Budget::parse(window_days, max_contacts, max_spend).map(Rule::Budget)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::{
        cap::{Limit, Span},
        window::Window,
    };

    const SEED: PolicyDraft<'_> = PolicyDraft {
        id: "pol_1",
        name: "Winback 3-touch cap, 30-day window",
        revision: 1,
        is_active: true,
        scope: "category:Apparel,Electronics,Home",
        priority: None,
        rule: RuleDraft::FrequencyCap(CapDraft {
            window_days: 30,
            window_hours: 0,
            max_impressions: 3,
            max_per_day: 0,
            max_per_week: 0,
            max_per_month: 0,
        }),
    };

    #[test]
    fn the_seeds_policy_is_taken() {
        let policy = ContactPolicy::parse(&SEED).unwrap();
        assert_eq!(policy.priority, 50);
        let limits = vec![Limit { span: Span::Sliding(Window::Days(30)), most: 3 }];
        assert_eq!(policy.rule, Rule::FrequencyCap(Cap { limits }));
    }

    #[test]
    fn every_fault_is_told_with_its_path() {
        let rule = RuleDraft::Budget { window_days: 1, max_contacts: None, max_spend: None };
        let draft = PolicyDraft { scope: "kategory:A", priority: Some(101), rule, ..SEED };
        let told: Vec<_> =
            ContactPolicy::parse(&draft).unwrap_err().into_iter().map(|(path, _)| path).collect();
        assert_eq!(told, ["scope", "priority", "budget.max_contacts"]);
        let missing = PolicyDraft { rule: RuleDraft::Missing, ..SEED };
        assert_eq!(
            ContactPolicy::parse(&missing).unwrap_err(),
            [("rule_type".to_owned(), format!("is required: one of {SUPPORTED}"))]
        );
    }

    #[test]
    fn a_stored_policy_that_cannot_be_read_refuses() {
        let draft = PolicyDraft { scope: "planet:mars", rule: RuleDraft::Missing, ..SEED };
        let policy = ContactPolicy::unreadable(&draft);
        assert_eq!((policy.rule, policy.scope), (Rule::Unreadable, Scope::default()));
    }
}
