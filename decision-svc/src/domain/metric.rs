//! Behavioral metrics: which outcomes a metric counts, and in which window.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

/// Values of metrics by key; one without a value is left out.
pub type Metrics = BTreeMap<String, f64>;

/// What a metric counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its key.
    pub key: String,
    /// Key of the outcome type.
    pub outcome: String,
    /// How the outcomes in the window become a number.
    pub aggregate: Aggregate,
    /// Length of the window in days of 86,400 s.
    pub window_days: i32,
    /// Only active ones have values.
    pub is_active: bool,
}

/// How outcomes become a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many there are.
    Count,
    /// The sum of their values.
    Sum,
    /// The value of the latest that has one.
    Last,
}

impl Metric {
    /// The latest instant that no longer counts at `now`, in microseconds since 1970.
    pub fn after_us(&self, now: DateTime<Utc>) -> i64 {
        let window = TimeDelta::days(i64::from(self.window_days));
        now.checked_sub_signed(window).map_or(i64::MIN, |start| start.timestamp_micros())
    }
}
