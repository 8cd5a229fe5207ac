//! The schedule of an offer: from when until when it may be offered.

use chrono::{DateTime, SecondsFormat, Utc};

use super::Faults;

/// Path of the schedule within an offer.
pub const SCHEDULE: &str = "schedule";

/// From the first instant until before the other; without end where one is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The first instant.
    pub starts_at: Option<DateTime<Utc>>,
    /// The first instant at which it is over.
    pub ends_at: Option<DateTime<Utc>>,
}

impl Schedule {
    /// What is wrong with it, by path within an offer.
    pub fn faults(&self) -> Faults {
        match (self.starts_at, self.ends_at) {
            (None, None) => {
                let message = "needs `starts_at`, `ends_at` or both: leave it out for an offer \
                               that is always offered";
                vec![(SCHEDULE.to_owned(), message.to_owned())]
            }
            (Some(starts_at), Some(ends_at)) if ends_at <= starts_at => {
                let message =
                    format!("is {}; it must be later than {}", shown(ends_at), shown(starts_at));
                vec![(format!("{SCHEDULE}.ends_at"), message)]
            }
            _ => Faults::new(),
        }
    }
}

/// An instant as messages show it.
pub fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(starts_at: Option<&str>, ends_at: Option<&str>, expected: &[&str]) {
        let instant = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let schedule =
            Schedule { starts_at: starts_at.map(instant), ends_at: ends_at.map(instant) };
        let faults = schedule.faults();
        assert_eq!(
            faults.iter().map(|(path, text)| format!("{path} {text}")).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn an_end_is_later_than_its_start() {
        let noon = Some("2026-11-25T12:00:00Z");
        check(noon, None, &[]);
        check(None, noon, &[]);
        check(noon, Some("2026-11-25T12:00:00.000001Z"), &[]);
        let fault =
            "schedule.ends_at is 2026-11-25T12:00:00Z; it must be later than 2026-11-25T12:00:00Z";
        check(noon, noon, &[fault]);
        let fault = "schedule.ends_at is 2026-11-25T11:59:59.500Z; it must be later than \
                     2026-11-25T12:00:00Z";
        check(noon, Some("2026-11-25T12:59:59.5+01:00"), &[fault]);
    }

    #[test]
    fn a_schedule_without_any_instant_says_nothing() {
        let fault = "schedule needs `starts_at`, `ends_at` or both: leave it out for an offer \
                     that is always offered";
        check(None, None, &[fault]);
    }
}
