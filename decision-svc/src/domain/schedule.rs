//! When an offer may be offered, and when it ranks above the others.

use chrono::{DateTime, SecondsFormat, Utc};

/// The instants between which an offer may be offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The first; none from ever.
    pub starts_at: Option<DateTime<Utc>>,
    /// The first at which it may no longer; none for ever.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Puts an offer above the others for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mandate {
    /// Why.
    pub reason: String,
    /// The first instant at which it is an ordinary offer again.
    pub expires_at: DateTime<Utc>,
}

impl Schedule {
    /// Why the offer may not be offered at `now`; none when it may.
    pub fn obstacle(&self, now: DateTime<Utc>) -> Option<String> {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        match (self.starts_at.filter(|start| now < *start), self.ends_at.filter(|end| now >= *end))
        {
            (Some(start), _) => Some(format!("scheduled from {} on", text(start))),
            (None, Some(end)) => Some(format!("its schedule ended at {}", text(end))),
            (None, None) => None,
        }
    }

    /// Whether the offer may be offered at `now`.
    pub fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.starts_at.is_none_or(|start| start <= now) && self.ends_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_in_and_the_end_is_out() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let schedule = Schedule {
            starts_at: Some(at("2026-11-27T00:00:00Z")),
            ends_at: Some(at("2026-11-30T00:00:00Z")),
        };
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(schedule.obstacle(at(text)).as_deref(), expected, "{text}");
            assert_eq!(schedule.is_open(at(text)), expected.is_none(), "{text}");
        };
        check("2026-11-26T23:59:59.999999Z", Some("scheduled from 2026-11-27T00:00:00Z on"));
        check("2026-11-27T00:00:00Z", None);
        check("2026-11-29T23:59:59.999999Z", None);
        check("2026-11-30T00:00:00Z", Some("its schedule ended at 2026-11-30T00:00:00Z"));
        assert!(Schedule::default().is_open(at("2026-11-30T00:00:00Z")));
    }
}
