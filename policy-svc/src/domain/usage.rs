//! What each policy still allows a customer, for `GET /customers/{id}/contacts`.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    configuration::Configuration, contact_policy::ContactPolicy, facts::Facts, question::Fields,
    rule::ground::Evidence,
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
    /// When it would allow one more; `None` while it does or when that is not known.
    pub next_allowed_at: Option<DateTime<Utc>>,
    /// Length of the window.
    pub window_seconds: i64,
}

/// What every active policy that looks at contacts, outcomes or the clock finds, whatever the
/// offer. Policies that read the customer's record are left out, because the record is not known
/// here.
pub fn usage(configuration: &Configuration, facts: &Facts, zone: Tz) -> Vec<Usage> {
    let (zones, fields) = (Ok(vec![zone]), Fields::new());
    let at = facts.ledger_at;
    let evidence = Evidence { facts, fields: &fields, zones: &zones, at, is_slot_held: false };
    let is_shown =
        |policy: &&ContactPolicy| !policy.kind.lifts() && policy.kind.reads().fields.is_empty();
    let usage = configuration.policies.iter().filter(is_shown).map(|policy| {
        let found = policy.open(evidence).overall();
        Usage {
            policy_id: policy.id.clone(),
            name: policy.name.clone(),
            rule_type: policy.kind.name(),
            counted: found.counted,
            reserved: found.reserved,
            limit: found.limit,
            refusal: found.refusal.map(|(_, text)| text),
            next_allowed_at: found.next_allowed_at,
            window_seconds: found.window_seconds,
        }
    });
    usage.collect()
}
