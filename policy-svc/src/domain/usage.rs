//! What a customer's contacts leave free, policy by policy.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    configuration::Configuration,
    facts::Facts,
    question::Fields,
    rule::{Ground, Rule, history::ContactHistory},
};

/// What one policy has counted and leaves free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The policy.
    pub policy_id: String,
    /// Its name.
    pub name: String,
    /// Its rule type.
    pub rule_type: &'static str,
    /// Contacts, or outcomes, counted.
    pub counted: usize,
    /// Live reservations counted.
    pub reserved: usize,
    /// The most that may count; 0 when nothing is counted.
    pub limit: usize,
    /// Why it refuses now.
    pub refusal: Option<String>,
    /// When it would allow one more; none while it does, or when nobody knows.
    pub next_allowed_at: Option<DateTime<Utc>>,
    /// Length of the window.
    pub window_seconds: i64,
}

/// What every active policy that looks at contacts, outcomes or the clock says, whatever the offer.
/// Policies that look at the customer's record are left out: it is not at hand.
pub fn usage(configuration: &Configuration, facts: &Facts, zone: Tz) -> Vec<Usage> {
    let (zones, fields) = (Ok(vec![zone]), Fields::new());
    let ground = Ground {
        history: ContactHistory {
            facts: &facts.contacts,
            is_cut: facts.are_contacts_cut,
            now: facts.ledger_at,
        },
        outcomes: &facts.outcomes,
        are_outcomes_cut: facts.are_outcomes_cut,
        at: facts.ledger_at,
        fields: &fields,
        zones: &zones,
        budgets: &facts.budgets,
        is_slot_held: false,
    };
    let needs_no_record =
        |rule: &Rule| !matches!(rule, Rule::SegmentExclusion(_) | Rule::AllowOverride);
    let policies = configuration.policies.iter().filter(|policy| needs_no_record(&policy.rule));
    let usage = policies.map(|policy| {
        let told = policy.rule.open(&policy.id, &policy.scope, &ground).overall();
        Usage {
            policy_id: policy.id.clone(),
            name: policy.name.clone(),
            rule_type: policy.rule.name(),
            counted: told.counted,
            reserved: told.reserved,
            limit: told.limit,
            refusal: told.refusal.map(|(_, text)| text),
            next_allowed_at: told.next_allowed_at,
            window_seconds: told.window_seconds,
        }
    });
    usage.collect()
}
