//! The table of contact policy kinds: for each field of the contract's `oneof rule`, the kind that
//! checks its settings. Nothing else lists the kinds.

use std::sync::Arc;

use proffer_proto::{
    policy::v1::{self as proto, contact_policy::Rule},
    values::v1::{Value, value::Kind},
};

use crate::domain::{
    Faults,
    rule::{
        allow_override::{self, AllowOverride},
        budget::{self, Budget},
        cap::CapDraft,
        category_suppression::{self, CategorySuppression},
        cooldown::{self, Cooldown},
        cross_channel_cap, customer_total_cap, frequency_cap,
        kind::PolicyKind,
        mutual_exclusion::{self, MutualExclusion},
        outcome_based::{self, OutcomeBased},
        segment_exclusion::{self, SegmentExclusion},
        time_window::{self, TimeWindow},
    },
};

/// One line a kind: its module, its field of the oneof with the message, and the parsed settings.
macro_rules! kinds {
    ($($module:ident: $field:ident($message:pat) => $parsed:expr;)*) => {
        /// The names of the kinds, as texts list them.
        pub const NAMES: &[&str] = &[$($module::NAME),*];

        fn parsed(rule: &Rule) -> Result<Arc<dyn PolicyKind>, Faults> {
            match rule {
                $(Rule::$field($message) => $parsed.map(|kind| Arc::new(kind) as _),)*
            }
        }
    };
}

kinds! {
    frequency_cap: FrequencyCap(cap) => frequency_cap::KIND.parse(cap_draft(cap));
    customer_total_cap: CustomerTotalCap(cap) => customer_total_cap::KIND.parse(cap_draft(cap));
    cross_channel_cap: CrossChannelCap(cap) => cross_channel_cap::KIND.parse(cap_draft(cap));
    cooldown: Cooldown(rest) => Cooldown::parse(rest.window_hours);
    category_suppression: CategorySuppression(rest) => CategorySuppression::parse(rest.window_days);
    mutual_exclusion: MutualExclusion(rule) =>
        MutualExclusion::parse(&rule.offers, rule.window_days);
    outcome_based: OutcomeBased(rest) => OutcomeBased::parse(&rest.outcomes, rest.window_days);
    time_window: TimeWindow(rule) => TimeWindow::parse(&rule.allowed_days, &rule.start, &rule.end);
    segment_exclusion: SegmentExclusion(rule) =>
        SegmentExclusion::parse(&rule.field, &rule.segments);
    budget: Budget(rule) => {
        let max_spend = rule.max_spend.as_ref().map(decimal_text);
        Budget::parse(rule.window_days, rule.max_contacts, max_spend)
    };
    allow_override: AllowOverride(_) => Ok::<_, Faults>(AllowOverride);
}

/// The kind of a policy with its settings, or all faults by path within the resource.
pub fn kind(rule: Option<&Rule>) -> Result<Arc<dyn PolicyKind>, Faults> {
    let missing = || {
        let text = format!("is required: one of {}", NAMES.join(", "));
        Err(vec![("rule_type".to_owned(), text)])
    };
    rule.map_or_else(missing, parsed)
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

/// The text of an amount as it is stored; empty when it is not an amount.
fn decimal_text(value: &Value) -> &str {
    match &value.kind {
        Some(Kind::DecimalValue(text) | Kind::StringValue(text)) => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests;
