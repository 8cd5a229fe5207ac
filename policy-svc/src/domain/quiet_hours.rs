//! The hours in which nothing is sent, in the customer's own time.
//!
//! An instant is converted to local time, never the reverse: local times may not exist, or twice.

use std::fmt;

use chrono::{DateTime, Offset as _, TimeDelta, TimeZone as _, Timelike as _, Utc};
use chrono_tz::Tz;

use super::Faults;

/// How far ahead an opening is searched.
pub const SEARCH_DAYS: i64 = 14;

const DAY_US: i64 = 86_400_000_000;

/// A half-open window [start, end) of local wall time. It may cross midnight; equal ends are refused at write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    start_minute: u32,
    end_minute: u32,
}

/// When something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// At once.
    Now,
    /// From this instant on.
    At(DateTime<Utc>),
    /// Not within [`SEARCH_DAYS`].
    Beyond,
}

impl QuietHours {
    /// Reads two `HH:MM`; none when both are empty.
    pub fn parse(start: &str, end: &str) -> Result<Option<Self>, Faults> {
        let fault = |path: &str, text: String| Err(vec![(path.to_owned(), text)]);
        match (start.is_empty(), end.is_empty()) {
            (true, true) => return Ok(None),
            (false, true) => return fault("quiet_hours_end", "is required with `quiet_hours_start`".to_owned()),
            (true, false) => return fault("quiet_hours_start", "is required with `quiet_hours_end`".to_owned()),
            (false, false) => {}
        }
        let mut faults = Faults::new();
        let mut minute = |path: &str, text: &str| {
            let found = minute_of_day(text);
            if found.is_none() {
                let shown = super::zone::shown(text);
                faults.push((path.to_owned(), format!("`{shown}` must be HH:MM from 00:00 to 23:59")));
            }
            found.unwrap_or_default()
        };
        let (start_minute, end_minute) = (minute("quiet_hours_start", start), minute("quiet_hours_end", end));
        if !faults.is_empty() {
            return Err(faults);
        }
        if start_minute == end_minute {
            return fault("quiet_hours_end", format!("`{end}` must differ from `quiet_hours_start`"));
        }
        Ok(Some(Self { start_minute, end_minute }))
    }

    /// The end, `HH:MM`.
    pub fn end(&self) -> String {
        clock_text(self.end_minute)
    }

    /// The first instant from `now` on that is quiet in no zone. `now` lies before the year 10000.
    pub fn opening(&self, zones: &[Tz], now: DateTime<Utc>) -> Opening {
        let horizon = now + TimeDelta::days(SEARCH_DAYS);
        let mut at = now;
        while let Some(zone) = zones.iter().find(|zone| self.is_quiet(**zone, at)) {
            at = self.end_in(*zone, at);
            if at > horizon {
                return Opening::Beyond;
            }
        }
        if at == now { Opening::Now } else { Opening::At(at) }
    }

    fn is_quiet(&self, zone: Tz, at: DateTime<Utc>) -> bool {
        let local = local_us(zone, at);
        let (start, end) = (minute_us(self.start_minute), minute_us(self.end_minute));
        if start < end { start <= local && local < end } else { local >= start || local < end }
    }

    /// The end of the quiet time that holds at `at` in one zone. Between two changes of the zone's offset the wall
    /// clock runs evenly, so the end is where it points to, unless a change comes first.
    fn end_in(&self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        let mut at = at;
        while self.is_quiet(zone, at) {
            let wait_us = (minute_us(self.end_minute) - local_us(zone, at)).rem_euclid(DAY_US);
            let end = at + TimeDelta::microseconds(wait_us);
            at = match offset_change(zone, at, end) {
                None => return end,
                Some(change) => change,
            };
        }
        at
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", clock_text(self.start_minute), clock_text(self.end_minute))
    }
}

fn minute_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u32>().ok())
    };
    let (hours, minutes) = (two_digits(hours)??, two_digits(minutes)??);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

fn clock_text(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn minute_us(minute: u32) -> i64 {
    i64::from(minute) * 60_000_000
}

/// Local wall time as microseconds since local midnight; a leap second reads as the second before it.
fn local_us(zone: Tz, at: DateTime<Utc>) -> i64 {
    let local = at.with_timezone(&zone).time();
    i64::from(local.num_seconds_from_midnight()) * 1_000_000 + i64::from(local.nanosecond() % 1_000_000_000 / 1_000)
}

/// The first instant in (from, to] at which the zone's offset differs from that at `from`.
fn offset_change(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let before = offset(from);
    let mut low = from;
    while low < to {
        // An offset that came and went within the hour would be missed; no zone has one.
        let high = (low + TimeDelta::hours(1)).min(to);
        if offset(high) != before {
            let (mut same, mut changed) = (low.timestamp(), high.timestamp());
            while changed - same > 1 {
                let middle = same + (changed - same) / 2;
                match DateTime::from_timestamp(middle, 0) {
                    Some(at) if offset(at) == before => same = middle,
                    _ => changed = middle,
                }
            }
            return DateTime::from_timestamp(changed, 0);
        }
        low = high;
    }
    None
}

#[cfg(test)]
mod tests;
