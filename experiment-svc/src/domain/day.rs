//! A day's snapshot as text, in which it is stored: difference, interval and anytime interval, each
//! number with all its digits or `-`, and what was said.

use chrono::{DateTime, NaiveDate, TimeDelta};

use super::analysis::{Day, Interval, Verdict};

/// A day as a number, counted from 1970.
pub fn number(day: NaiveDate) -> i64 {
    day.signed_duration_since(NaiveDate::from(DateTime::UNIX_EPOCH.naive_utc())).num_days()
}

/// A snapshot as text.
pub fn text(day: &Day) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
    let bounds = |interval: Option<Interval>| {
        let bound = |place: usize| number(interval.and_then(|bounds| bounds.get(place).copied()));
        format!("{} {}", bound(0), bound(1))
    };
    let said = match day.said {
        Some(Verdict::Gain) => "gain",
        Some(Verdict::Loss) => "loss",
        _ => "-",
    };
    let (interval, anytime) = (bounds(day.interval), bounds(day.anytime));
    format!("{} {interval} {anytime} {said}", number(day.difference))
}

/// The snapshot of a text; none when it is not one.
pub fn read(number: i64, text: &str) -> Option<Day> {
    let words: Vec<&str> = text.split(' ').collect();
    let &[difference, low, high, anytime_low, anytime_high, said] = words.as_slice() else {
        return None;
    };
    let value = |word: &str| word.parse::<f64>().ok();
    let bounds = |low, high| Some([value(low)?, value(high)?]);
    let first = NaiveDate::from(DateTime::UNIX_EPOCH.naive_utc());
    Some(Day {
        day: first.checked_add_signed(TimeDelta::try_days(number)?)?,
        difference: value(difference),
        interval: bounds(low, high),
        anytime: bounds(anytime_low, anytime_high),
        said: match said {
            "gain" => Some(Verdict::Gain),
            "loss" => Some(Verdict::Loss),
            _ => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_back_with_all_its_digits() {
        let date = NaiveDate::from_ymd_opt(2026, 10, 31).unwrap();
        let full = Day {
            day: date,
            difference: Some(1.0 / 3.0),
            interval: Some([-0.1, 0.1 + 0.2]),
            anytime: Some([f64::MIN_POSITIVE, 1e300]),
            said: Some(Verdict::Loss),
        };
        let empty = Day { difference: None, interval: None, anytime: None, said: None, ..full };
        for day in [full, empty] {
            assert_eq!(read(number(date), &text(&day)), Some(day));
        }
        assert_eq!(number(NaiveDate::from_ymd_opt(1970, 1, 2).unwrap()), 1);
        assert_eq!(read(1, "1 2 3"), None);
    }
}
