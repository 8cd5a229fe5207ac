//! Behavioral metrics: numbers counted from a customer's own outcomes.

use super::{Faults, name::quoted};

/// Longest window, in days.
pub const WINDOW_DAYS_MAX: i32 = 365;
/// Longest key of an outcome type, in bytes.
const KEY_BYTES_MAX: usize = 63;

/// A metric as names are resolved to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BehavioralMetric {
    /// What `metrics.x` names it by.
    pub key: String,
    /// One that is not active is missing in decisions.
    pub is_active: bool,
    /// Key of the outcome type that it counts.
    pub outcome: String,
    /// What is computed from the outcomes; `None` when unknown.
    pub aggregate: Option<Aggregate>,
    /// Length of the window, in days.
    pub window_days: i32,
}

/// What a metric tells of the outcomes in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Aggregate {
    Count,
    Sum,
    Last,
}

impl BehavioralMetric {
    /// Faults that need no other resource to be seen.
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let mut fault = |path: &str, message| faults.push((path.to_owned(), message));
        if self.key.is_empty() {
            fault("key", "is required".to_owned());
        }
        if self.outcome.is_empty() {
            fault("outcome", "is required: the key of an outcome type".to_owned());
        } else if !is_key(&self.outcome) {
            let shown = quoted(&self.outcome);
            fault(
                "outcome",
                format!("`{shown}` is not a key: write the key of the outcome type, not its name"),
            );
        }
        if self.aggregate.is_none() {
            fault("aggregate", "must be one of count, sum, last".to_owned());
        }
        if !(1..=WINDOW_DAYS_MAX).contains(&self.window_days) {
            fault(
                "window_days",
                format!("is {}; it must be 1 to {WINDOW_DAYS_MAX}", self.window_days),
            );
        }
        faults
    }
}

/// True for `[a-z][a-z0-9_]{0,62}`: no outcome type has another key.
fn is_key(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.len() <= KEY_BYTES_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed's metric: clicks in 7 days.
    fn clicks() -> BehavioralMetric {
        BehavioralMetric {
            key: "clicks_7d".into(),
            is_active: true,
            outcome: "click".into(),
            aggregate: Some(Aggregate::Count),
            window_days: 7,
        }
    }

    fn check(metric: &BehavioralMetric, expected: &[&str]) {
        let faults = metric.faults();
        assert_eq!(
            faults.iter().map(|(path, text)| format!("{path} {text}")).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn a_window_is_a_day_to_a_year() {
        for right in [1, 7, 365] {
            check(&BehavioralMetric { window_days: right, ..clicks() }, &[]);
        }
        for wrong in [-7, 0, 366] {
            let fault = format!("window_days is {wrong}; it must be 1 to 365");
            check(&BehavioralMetric { window_days: wrong, ..clicks() }, &[&fault]);
        }
    }

    #[test]
    fn an_outcome_is_named_by_its_key() {
        for right in ["click", "a", "quote_requested", "a1", &"a".repeat(63)] {
            check(&BehavioralMetric { outcome: right.into(), ..clicks() }, &[]);
        }
        for wrong in ["Click", "Opt Out", "1a", "_a", "é", &"a".repeat(64)] {
            let fault = format!(
                "outcome `{wrong}` is not a key: write the key of the outcome type, not its name"
            );
            check(&BehavioralMetric { outcome: wrong.into(), ..clicks() }, &[&fault]);
        }
    }

    #[test]
    fn every_fault_is_told() {
        check(
            &BehavioralMetric::default(),
            &[
                "key is required",
                "outcome is required: the key of an outcome type",
                "aggregate must be one of count, sum, last",
                "window_days is 0; it must be 1 to 365",
            ],
        );
    }
}
