//! The duration of an experiment, parsed from text such as `90 days`.

use chrono::TimeDelta;

/// What is meant when nothing is said.
pub const DEFAULT: &str = "90 days";
/// Longest duration, in days.
pub const DAYS_MAX: u32 = 730;
/// Longest text, in bytes; a fault repeats no more of a wrong one.
const TEXT_MAX: usize = 40;

/// A text such as `90 days`; a fault says what would be right.
pub fn parse(text: &str) -> Result<TimeDelta, String> {
    let days = match text.trim().split_once(' ') {
        _ if text.len() > TEXT_MAX => None,
        Some((number, unit)) if matches!(unit.trim_start(), "day" | "days") => {
            number.parse::<u32>().ok()
        }
        _ => None,
    };
    match days {
        Some(days @ 1..=DAYS_MAX) => Ok(TimeDelta::days(i64::from(days))),
        Some(days) => Err(format!("is {days} days; it must be 1 to {DAYS_MAX} days")),
        None => {
            let shown: String = text.chars().take(TEXT_MAX).collect();
            Err(format!("`{shown}` is not a duration; write it as `90 days`, 1 to {DAYS_MAX}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_of_days() {
        let check =
            |text: &str, days: i64| assert_eq!(parse(text), Ok(TimeDelta::days(days)), "{text}");
        check("90 days", 90);
        check("1 day", 1);
        check(" 730  days ", 730);
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "90",
            "days",
            "90 weeks",
            "-1 days",
            "1.5 days",
            "90 Days",
            "99999999999 days",
            "1 2 days",
        ] {
            let fault = parse(wrong).unwrap_err();
            assert_eq!(
                fault,
                format!("`{wrong}` is not a duration; write it as `90 days`, 1 to 730")
            );
        }
        let spaced = format!("90{}days", " ".repeat(60));
        assert!(parse(&spaced).unwrap_err().starts_with("`90   "));
        assert_eq!(parse("0 days").unwrap_err(), "is 0 days; it must be 1 to 730 days");
        assert_eq!(parse("731 days").unwrap_err(), "is 731 days; it must be 1 to 730 days");
    }
}
