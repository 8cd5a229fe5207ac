//! The hours in which nothing is sent, in the customer's own time.

use std::fmt;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{
    Faults,
    wall_hours::{self, Days, Demand, WallHours, minute_of_day},
};

pub use super::wall_hours::Opening;

/// A half-open window [start, end) of local wall time. It may cross midnight; equal ends are
/// refused at write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours(WallHours);

impl QuietHours {
    /// Reads two `HH:MM`; none when both are empty.
    pub fn parse(start: &str, end: &str) -> Result<Option<Self>, Faults> {
        let fault = |path: &str, text: String| Err(vec![(path.to_owned(), text)]);
        match (start.is_empty(), end.is_empty()) {
            (true, true) => return Ok(None),
            (false, true) => {
                return fault("quiet_hours_end", "is required with `quiet_hours_start`".to_owned());
            }
            (true, false) => {
                return fault("quiet_hours_start", "is required with `quiet_hours_end`".to_owned());
            }
            (false, false) => {}
        }
        let mut faults = Faults::new();
        let mut minute = |path: &str, text: &str| {
            let found = minute_of_day(text);
            if found.is_none() {
                let shown = super::zone::shown(text);
                faults.push((
                    path.to_owned(),
                    format!("`{shown}` must be HH:MM from 00:00 to 23:59"),
                ));
            }
            found.unwrap_or_default()
        };
        let (start_minute, end_minute) =
            (minute("quiet_hours_start", start), minute("quiet_hours_end", end));
        if !faults.is_empty() {
            return Err(faults);
        }
        if start_minute == end_minute {
            return fault(
                "quiet_hours_end",
                format!("`{end}` must differ from `quiet_hours_start`"),
            );
        }
        Ok(Some(Self(WallHours::new(start_minute, end_minute, Days::ALL))))
    }

    /// The end, `HH:MM`.
    pub fn end(&self) -> String {
        self.0.end()
    }

    /// Quiet in any of the zones is quiet.
    pub fn demand<'a>(&'a self, zones: &'a [Tz]) -> Demand<'a> {
        Demand { hours: &self.0, is_within: false, zones }
    }

    /// The first instant from `now` on that is quiet in no zone. `now` lies before the year 10000.
    pub fn opening(&self, zones: &[Tz], now: DateTime<Utc>) -> Opening {
        wall_hours::opening(&[self.demand(zones)], now)
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.0.start(), self.0.end())
    }
}

#[cfg(test)]
mod tests;
