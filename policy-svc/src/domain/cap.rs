//! At most so many contacts in a sliding window.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::Faults;

/// Longest window of a frequency cap, in days.
pub const WINDOW_DAYS_MAX: i32 = 365;
/// Longest window of a frequency cap, in hours.
pub const WINDOW_HOURS_MAX: i32 = 24 * WINDOW_DAYS_MAX;
/// Highest limit of a frequency cap.
pub const LIMIT_MAX: i32 = 10_000;

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

/// At most `limit` contacts and live reservations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrequencyCap {
    /// Where contacts count; live reservations count always.
    pub window: Window,
    /// The most that may count.
    pub limit: usize,
}

impl FrequencyCap {
    /// Checks a cap; 0 days or hours is none given.
    pub fn parse(window_days: i32, window_hours: i32, max_impressions: i32) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let mut fault = |field: &str, text: String| faults.push((format!("frequency_cap.{field}"), text));
        let window = match (window_days, window_hours) {
            (0, 0) => {
                fault("window_days", "is required, or `window_hours`".to_owned());
                None
            }
            (1..=WINDOW_DAYS_MAX, 0) => Some(Window::Days(window_days)),
            (0, 1..=WINDOW_HOURS_MAX) => Some(Window::Hours(window_hours)),
            (days, 0) => {
                fault("window_days", format!("is {days}; it must be 1 to {WINDOW_DAYS_MAX}"));
                None
            }
            (0, hours) => {
                fault("window_hours", format!("is {hours}; it must be 1 to {WINDOW_HOURS_MAX}"));
                None
            }
            _ => {
                fault("window_hours", "must be left out when `window_days` is given".to_owned());
                None
            }
        };
        let limit = usize::try_from(max_impressions).ok().filter(|_| (1..=LIMIT_MAX).contains(&max_impressions));
        if limit.is_none() {
            fault("max_impressions", format!("is {max_impressions}; it must be 1 to {LIMIT_MAX}"));
        }
        match (window, limit) {
            (Some(window), Some(limit)) => Ok(Self { window, limit }),
            _ => Err(faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_window_and_a_limit_are_needed() {
        let check = |days: i32, hours: i32, limit: i32, expected: &[&str]| {
            let faults = FrequencyCap::parse(days, hours, limit).map(|_| Faults::new()).unwrap_or_else(|faults| faults);
            let told: Vec<_> = faults.into_iter().map(|(path, text)| format!("{path} {text}")).collect();
            assert_eq!(told, expected, "{days} {hours} {limit}");
        };
        check(30, 0, 3, &[]);
        check(365, 0, 10_000, &[]);
        check(0, 8_760, 1, &[]);
        check(366, 0, 1, &["frequency_cap.window_days is 366; it must be 1 to 365"]);
        check(0, 8_761, 1, &["frequency_cap.window_hours is 8761; it must be 1 to 8760"]);
        check(1, 1, 1, &["frequency_cap.window_hours must be left out when `window_days` is given"]);
        check(
            0,
            0,
            0,
            &[
                "frequency_cap.window_days is required, or `window_hours`",
                "frequency_cap.max_impressions is 0; it must be 1 to 10000",
            ],
        );
        check(
            -1,
            0,
            10_001,
            &[
                "frequency_cap.window_days is -1; it must be 1 to 365",
                "frequency_cap.max_impressions is 10001; it must be 1 to 10000",
            ],
        );
    }

    #[test]
    fn what_is_as_old_as_the_window_no_longer_counts() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let window = Window::Days(30);
        assert!(!window.holds(now - TimeDelta::days(30), now));
        assert!(window.holds(now - TimeDelta::days(30) + TimeDelta::microseconds(1), now));
        assert_eq!(window.end_for(now - TimeDelta::days(30)), now);
        assert_eq!((Window::Days(30).to_string(), Window::Hours(48).to_string()), ("30d".to_owned(), "48h".to_owned()));
    }
}
