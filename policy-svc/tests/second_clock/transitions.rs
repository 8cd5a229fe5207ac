//! Every zone, every change of its clock in ten years: what quiet hours and allowed hours say
//! around it.

use chrono::{DateTime, TimeDelta, Utc, Weekday};
use policy_svc::domain::{
    quiet_hours::QuietHours,
    wall_hours::{self, Days, Opening, WallHours},
};
use proptest::{prelude::*, test_runner::TestRng};

use super::{
    drill::{Drill, on_all_processors},
    scan::{Demand, Hours, allowed, instant},
    zone::{DAY, YEARS, Zone, zones_of_jiffs_own_release, zones_of_the_same_release},
};

/// Minutes before and after a change that are all looked at.
const AROUND: i64 = 18 * 60;
/// Windows a change, with quiet hours and with allowed hours each.
const WINDOWS: usize = 20;
const WEEKDAYS: [Weekday; 7] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
    Weekday::Sat,
    Weekday::Sun,
];

/// What was met, so that a run that met nothing fails.
#[derive(Debug, Default)]
struct Met {
    gaps: usize,
    folds: usize,
    odd_offsets: usize,
    midnights: usize,
    instants: usize,
    openings: usize,
}

impl Met {
    fn add(&mut self, other: Self) {
        self.gaps += other.gaps;
        self.folds += other.folds;
        self.odd_offsets += other.odd_offsets;
        self.midnights += other.midnights;
        self.instants += other.instants;
        self.openings += other.openings;
    }
}

/// Hours with a bound within a few hours of what the wall clock shows at a change, before or after
/// the jump.
fn hours(zone: &Zone, change: i64, random: &mut TestRng) -> Hours {
    let side = change - i64::from(random.random_bool(0.5));
    let bound = (zone.wall(side) + random.random_range(-150..150)).rem_euclid(DAY);
    let length = if random.random_bool(0.5) {
        random.random_range(1..180)
    } else {
        random.random_range(1..DAY)
    };
    let (start, end) = if random.random_bool(0.5) {
        (bound, (bound + length) % DAY)
    } else {
        ((bound - length).rem_euclid(DAY), bound)
    };
    Hours { start, end, days: [true; 7] }
}

fn check(
    zone: &Zone,
    change: i64,
    hours: Hours,
    is_within: bool,
    random: &mut TestRng,
    met: &mut Met,
) {
    let days = WEEKDAYS.iter().zip(hours.days).filter(|(_, is_one)| *is_one);
    let days = days.fold(Days::NONE, |days, (day, _)| days.with(*day));
    let [start, end] = [hours.start, hours.end].map(|minute| u32::try_from(minute).unwrap());
    let (wall_hours, zones) = (WallHours::new(start, end, days), [zone.tz]);
    let quiet_hours = QuietHours::parse(&hours.start_text(), &hours.end_text()).unwrap().unwrap();
    let told = if is_within {
        wall_hours::Demand { hours: &wall_hours, is_within, zones: &zones }
    } else {
        quiet_hours.demand(&zones)
    };
    let opening = |at: DateTime<Utc>| match is_within {
        true => wall_hours::opening(&[told], at),
        false => quiet_hours.opening(&zones, at),
    };

    let (first, last) = (change - AROUND, change + AROUND);
    let demand = Demand { hours, is_within, zones: &[zone] };
    let allowed = allowed(&[demand], first, last - first + 9 * DAY);
    // From the end to the start: the first allowed minute from each minute on.
    let mut next: Vec<Option<i64>> = vec![None; allowed.len()];
    let mut found = None;
    for (place, minute) in (0..allowed.len()).zip(first..).collect::<Vec<_>>().into_iter().rev() {
        found = if allowed[place] { Some(minute) } else { found };
        next[place] = found;
    }

    let phase = random.random_range(0..97);
    for (place, minute) in (first..last).enumerate() {
        // Somewhere within the minute: at its start, at its end, or between.
        let within_us = [0, 59_999_999, random.random_range(0..60_000_000)][place % 3];
        let at = instant(minute) + TimeDelta::microseconds(within_us);
        let name = || {
            format!("{} {hours} {} at {at:?}", zone.tz, if is_within { "allowed" } else { "quiet" })
        };
        if told.allows(at) != allowed[place] {
            panic!("{}: a scan says {}", name(), allowed[place]);
        }
        met.instants += 1;
        let is_edge = place > 0 && allowed[place] != allowed[place - 1];
        let is_before_edge = allowed[place] != allowed[place + 1];
        if is_edge || is_before_edge || (minute - change).abs() <= 2 || minute % 97 == phase {
            let expected = match next[place].unwrap() {
                first if first == minute => Opening::Now,
                first => Opening::At(instant(first)),
            };
            assert_eq!(opening(at), expected, "{}", name());
            met.openings += 1;
        }
    }
}

/// Every change, or one of so many.
fn check_all(drill: Drill, zones: &[Zone], one_of: usize) -> Met {
    // A zone that keeps its clock is looked at in the middle of the years.
    let changes = |zone: &Zone| {
        let mut changes: Vec<_> = zone.changes().collect();
        if changes.is_empty() {
            changes.push((YEARS.start.midpoint(YEARS.end), 0));
        }
        changes
    };
    let work: Vec<_> = zones
        .iter()
        .flat_map(|zone| changes(zone).into_iter().map(move |(change, jump)| (zone, change, jump)))
        .collect();
    let work: Vec<_> = work.into_iter().step_by(one_of).collect();
    println!("{} changes of {} zones", work.len(), zones.len());
    let one = |number: usize, met: &mut Met| {
        let ((zone, change, jump), mut random) = (work[number], drill.draw(number));
        met.gaps += usize::from(jump > 0);
        met.folds += usize::from(jump < 0);
        met.odd_offsets += usize::from(zone.ahead(change) % 60 != 0);
        for _ in 0..drill.of(WINDOWS) {
            let quiet = hours(zone, change, &mut random);
            check(zone, change, quiet, false, &mut random, met);
            let mut allowed = hours(zone, change, &mut random);
            allowed.days = std::array::from_fn(|_| random.random_bool(0.6));
            allowed.days[random.random_range(0..7_usize)] = true;
            check(zone, change, allowed, true, &mut random, met);
            met.midnights +=
                usize::from(quiet.crosses_midnight()) + usize::from(allowed.crosses_midnight());
        }
    };
    on_all_processors(work.len(), one, Met::add)
}

#[test]
fn around_every_change_of_every_zone_hours_are_those_of_a_scan_by_minutes() {
    let drill = Drill::of_environment();
    let (zones, others) = zones_of_the_same_release();
    println!(
        "seed {}, release {}, differing: {others:?}",
        drill.seed,
        chrono_tz::IANA_TZDB_VERSION
    );
    assert!(others.is_empty() && zones.len() > 590, "{} zones, differing: {others:?}", zones.len());
    let met = check_all(drill, &zones, 1);
    println!("{met:?}");
    assert!(
        met.gaps > 1_000 && met.folds > 1_000 && met.odd_offsets > 50 && met.midnights > 1_000,
        "{met:?}"
    );
}

/// Releases of the time zone database differ in the few zones whose government changed its mind in
/// between; what the others say does not depend on the release.
#[test]
fn another_release_changes_what_its_own_changes_touch_and_nothing_else() {
    const DIFFERING_MAX: usize = 40;
    let drill = Drill::of_environment();
    let (zones, others) = zones_of_jiffs_own_release();
    println!(
        "seed {}, differing from release {}: {others:?}",
        drill.seed,
        chrono_tz::IANA_TZDB_VERSION
    );
    assert!(
        others.len() <= DIFFERING_MAX && zones.len() > 550,
        "{} zones, differing: {others:?}",
        zones.len()
    );
    let met = check_all(drill, &zones, 10);
    println!("{met:?}");
    assert!(met.gaps > 100 && met.folds > 100, "{met:?}");
}
