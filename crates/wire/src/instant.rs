//! Instants: read to the microsecond, which is what every store keeps.

use chrono::{DateTime, Datelike as _, Utc};
use prost_types::Timestamp;

/// An instant from a caller; a fault when it is out of range.
pub fn parse(at: &Timestamp) -> Result<DateTime<Utc>, String> {
    read(at).ok_or_else(|| "is not an instant of the years 1 to 9999".to_owned())
}

/// An instant that was checked when it was written; `None` when it is absent.
pub fn stored(at: Option<Timestamp>) -> Option<DateTime<Utc>> {
    at.as_ref().and_then(read)
}

fn read(at: &Timestamp) -> Option<DateTime<Utc>> {
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let exact = DateTime::from_timestamp(at.seconds, nanos)?;
    let is_in_range = (1..=9999).contains(&exact.year());
    DateTime::from_timestamp_micros(exact.timestamp_micros()).filter(|_| is_in_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_of_the_years_1_to_9999() {
        let check = |seconds, nanos, is_right| {
            assert_eq!(parse(&Timestamp { seconds, nanos }).is_ok(), is_right, "{seconds} {nanos}");
        };
        check(-62_135_596_800, 0, true);
        check(-62_135_596_801, 999_999_999, false);
        check(253_402_300_799, 999_999_999, true);
        check(253_402_300_800, 0, false);
        check(i64::MAX, 0, false);
        check(0, -1, false);
        check(0, 1_000_000_000, false);
    }

    #[test]
    fn instants_are_cut_to_the_microsecond() {
        let at = |nanos| stored(Some(Timestamp { seconds: 7, nanos }));
        assert_eq!(at(1_999), at(1_000));
        assert_ne!(at(1_999), at(2_000));
    }
}
