//! `time_window`: contact only on certain days and hours.

use std::fmt;

use chrono::Weekday;

use super::{
    finding::{Constant, Evaluation, Finding},
    ground::{Ground, Reads},
    kind::PolicyKind,
};
use crate::domain::{
    Faults,
    facts::Subject,
    refusal::ReasonCode,
    wall_hours::{self, Days, Demand, Opening, WallHours, minute_of_day},
    zone,
};

/// The kind's name.
pub const NAME: &str = "time_window";

const DAYS: [(Weekday, &str); 7] = [
    (Weekday::Mon, "mon"),
    (Weekday::Tue, "tue"),
    (Weekday::Wed, "wed"),
    (Weekday::Thu, "thu"),
    (Weekday::Fri, "fri"),
    (Weekday::Sat, "sat"),
    (Weekday::Sun, "sun"),
];

/// Contact only within these hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    hours: WallHours,
    days: Days,
    has_hours: bool,
}

impl TimeWindow {
    /// Checks a window. No days is every day; no hours is the whole day.
    pub fn parse(allowed_days: &[String], start: &str, end: &str) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let mut fault =
            |field: &str, text: String| faults.push((format!("time_window.{field}"), text));
        let mut days = if allowed_days.is_empty() { Days::ALL } else { Days::NONE };
        if allowed_days.len() > DAYS.len() {
            let (count, most) = (allowed_days.len(), DAYS.len());
            fault("allowed_days", format!("has {count} days, which exceeds the maximum {most}"));
        }
        for (index, written) in allowed_days.iter().enumerate().take(DAYS.len()) {
            match DAYS.iter().find(|(_, name)| name == written) {
                Some((day, _)) => days = days.with(*day),
                None => {
                    let text = format!(
                        "`{}` must be one of mon, tue, wed, thu, fri, sat, sun",
                        zone::shown(written)
                    );
                    fault(&format!("allowed_days[{index}]"), text);
                }
            }
        }
        let has_hours = !start.is_empty() || !end.is_empty();
        let mut minute = |field: &str, text: &str| {
            let found = minute_of_day(text);
            if found.is_none() {
                fault(field, format!("`{}` must be HH:MM from 00:00 to 23:59", zone::shown(text)));
            }
            found.unwrap_or_default()
        };
        let mut hours = WallHours::whole_days(days);
        if has_hours {
            let (start_minute, end_minute) = (minute("start", start), minute("end", end));
            hours = WallHours::new(start_minute, end_minute, days);
            if start == end {
                fault("end", format!("`{}` must differ from `start`", zone::shown(end)));
            }
        } else if allowed_days.is_empty() {
            fault("allowed_days", "is required, or `start` and `end`".to_owned());
        }
        if faults.is_empty() { Ok(Self { hours, days, has_hours }) } else { Err(faults) }
    }
}

impl PolicyKind for TimeWindow {
    fn name(&self) -> &'static str {
        NAME
    }

    fn reads(&self) -> Reads<'_> {
        Reads::default()
    }

    fn yields(&self) -> bool {
        true
    }

    fn is_about_hours(&self) -> bool {
        true
    }

    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        let zones = match ground.zones {
            Ok(zones) => zones,
            Err(unknown) => return Box::new(Constant(Finding::zone_unknown(unknown))),
        };
        let demand = Demand { hours: &self.hours, is_within: true, zones };
        let outside = |next_allowed_at| {
            let text = format!("outside the allowed hours ({self} local)");
            Finding { next_allowed_at, ..Finding::refused(ReasonCode::TimeWindow, text) }
        };
        let finding = match wall_hours::opening(&[demand], ground.at) {
            Opening::Now => Finding::default(),
            Opening::At(at) => outside(Some(at)),
            Opening::Beyond => outside(None),
        };
        Box::new(Timed { hours: &self.hours, finding })
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<_> =
            DAYS.iter().filter(|(day, _)| self.days.has(*day)).map(|(_, name)| *name).collect();
        let days = if self.days == Days::ALL { String::new() } else { days.join(",") };
        let hours = if self.has_hours {
            format!("{}-{}", self.hours.start(), self.hours.end())
        } else {
            String::new()
        };
        let gap = if days.is_empty() || hours.is_empty() { "" } else { " " };
        write!(formatter, "{days}{gap}{hours}")
    }
}

struct Timed<'a> {
    hours: &'a WallHours,
    finding: Finding,
}

impl Evaluation for Timed<'_> {
    fn finding(&mut self, _: &Subject) -> Option<Finding> {
        Some(self.finding.clone())
    }

    fn overall(&self) -> Finding {
        self.finding.clone()
    }

    fn hours(&self) -> Option<&WallHours> {
        Some(self.hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(days: &[&str], start: &str, end: &str, expected: &str) {
        let days: Vec<_> = days.iter().map(|day| (*day).to_owned()).collect();
        let text = match TimeWindow::parse(&days, start, end) {
            Ok(window) => window.to_string(),
            Err(faults) => {
                let faults: Vec<_> =
                    faults.into_iter().map(|(path, text)| format!("{path} {text}")).collect();
                faults.join("; ")
            }
        };
        assert_eq!(text, expected, "{days:?} {start} {end}");
    }

    #[test]
    fn days_and_hours_are_checked() {
        check(&["mon", "tue"], "09:00", "17:00", "mon,tue 09:00-17:00");
        check(&[], "22:00", "02:00", "22:00-02:00");
        check(&["sat", "sun"], "", "", "sat,sun");
        check(&[], "", "", "time_window.allowed_days is required, or `start` and `end`");
        check(
            &["Mon"],
            "",
            "",
            "time_window.allowed_days[0] `Mon` must be one of mon, tue, wed, thu, fri, sat, sun",
        );
        check(&["mon"], "09:00", "", "time_window.end `` must be HH:MM from 00:00 to 23:59");
        check(&["mon"], "09:00", "09:00", "time_window.end `09:00` must differ from `start`");
        check(
            &["mon"; 8],
            "",
            "",
            "time_window.allowed_days has 8 days, which exceeds the maximum 7",
        );
    }

    #[test]
    fn the_day_is_the_one_on_which_the_window_starts() {
        let days = ["fri".to_owned()];
        let window = TimeWindow::parse(&days, "22:00", "02:00").unwrap();
        let holds = |at: &str| window.hours.holds(chrono_tz::UTC, at.parse().unwrap());
        assert!(holds("2026-07-03T22:00:00Z") && holds("2026-07-04T01:59:59Z"));
        assert!(
            !holds("2026-07-03T01:00:00Z")
                && !holds("2026-07-04T02:00:00Z")
                && !holds("2026-07-04T22:00:00Z")
        );
    }
}
