//! A sliding window, and the bounds its length is checked against.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::Faults;

/// Longest window in which contacts count, in days.
pub const WINDOW_DAYS_MAX: i32 = 365;
/// Longest window in which contacts count, in hours.
pub const WINDOW_HOURS_MAX: i32 = 24 * WINDOW_DAYS_MAX;

/// A sliding window: (now − length, now]. What is exactly as old as the window no longer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Days of 86,400 seconds.
    Days(i32),
    /// Hours.
    Hours(i32),
}

impl Window {
    /// How long it is.
    pub fn length(self) -> TimeDelta {
        match self {
            Self::Days(days) => TimeDelta::seconds(i64::from(days) * 86_400),
            Self::Hours(hours) => TimeDelta::seconds(i64::from(hours) * 3_600),
        }
    }

    /// True while something that happened then counts.
    pub fn holds(self, happened_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        happened_at > now - self.length()
    }

    /// When something that happened then no longer counts.
    pub fn end_for(self, happened_at: DateTime<Utc>) -> DateTime<Utc> {
        happened_at + self.length()
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(formatter, "{days}d"),
            Self::Hours(hours) => write!(formatter, "{hours}h"),
        }
    }
}

/// A window of days, or what is wrong with it.
pub fn days(path: &str, days: i32, days_max: i32, faults: &mut Faults) -> Window {
    bounded(path, days, days_max, faults);
    Window::Days(days)
}

/// A window of hours, or what is wrong with it.
pub fn hours(path: &str, hours: i32, hours_max: i32, faults: &mut Faults) -> Window {
    bounded(path, hours, hours_max, faults);
    Window::Hours(hours)
}

fn bounded(path: &str, value: i32, value_max: i32, faults: &mut Faults) {
    if !(1..=value_max).contains(&value) {
        faults.push((path.to_owned(), format!("is {value}; it must be 1 to {value_max}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_old_as_the_window_no_longer_counts() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let window = Window::Days(30);
        assert!(!window.holds(now - TimeDelta::days(30), now));
        assert!(window.holds(now - TimeDelta::days(30) + TimeDelta::microseconds(1), now));
        assert_eq!(window.end_for(now - TimeDelta::days(30)), now);
        assert_eq!(
            (Window::Days(30).to_string(), Window::Hours(48).to_string()),
            ("30d".to_owned(), "48h".to_owned())
        );
    }
}
