//! Calendar periods on a customer's wall calendar.
//!
//! What counts is the date the customer's calendar showed, so a period is as long as its days were:
//! a day of 23 or 25 hours is one day, and a date that was skipped is none.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

/// A calendar period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// From the first of a month on.
    Month,
}

/// Longest time from the start of a period to any instant in it, with room for a customer's change
/// of zone.
pub const LENGTH_MAX: TimeDelta = TimeDelta::days(33);

impl Period {
    /// `today`, `this week`, `this month`.
    pub fn text(self) -> &'static str {
        match self {
            Self::Day => "today",
            Self::Week => "this week",
            Self::Month => "this month",
        }
    }

    /// The first date of the period an instant lies in. Instants with the same one lie in the same
    /// period.
    pub fn first_date(self, zone: Tz, at: DateTime<Utc>) -> NaiveDate {
        let date = at.with_timezone(&zone).date_naive();
        let back = match self {
            Self::Day => 0,
            Self::Week => date.weekday().num_days_from_monday(),
            Self::Month => date.day0(),
        };
        date.checked_sub_days(Days::new(u64::from(back))).unwrap_or(date)
    }

    /// The instants at which the period of `at` begins and ends.
    pub fn bounds(self, zone: Tz, at: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let first = self.first_date(zone, at);
        let next = match self {
            Self::Day => first.checked_add_days(Days::new(1)),
            Self::Week => first.checked_add_days(Days::new(7)),
            Self::Month => first.checked_add_months(Months::new(1)),
        };
        (first_instant(zone, first), first_instant(zone, next.unwrap_or(first)))
    }
}

/// The first instant whose date in the zone is this one or a later one: instants are converted,
/// never local times, because a midnight may not exist.
fn first_instant(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    // No zone is further from UTC than this.
    const REACH: i64 = 27 * 3_600;
    let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp();
    let is_reached = |second: i64| {
        DateTime::from_timestamp(second, 0)
            .is_none_or(|at| at.with_timezone(&zone).date_naive() >= date)
    };
    let (mut before, mut reached) = (midnight - REACH, midnight + REACH);
    while reached - before > 1 {
        let middle = before + (reached - before) / 2;
        if is_reached(middle) { reached = middle } else { before = middle }
    }
    DateTime::from_timestamp(reached, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, period: Period, at: &str, from: &str, to: &str) {
        let (start, end) = period.bounds(zone.parse().unwrap(), at.parse().unwrap());
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        assert_eq!(
            (text(start).as_str(), text(end).as_str()),
            (from, to),
            "{zone} {period:?} {at}"
        );
    }

    #[test]
    fn a_day_is_as_long_as_the_clocks_make_it() {
        let london = "Europe/London";
        check(
            london,
            Period::Day,
            "2026-07-03T11:00:00Z",
            "2026-07-02T23:00:00Z",
            "2026-07-03T23:00:00Z",
        );
        // 23 hours and 25 hours.
        check(
            london,
            Period::Day,
            "2027-03-28T12:00:00Z",
            "2027-03-28T00:00:00Z",
            "2027-03-28T23:00:00Z",
        );
        check(
            london,
            Period::Day,
            "2026-10-25T12:00:00Z",
            "2026-10-24T23:00:00Z",
            "2026-10-26T00:00:00Z",
        );
        check(
            london,
            Period::Week,
            "2026-10-25T12:00:00Z",
            "2026-10-18T23:00:00Z",
            "2026-10-26T00:00:00Z",
        );
        check(
            london,
            Period::Week,
            "2026-10-26T00:00:00Z",
            "2026-10-26T00:00:00Z",
            "2026-11-02T00:00:00Z",
        );
        check(
            london,
            Period::Month,
            "2026-10-25T12:00:00Z",
            "2026-09-30T23:00:00Z",
            "2026-11-01T00:00:00Z",
        );
        check(
            "UTC",
            Period::Month,
            "2028-02-29T23:59:59Z",
            "2028-02-01T00:00:00Z",
            "2028-03-01T00:00:00Z",
        );
        check(
            "Asia/Kathmandu",
            Period::Day,
            "2026-07-03T18:14:59Z",
            "2026-07-02T18:15:00Z",
            "2026-07-03T18:15:00Z",
        );
    }

    #[test]
    fn a_day_may_begin_late_or_be_missing() {
        // Midnight does not exist: the day begins at one.
        check(
            "Africa/Cairo",
            Period::Day,
            "2026-04-24T12:00:00Z",
            "2026-04-23T22:00:00Z",
            "2026-04-24T21:00:00Z",
        );
        // Samoa had no 30 December 2011.
        check(
            "Pacific/Apia",
            Period::Day,
            "2011-12-30T09:00:00Z",
            "2011-12-29T10:00:00Z",
            "2011-12-30T10:00:00Z",
        );
        check(
            "Pacific/Apia",
            Period::Day,
            "2011-12-30T10:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-31T10:00:00Z",
        );
        check(
            "Pacific/Apia",
            Period::Week,
            "2011-12-30T10:00:00Z",
            "2011-12-26T10:00:00Z",
            "2012-01-01T10:00:00Z",
        );
    }
}
