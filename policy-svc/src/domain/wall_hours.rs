//! Hours of the local wall clock, and the first instant they all allow.
//!
//! An instant is converted to local time, never the reverse: local times may not exist, or twice.
//! Quiet hours, legal quiet hours and `time_window` policies are all judged here.

use chrono::{
    DateTime, Datelike as _, Offset as _, TimeDelta, TimeZone as _, Timelike as _, Utc, Weekday,
};
use chrono_tz::Tz;

/// How far ahead an opening is searched.
pub const SEARCH_DAYS: i64 = 14;

const DAY_US: i64 = 86_400_000_000;
const DAY_MINUTES: u32 = 24 * 60;

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

/// Days of the week, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    /// All seven.
    pub const ALL: Self = Self(0b111_1111);
    /// None.
    pub const NONE: Self = Self(0);

    /// This one as well.
    pub fn with(self, day: Weekday) -> Self {
        Self(self.0 | bit(day))
    }

    /// True when the day is one of them.
    pub fn has(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.num_days_from_monday()
}

/// A half-open window [start, end) of local wall time that starts on some days of the week. It may
/// cross midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallHours {
    start_minute: u32,
    end_minute: u32,
    days: Days,
}

impl WallHours {
    /// From one minute of the day to another; they differ.
    pub fn new(start_minute: u32, end_minute: u32, days: Days) -> Self {
        Self { start_minute, end_minute, days }
    }

    /// From midnight to midnight.
    pub fn whole_days(days: Days) -> Self {
        Self::new(0, DAY_MINUTES, days)
    }

    /// The start, `HH:MM`.
    pub fn start(&self) -> String {
        clock_text(self.start_minute)
    }

    /// The end, `HH:MM`.
    pub fn end(&self) -> String {
        clock_text(self.end_minute)
    }

    /// True when the wall clock of a zone is within.
    pub fn holds(&self, zone: Tz, at: DateTime<Utc>) -> bool {
        let day = at.with_timezone(&zone).date_naive().weekday();
        let (local, start, end) =
            (local_us(zone, at), minute_us(self.start_minute), minute_us(self.end_minute));
        if start < end {
            return self.days.has(day) && start <= local && local < end;
        }
        (local >= start && self.days.has(day)) || (local < end && self.days.has(day.pred()))
    }

    /// The next instant at which it may begin or end to hold. Between two changes of the zone's
    /// offset the wall clock runs evenly, so that is where it next points to a bound or to
    /// midnight, unless a change comes first.
    fn next_bound(&self, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
        let local = local_us(zone, at);
        let wait = |minute: u32| match (minute_us(minute) - local).rem_euclid(DAY_US) {
            0 => DAY_US,
            wait => wait,
        };
        let wait_us = wait(self.start_minute).min(wait(self.end_minute)).min(wait(0));
        let bound = at + TimeDelta::microseconds(wait_us);
        offset_change(zone, at, bound).unwrap_or(bound)
    }
}

/// Hours in which something may be sent, or may not.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The hours.
    pub hours: &'a WallHours,
    /// True: only within them. False: only outside.
    pub is_within: bool,
    /// On each of these wall clocks.
    pub zones: &'a [Tz],
}

impl Demand<'_> {
    /// True when it is met.
    pub fn allows(&self, at: DateTime<Utc>) -> bool {
        self.forbidding(at).is_none()
    }

    fn forbidding(&self, at: DateTime<Utc>) -> Option<Tz> {
        self.zones.iter().copied().find(|zone| self.hours.holds(*zone, at) != self.is_within)
    }
}

/// The first instant from `now` on that meets every demand. `now` lies before the year 10000.
pub fn opening(demands: &[Demand<'_>], now: DateTime<Utc>) -> Opening {
    let horizon = now + TimeDelta::days(SEARCH_DAYS);
    let mut at = now;
    let unmet = |at: DateTime<Utc>| {
        demands.iter().find_map(|demand| Some((demand.hours, demand.forbidding(at)?)))
    };
    while let Some((hours, zone)) = unmet(at) {
        at = hours.next_bound(zone, at);
        if at > horizon {
            return Opening::Beyond;
        }
    }
    if at == now { Opening::Now } else { Opening::At(at) }
}

/// Minutes since midnight of `HH:MM`.
pub fn minute_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())
    };
    let (hours, minutes) = (two_digits(hours)??, two_digits(minutes)??);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// `HH:MM` of a minute of the day.
pub fn clock_text(minute: u32) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn minute_us(minute: u32) -> i64 {
    i64::from(minute) * 60_000_000
}

/// Local wall time as microseconds since local midnight; a leap second reads as the second before
/// it.
fn local_us(zone: Tz, at: DateTime<Utc>) -> i64 {
    let local = at.with_timezone(&zone).time();
    i64::from(local.num_seconds_from_midnight()) * 1_000_000
        + i64::from(local.nanosecond() % 1_000_000_000 / 1_000)
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
