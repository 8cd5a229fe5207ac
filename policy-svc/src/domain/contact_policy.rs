//! Rules about how often and after what a customer may be contacted.

use super::{Faults, cap::FrequencyCap, scope::Scope, suppression::Suppression};

/// Strength of a policy that does not say.
pub const PRIORITY_DEFAULT: i32 = 50;
/// Greatest strength.
pub const PRIORITY_MAX: i32 = 100;
/// Rule types this version serves.
pub const SUPPORTED: &str = "frequency_cap, outcome_based";

/// A contact policy as judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPolicy {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Only active ones are judged.
    pub is_active: bool,
    /// The strongest refusal is told: the highest priority, then the first id.
    pub priority: i32,
    /// What it looks at and refuses.
    pub scope: Scope,
    /// What it demands.
    pub rule: Rule,
}

/// What a policy demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// At most so many contacts in a window.
    FrequencyCap(FrequencyCap),
    /// Rest after outcomes.
    OutcomeBased(Suppression),
    /// A stored rule that this version cannot read: it refuses all in its scope.
    Unreadable,
}

impl Rule {
    /// Its name as REST says it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FrequencyCap(_) => "frequency_cap",
            Self::OutcomeBased(_) => "outcome_based",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A contact policy as written, unchecked.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub struct PolicyDraft<'a> {
    pub id: &'a str,
    pub name: &'a str,
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
    FrequencyCap {
        window_days: i32,
        window_hours: i32,
        max_impressions: i32,
    },
    OutcomeBased {
        outcomes: &'a [String],
        window_days: i32,
    },
    /// Declared, not served by this version.
    Unserved(&'static str),
}

impl ContactPolicy {
    /// Checks a policy; all faults are told.
    pub fn parse(draft: &PolicyDraft<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let scope =
            Scope::parse(draft.scope).map_err(|text| faults.push(("scope".to_owned(), text))).unwrap_or_default();
        let priority = draft.priority.unwrap_or(PRIORITY_DEFAULT);
        if !(0..=PRIORITY_MAX).contains(&priority) {
            faults.push(("priority".to_owned(), format!("is {priority}; it must be 0 to {PRIORITY_MAX}")));
        }
        let rule = rule(draft.rule).map_err(|found| faults.extend(found)).unwrap_or(Rule::Unreadable);
        if !faults.is_empty() {
            return Err(faults);
        }
        let (id, name) = (draft.id.to_owned(), draft.name.to_owned());
        Ok(Self { id, name, is_active: draft.is_active, priority, scope, rule })
    }

    /// A stored policy that this version cannot read: it refuses all in its scope, or everything when even that cannot
    /// be read.
    pub fn unreadable(draft: &PolicyDraft<'_>) -> Self {
        Self {
            id: draft.id.to_owned(),
            name: draft.name.to_owned(),
            is_active: draft.is_active,
            priority: draft.priority.unwrap_or(PRIORITY_DEFAULT),
            scope: Scope::parse(draft.scope).unwrap_or_default(),
            rule: Rule::Unreadable,
        }
    }
}

fn rule(draft: RuleDraft<'_>) -> Result<Rule, Faults> {
    match draft {
        RuleDraft::Missing => Err(vec![("rule_type".to_owned(), format!("is required: one of {SUPPORTED}"))]),
        RuleDraft::FrequencyCap { window_days, window_hours, max_impressions } => {
            FrequencyCap::parse(window_days, window_hours, max_impressions).map(Rule::FrequencyCap)
        }
        RuleDraft::OutcomeBased { outcomes, window_days } => {
            Suppression::parse(outcomes, window_days).map(Rule::OutcomeBased)
        }
        RuleDraft::Unserved(name) => {
            let text = format!("type `{name}` is not yet supported; supported are {SUPPORTED}");
            Err(vec![("rule_type".to_owned(), text)])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cap::Window;

    const SEED: PolicyDraft<'_> = PolicyDraft {
        id: "pol_1",
        name: "Winback 3-touch cap, 30-day window",
        is_active: true,
        scope: "category:Apparel,Electronics,Home",
        priority: None,
        rule: RuleDraft::FrequencyCap { window_days: 30, window_hours: 0, max_impressions: 3 },
    };

    #[test]
    fn the_seeds_policy_is_taken() {
        let policy = ContactPolicy::parse(&SEED).unwrap();
        assert_eq!(policy.priority, 50);
        assert_eq!(policy.rule, Rule::FrequencyCap(FrequencyCap { window: Window::Days(30), limit: 3 }));
    }

    #[test]
    fn every_fault_is_told_with_its_path() {
        let draft =
            PolicyDraft { scope: "kategory:A", priority: Some(101), rule: RuleDraft::Unserved("cooldown"), ..SEED };
        let told: Vec<_> = ContactPolicy::parse(&draft).unwrap_err().into_iter().map(|(path, _)| path).collect();
        assert_eq!(told, ["scope", "priority", "rule_type"]);
        let missing = PolicyDraft { rule: RuleDraft::Missing, ..SEED };
        assert_eq!(
            ContactPolicy::parse(&missing).unwrap_err(),
            [("rule_type".to_owned(), "is required: one of frequency_cap, outcome_based".to_owned())]
        );
    }

    #[test]
    fn a_rule_not_served_yet_names_the_served_ones() {
        let draft = PolicyDraft { rule: RuleDraft::Unserved("budget"), ..SEED };
        let expected = "type `budget` is not yet supported; supported are frequency_cap, outcome_based";
        assert_eq!(ContactPolicy::parse(&draft).unwrap_err(), [("rule_type".to_owned(), expected.to_owned())]);
    }

    #[test]
    fn a_stored_policy_that_cannot_be_read_refuses() {
        let draft = PolicyDraft { scope: "planet:mars", rule: RuleDraft::Missing, ..SEED };
        let policy = ContactPolicy::unreadable(&draft);
        assert_eq!((policy.rule, policy.scope), (Rule::Unreadable, Scope::default()));
    }
}
