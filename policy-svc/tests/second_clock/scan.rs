//! Hours in which something may be sent, looked at minute by minute.
//!
//! Zones are ahead by whole minutes and change on whole minutes, so what holds at the start of a
//! UTC minute holds in all of it.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::zone::{DAY, Zone};

/// How far ahead openings are searched: semantics of the product, not of its code.
pub const SEARCH: TimeDelta = TimeDelta::days(14);
pub const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// From one minute of the day to another, the next day when that is not later, begun on some days
/// of the week.
#[derive(Clone, Copy, Debug)]
pub struct Hours {
    pub start: i64,
    pub end: i64,
    /// From Monday on.
    pub days: [bool; 7],
}

impl Hours {
    /// Every window that could hold this reading of the wall clock is looked at: that of today and
    /// that of yesterday.
    pub fn hold(&self, wall: i64) -> bool {
        let length =
            if self.end > self.start { self.end - self.start } else { self.end + DAY - self.start };
        let (today, minute) = (wall / DAY, wall % DAY);
        // 1 January 1970 was a Thursday.
        let begins_on = |date: i64| self.days[((date + 3) % 7) as usize];
        (minute >= self.start && minute < self.start + length && begins_on(today))
            || (minute + DAY < self.start + length && begins_on(today - 1))
    }

    pub fn crosses_midnight(&self) -> bool {
        self.end <= self.start
    }

    pub fn start_text(&self) -> String {
        text(self.start)
    }

    pub fn end_text(&self) -> String {
        text(self.end)
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<_> = WEEK
            .iter()
            .zip(self.days)
            .filter(|(_, is_one)| *is_one)
            .map(|(name, _)| *name)
            .collect();
        write!(formatter, "{}-{} {}", self.start_text(), self.end_text(), days.join(","))
    }
}

fn text(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Hours that allow, or forbid, on each of some wall clocks.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    pub hours: Hours,
    pub is_within: bool,
    pub zones: &'a [&'a Zone],
}

impl Demand<'_> {
    pub fn allows(&self, minute: i64) -> bool {
        self.zones.iter().all(|zone| self.hours.hold(zone.wall(minute)) == self.is_within)
    }

    /// Strikes out the minutes that are not allowed, of those from `first` on.
    fn strike(&self, first: i64, allowed: &mut [bool]) {
        for zone in self.zones {
            let mut place = 0;
            while place < allowed.len() {
                let minute = first + place as i64;
                let (ahead, until) = zone.ahead_until(minute);
                let end = allowed.len().min((until - first) as usize);
                let mut wall = minute + ahead;
                while place < end {
                    allowed[place] &= self.hours.hold(wall) == self.is_within;
                    (place, wall) = (place + 1, wall + 1);
                }
            }
        }
    }
}

/// Which of so many minutes from `first` on all allow.
pub fn allowed(demands: &[Demand<'_>], first: i64, count: i64) -> Vec<bool> {
    let mut allowed = vec![true; count as usize];
    demands.iter().for_each(|demand| demand.strike(first, &mut allowed));
    allowed
}

/// The first instant from `now` on that all allow; none within the search.
pub fn first_allowed(demands: &[Demand<'_>], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut minute = minute_of(now);
    if demands.iter().all(|demand| demand.allows(minute)) {
        return Some(now);
    }
    minute += 1;
    while instant(minute) <= now + SEARCH {
        let hour = allowed(demands, minute, 60);
        let found = hour
            .iter()
            .position(|is_allowed| *is_allowed)
            .map(|place| instant(minute + place as i64));
        if found.is_some() {
            return found.filter(|at| *at <= now + SEARCH);
        }
        minute += 60;
    }
    None
}

pub fn minute_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}

pub fn instant(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute * 60, 0).unwrap()
}
