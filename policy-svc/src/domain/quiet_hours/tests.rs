//! Quiet hours around midnight and around clock changes, in one zone and in several.

use chrono::{TimeDelta, Timelike as _};
use proptest::prelude::*;

use super::*;
use crate::domain::wall_hours::{SEARCH_DAYS, clock_text};

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn hours(start: &str, end: &str) -> QuietHours {
    QuietHours::parse(start, end).unwrap().unwrap()
}

fn zones(names: &str) -> Vec<Tz> {
    names.split_whitespace().map(|name| name.parse().unwrap()).collect()
}

/// `expected` is `open`, `beyond`, or the instant of the opening.
fn check((start, end): (&str, &str), names: &str, now: &str, expected: &str) {
    let told = match hours(start, end).opening(&zones(names), instant(now)) {
        Opening::Now => "open".to_owned(),
        Opening::Beyond => "beyond".to_owned(),
        Opening::At(at) => at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
    };
    assert_eq!(told, expected, "{start}-{end} {names} {now}");
}

const NIGHT: (&str, &str) = ("21:00", "08:00");

#[test]
fn window_across_midnight_is_quiet_at_two_in_the_morning() {
    check(NIGHT, "Europe/London", "2026-01-15T02:00:00Z", "2026-01-15T08:00:00Z");
    check(NIGHT, "Europe/London", "2026-07-15T01:00:00Z", "2026-07-15T07:00:00Z");
    check(NIGHT, "Europe/London", "2026-01-15T23:59:59.999999Z", "2026-01-16T08:00:00Z");
    check(NIGHT, "America/New_York", "2026-01-15T12:00:00Z", "2026-01-15T13:00:00Z");
}

#[test]
fn window_is_closed_at_its_start_and_open_at_its_end() {
    check(NIGHT, "UTC", "2026-01-15T20:59:59.999999Z", "open");
    check(NIGHT, "UTC", "2026-01-15T21:00:00Z", "2026-01-16T08:00:00Z");
    check(NIGHT, "UTC", "2026-01-15T07:59:59.999999Z", "2026-01-15T08:00:00Z");
    check(NIGHT, "UTC", "2026-01-15T08:00:00Z", "open");
    check(("12:00", "14:00"), "UTC", "2026-01-15T11:59:59Z", "open");
    check(("12:00", "14:00"), "UTC", "2026-01-15T12:00:00Z", "2026-01-15T14:00:00Z");
    check(("12:00", "14:00"), "UTC", "2026-01-15T14:00:00Z", "open");
    check(("00:00", "06:00"), "UTC", "2026-01-15T00:00:00Z", "2026-01-15T06:00:00Z");
    check(("22:00", "00:00"), "UTC", "2026-01-15T23:30:00Z", "2026-01-16T00:00:00Z");
}

#[test]
fn zones_off_by_three_quarters_of_an_hour_are_right_to_the_minute() {
    check(NIGHT, "Asia/Kathmandu", "2026-01-15T15:14:00Z", "open");
    check(NIGHT, "Asia/Kathmandu", "2026-01-15T15:15:00Z", "2026-01-16T02:15:00Z");
    check(NIGHT, "Pacific/Chatham", "2026-01-15T12:00:00Z", "2026-01-15T18:15:00Z");
    check(NIGHT, "Australia/Eucla", "2026-01-15T23:00:00Z", "2026-01-15T23:15:00Z");
}

/// The night the clocks go forward has no 02:30. Quiet hours end at the first instant that exists.
#[test]
fn opening_inside_the_spring_gap_moves_to_the_next_real_minute() {
    check(("22:00", "02:30"), "Europe/Paris", "2027-03-28T00:10:00Z", "2027-03-28T01:00:00Z");
}

/// A window that lies within the gap never happens that night.
#[test]
fn a_window_inside_the_gap_is_skipped() {
    check(("02:10", "02:40"), "Europe/Paris", "2027-03-28T00:59:59Z", "open");
    check(("02:10", "02:40"), "Europe/Paris", "2027-03-28T01:00:00Z", "open");
    check(("02:10", "02:40"), "Europe/Paris", "2027-03-29T00:15:00Z", "2027-03-29T00:40:00Z");
}

/// The night is an hour shorter in spring and an hour longer in autumn; the morning is at eight
/// o'clock all the same.
#[test]
fn the_morning_is_at_the_local_hour_across_a_change() {
    check(NIGHT, "Europe/London", "2027-03-27T22:00:00Z", "2027-03-28T07:00:00Z");
    check(NIGHT, "Europe/London", "2026-10-24T21:00:00Z", "2026-10-25T08:00:00Z");
    check(NIGHT, "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T21:00:00Z");
}

/// When the clocks go back, 01:30 comes twice: the window opens at the first, is quiet again at the
/// repeated hour.
#[test]
fn the_repeated_hour_is_quiet_again() {
    let short = ("23:00", "01:30");
    check(short, "Europe/London", "2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z");
    check(short, "Europe/London", "2026-10-25T00:45:00Z", "open");
    check(short, "Europe/London", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z");
}

/// Samoa had no 30 December 2011.
#[test]
fn a_day_that_never_was_is_stepped_over() {
    check(("20:00", "09:00"), "Pacific/Apia", "2011-12-30T08:00:00Z", "2011-12-30T19:00:00Z");
}

#[test]
fn quiet_in_any_zone_is_quiet() {
    check(NIGHT, "Europe/London America/New_York", "2026-01-15T10:00:00Z", "2026-01-15T13:00:00Z");
    check(NIGHT, "Europe/London America/New_York", "2026-01-15T15:00:00Z", "open");
    check(NIGHT, "Europe/London America/New_York", "2026-01-15T22:00:00Z", "2026-01-16T13:00:00Z");
    check(NIGHT, "", "2026-01-15T02:00:00Z", "open");
}

#[test]
fn zones_that_are_never_awake_together_have_no_opening() {
    check(("20:00", "10:00"), "Etc/GMT+6 Etc/GMT-6", "2026-01-15T02:00:00Z", "beyond");
    check(("08:00", "07:59"), "UTC", "2026-01-15T09:00:00Z", "2026-01-16T07:59:00Z");
}

#[test]
fn wrong_hours_are_refused_with_their_field() {
    let check = |start: &str, end: &str, expected: &[(&str, &str)]| {
        let faults =
            QuietHours::parse(start, end).map(|_| Faults::new()).unwrap_or_else(|faults| faults);
        let told: Vec<_> =
            faults.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(told, expected, "{start} {end}");
    };
    check("", "", &[]);
    check("21:00", "08:00", &[]);
    check("21:00", "", &[("quiet_hours_end", "is required with `quiet_hours_start`")]);
    check("", "08:00", &[("quiet_hours_start", "is required with `quiet_hours_end`")]);
    check("08:00", "08:00", &[("quiet_hours_end", "`08:00` must differ from `quiet_hours_start`")]);
    let wrong = "must be HH:MM from 00:00 to 23:59";
    for text in ["24:00", "23:60", "8:00", "08:00:00", "0800", "+8:00", "８:00", "-1:00"] {
        check(text, "08:01", &[("quiet_hours_start", &format!("`{text}` {wrong}"))]);
    }
    check(
        "x",
        "y",
        &[
            ("quiet_hours_start", &format!("`x` {wrong}")),
            ("quiet_hours_end", &format!("`y` {wrong}")),
        ],
    );
}

#[test]
fn hours_print_as_they_were_written() {
    assert_eq!(hours("21:00", "08:00").to_string(), "21:00-08:00");
    assert_eq!(hours("00:05", "09:59").end(), "09:59");
}

const ODD_ZONES: [&str; 12] = [
    "UTC",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Asia/Tehran",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// The opening is the first minute of a minute-by-minute walk that is quiet nowhere.
    #[test]
    fn the_opening_agrees_with_a_walk_of_minutes(
        start in 0..1_440_u32,
        end in 0..1_440_u32,
        first in 0..ODD_ZONES.len(),
        second in prop::option::of(0..ODD_ZONES.len()),
        second_of_time in 1_262_304_000_i64..2_000_000_000,
    ) {
        prop_assume!(start != end);
        let quiet_hours = hours(&clock_text(start), &clock_text(end));
        let named = [Some(first), second].into_iter().flatten();
        let zones: Vec<Tz> = named.map(|n| ODD_ZONES[n].parse().unwrap()).collect();
        let now = DateTime::from_timestamp(second_of_time, 0).unwrap();
        let is_quiet = |at: DateTime<Utc>| zones.iter().any(|zone| {
            let local = at.with_timezone(zone).time();
            let minute = local.num_seconds_from_midnight() / 60;
            if start < end {
                (start..end).contains(&minute)
            } else {
                minute >= start || minute < end
            }
        });
        let mut walk = now;
        while is_quiet(walk) && walk <= now + TimeDelta::days(SEARCH_DAYS) {
            walk = DateTime::from_timestamp((walk.timestamp() / 60 + 1) * 60, 0).unwrap();
        }
        let expected = if is_quiet(walk) || walk > now + TimeDelta::days(SEARCH_DAYS) {
            Opening::Beyond
        } else if walk == now {
            Opening::Now
        } else {
            Opening::At(walk)
        };
        prop_assert_eq!(quiet_hours.opening(&zones, now), expected);
    }
}
