//! The one reader of dates and instants: every value, rule and formula takes the same texts.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};

/// A date as it must be written.
pub const DATE_FORM: &str = "YYYY-MM-DD";
/// An instant as it must be written.
pub const TIMESTAMP_FORM: &str = "RFC 3339 with an offset";

/// The date of a text `YYYY-MM-DD`, year 0001 to 9999; none for any other text.
pub fn date(text: &str) -> Option<NaiveDate> {
    let digits = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
    let year = digits(&[*y1, *y2, *y3, *y4]).filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, digits(&[*m1, *m2])?, digits(&[*d1, *d2])?)
}

/// The instant of an RFC 3339 text with an offset; none for any other text, for second 60, and for
/// an instant outside the years 0001 to 9999 of UTC.
pub fn timestamp(text: &str) -> Option<DateTime<Utc>> {
    date(text.get(..10)?)?;
    // Where the seconds are: chrono would read second 60 as a part of the second before.
    if text.get(17..19) == Some("60") {
        return None;
    }
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    is_year(at.year()).then_some(at)
}

/// True for the years of dates and instants, 1 to 9999.
pub fn is_year(year: i32) -> bool {
    (1..=9999).contains(&year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_one_form() {
        let read = |text: &str| date(text).map(|date| date.to_string());
        for right in ["2026-01-01", "2024-02-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(read(right).as_deref(), Some(right));
        }
        for wrong in [
            "",
            "26-01-01",
            "024-02-09",
            "2024-2-29",
            "2024-02-9",
            " 2024-02-09",
            "2024-02-09 ",
            "+2024-02-09",
            "-2024-02-09",
            "12024-02-09",
            "0000-01-01",
            "2023-02-29",
            "2024-13-01",
            "2024/02/09",
            "20240209",
            "2024-02-09T00:00:00Z",
            "２０２４-01-01",
            "2024-02-0a",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_instant_has_an_offset_and_no_second_60() {
        let read = |text: &str| timestamp(text).map(|at| at.to_rfc3339());
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        };
        check("2026-06-15T12:30:00Z", Some("2026-06-15T12:30:00+00:00"));
        check("2026-06-15T12:30:00.5+02:00", Some("2026-06-15T10:30:00.500+00:00"));
        for wrong in [
            "2026-06-15T12:30:60Z",
            "2026-06-30T23:59:60Z",
            "2026-06-30T23:59:60.5+00:00",
            "2026-06-15T12:30:00",
            "2026-06-15",
            "26-06-15T12:30:00Z",
            "2026-6-15T12:30:00Z",
            "+2026-06-15T12:30:00Z",
            "0001-01-01T00:00:00+10:00",
            "9999-12-31T23:59:59-10:00",
            "0000-06-15T12:30:00Z",
            "2026-06-15T24:00:00Z",
            " 2026-06-15T12:30:00Z",
            "é",
        ] {
            check(wrong, None);
        }
    }
}
