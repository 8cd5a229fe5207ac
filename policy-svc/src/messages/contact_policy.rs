//! Contact policies as rules use them.

use proffer_proto::{
    policy::v1::{self as proto, contact_policy::Rule},
    values::v1::{Value, value::Kind},
};

use super::channel::status_name;
use crate::domain::{
    Faults,
    contact_policy::{ContactPolicy, PolicyDraft, RuleDraft},
    rule::cap::CapDraft,
};

/// The policy as rules use it, or all faults by path within the resource.
pub fn policy(resource: &proto::ContactPolicy) -> Result<ContactPolicy, Faults> {
    let mut faults = Faults::new();
    if status_name(resource.status).is_none() {
        faults.push(("status".to_owned(), format!("`{}` is not a status", resource.status)));
    }
    match ContactPolicy::parse(&policy_draft(resource)) {
        Ok(policy) if faults.is_empty() => return Ok(policy),
        Ok(_) => {}
        Err(found) => faults.extend(found),
    }
    Err(faults)
}

fn policy_draft(resource: &proto::ContactPolicy) -> PolicyDraft<'_> {
    let rule = match &resource.rule {
        None => RuleDraft::Missing,
        Some(Rule::FrequencyCap(cap)) => RuleDraft::FrequencyCap(cap_draft(cap)),
        Some(Rule::CustomerTotalCap(cap)) => RuleDraft::CustomerTotalCap(cap_draft(cap)),
        Some(Rule::CrossChannelCap(cap)) => RuleDraft::CrossChannelCap(cap_draft(cap)),
        Some(Rule::OutcomeBased(rest)) => {
            RuleDraft::OutcomeBased { outcomes: &rest.outcomes, window_days: rest.window_days }
        }
        Some(Rule::Cooldown(rest)) => RuleDraft::Cooldown { window_hours: rest.window_hours },
        Some(Rule::CategorySuppression(rest)) => {
            RuleDraft::CategorySuppression { window_days: rest.window_days }
        }
        Some(Rule::MutualExclusion(rule)) => {
            RuleDraft::MutualExclusion { offers: &rule.offers, window_days: rule.window_days }
        }
        Some(Rule::TimeWindow(rule)) => RuleDraft::TimeWindow {
            allowed_days: &rule.allowed_days,
            start: &rule.start,
            end: &rule.end,
        },
        Some(Rule::SegmentExclusion(rule)) => {
            RuleDraft::SegmentExclusion { field: &rule.field, segments: &rule.segments }
        }
        Some(Rule::AllowOverride(_)) => RuleDraft::AllowOverride,
        Some(Rule::Budget(rule)) => RuleDraft::Budget {
            window_days: rule.window_days,
            max_contacts: rule.max_contacts,
            max_spend: rule.max_spend.as_ref().map(decimal_text),
        },
    };
    PolicyDraft {
        id: &resource.id,
        name: &resource.name,
        revision: resource.revision,
        // A status this version does not know must not switch a rule off.
        is_active: status_name(resource.status).is_none_or(|status| status == "active"),
        scope: &resource.scope,
        priority: resource.priority,
        rule,
    }
}

/// The text of an amount as it is stored; of what is no amount none.
fn decimal_text(value: &Value) -> &str {
    match &value.kind {
        Some(Kind::DecimalValue(text) | Kind::StringValue(text)) => text,
        _ => "",
    }
}

/// An amount however it was written as the decimal number it is stored as.
pub fn settle_spend(resource: &mut proto::ContactPolicy) {
    let Some(Rule::Budget(proto::Budget { max_spend: Some(value), .. })) = &mut resource.rule
    else {
        return;
    };
    let text = match &value.kind {
        Some(Kind::IntegerValue(number)) => number.to_string(),
        Some(Kind::DoubleValue(number)) => number.to_string(),
        Some(Kind::StringValue(text) | Kind::DecimalValue(text)) => text.trim().to_owned(),
        _ => return,
    };
    value.kind = Some(Kind::DecimalValue(text));
}

fn cap_draft(cap: &proto::FrequencyCap) -> CapDraft {
    CapDraft {
        window_days: cap.window_days,
        window_hours: cap.window_hours,
        max_impressions: cap.max_impressions,
        max_per_day: cap.max_per_day,
        max_per_week: cap.max_per_week,
        max_per_month: cap.max_per_month,
    }
}

/// A stored policy. One that this version cannot read refuses everything in its scope.
pub fn stored(resource: &proto::ContactPolicy) -> ContactPolicy {
    policy(resource).unwrap_or_else(|_| ContactPolicy::unreadable(&policy_draft(resource)))
}
