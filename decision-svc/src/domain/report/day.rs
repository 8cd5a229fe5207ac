//! Days in the zone of a tenant, as numbers counted from 1970.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

/// The zone of this name; UTC when there is none.
pub fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// The day of an instant.
pub fn of(at: DateTime<Utc>, zone: Tz) -> i64 {
    number(at.with_timezone(&zone).date_naive())
}

/// The number of a day.
pub fn number(day: NaiveDate) -> i64 {
    day.signed_duration_since(first()).num_days()
}

/// The day of a number; none beyond all calendars.
pub fn date(number: i64) -> Option<NaiveDate> {
    first().checked_add_signed(TimeDelta::try_days(number)?)
}

fn first() -> NaiveDate {
    DateTime::UNIX_EPOCH.date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_belongs_to_the_day_of_the_tenants_zone() {
        let at: DateTime<Utc> = "2026-11-22T23:30:00Z".parse().unwrap();
        let day = |name: &str| date(of(at, zone(name))).unwrap().to_string();
        assert_eq!(day("UTC"), "2026-11-22");
        assert_eq!(day("Europe/Paris"), "2026-11-23");
        assert_eq!(day("America/New_York"), "2026-11-22");
        assert_eq!(day("nowhere"), "2026-11-22");
        let before: DateTime<Utc> = "1969-12-31T23:59:59Z".parse().unwrap();
        assert_eq!(of(before, Tz::UTC), -1);
        assert_eq!(date(i64::MAX), None);
    }

    /// The day on which the clocks go forward has 23 hours.
    #[test]
    fn a_short_day_is_one_day() {
        let paris = zone("Europe/Paris");
        let day = |text: &str| of(text.parse().unwrap(), paris);
        assert_eq!(day("2027-03-27T23:00:00Z"), day("2027-03-28T21:59:59Z"));
        assert_eq!(day("2027-03-28T22:00:00Z"), day("2027-03-28T21:59:59Z") + 1);
    }
}
