//! A million random customers: whether they may be contacted now, and if not, when they first may.
//!
//! Quiet hours of a channel, legal ones of a country and the allowed hours of a policy are judged
//! together, in one zone or in two, by the whole of `judge`.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use policy_svc::domain::{
    channel::{Channel, ChannelDraft},
    configuration::Configuration,
    contact_policy::{ContactPolicy, PolicyDraft},
    facts::Facts,
    question::{Candidate, FieldValue},
    rule::time_window::TimeWindow,
    settings::{self, Settings},
    verdict::{self, Scrutiny, Slots, judge},
};
use proptest::{prelude::*, test_runner::TestRng};

use super::{
    drill::{Drill, on_all_processors},
    scan::{Demand, Hours, WEEK, first_allowed, minute_of},
    zone::{DAY, YEARS, Zone, zones_of_the_same_release},
};

const WINDOWS: usize = 1_000_000;

/// A customer at an instant.
#[derive(Debug)]
struct Case<'a> {
    zones: Vec<&'a Zone>,
    quiet: Option<Hours>,
    legal: Option<Hours>,
    /// The allowed hours of a policy; from 00:00 to 00:00 it names days only.
    allowed: Option<Hours>,
    now: DateTime<Utc>,
}

/// The reason code of the refusal, and when the customer may be contacted.
type Told = (&'static str, Option<DateTime<FixedOffset>>);

/// What was met, so that a run that met nothing fails.
#[derive(Debug, Default)]
struct Met {
    open: usize,
    quiet: usize,
    outside: usize,
    never: usize,
    near_gaps: usize,
    near_folds: usize,
    half_hours: usize,
    quarter_hours: usize,
    midnights: usize,
    pairs: usize,
}

impl Met {
    fn add(&mut self, mut other: Self) {
        self.all().into_iter().zip(other.all()).for_each(|((_, sum), (_, count))| *sum += *count);
    }

    fn all(&mut self) -> [(&'static str, &mut usize); 10] {
        [
            ("open", &mut self.open),
            ("quiet", &mut self.quiet),
            ("outside the allowed hours", &mut self.outside),
            ("never", &mut self.never),
            ("near a gap", &mut self.near_gaps),
            ("near a fold", &mut self.near_folds),
            ("off by half an hour", &mut self.half_hours),
            ("off by a quarter", &mut self.quarter_hours),
            ("over midnight", &mut self.midnights),
            ("in two zones", &mut self.pairs),
        ]
    }

    fn note(&mut self, case: &Case<'_>, told: Told) {
        match told {
            ("", _) => self.open += 1,
            ("quiet_hours", _) => self.quiet += 1,
            _ => self.outside += 1,
        }
        self.never += usize::from(!told.0.is_empty() && told.1.is_none());
        let minute = minute_of(case.now);
        let jumps = case.zones.iter().flat_map(|zone| zone.changes());
        for (_, jump) in jumps.filter(|(change, _)| (minute - change).abs() < DAY) {
            self.near_gaps += usize::from(jump > 0);
            self.near_folds += usize::from(jump < 0);
        }
        let past_hour = case.zones[0].ahead(minute).rem_euclid(60);
        self.half_hours += usize::from(past_hour == 30);
        self.quarter_hours += usize::from(past_hour % 30 != 0);
        let hours = [case.quiet, case.legal, case.allowed].into_iter().flatten();
        self.midnights += usize::from(hours.into_iter().any(|hours| hours.crosses_midnight()));
        self.pairs += usize::from(case.zones.len() == 2);
    }
}

fn case<'a>(all: &'a [Zone], random: &mut TestRng) -> Case<'a> {
    let mut zones = vec![&all[random.random_range(0..all.len())]];
    let changes: Vec<_> = zones[0].changes().map(|(change, _)| change).collect();
    let mut minute = random.random_range(YEARS.start..YEARS.end);
    if !changes.is_empty() && random.random_bool(0.5) {
        minute =
            changes[random.random_range(0..changes.len())] + random.random_range(-2 * DAY..2 * DAY);
    }
    if random.random_bool(0.3) {
        zones.push(&all[random.random_range(0..all.len())]);
    }
    // Half of the hours begin or end near what the wall clock shows, a few at it.
    let wall = zones[0].wall(minute);
    let every_day = [true; 7];
    let mut hours = |days: [bool; 7]| {
        let near = (wall + random.random_range(-200..200)).rem_euclid(DAY);
        let (mut start, mut end) = (random.random_range(0..DAY), random.random_range(0..DAY));
        match random.random_range(0..5_u8) {
            0 => start = near,
            1 => end = near,
            2 => (start, end) = (near, (near + random.random_range(1..90)) % DAY),
            _ => {}
        }
        if start == end {
            end = (start + 1) % DAY;
        }
        Hours { start, end, days }
    };
    let (quiet, legal, allowed) = (hours(every_day), hours(every_day), hours(every_day));
    let mut days: [bool; 7] = std::array::from_fn(|_| random.random_bool(0.5));
    days[random.random_range(0..7_usize)] = true;
    let allowed = match random.random_range(0..4_u8) {
        0 => Hours { start: 0, end: 0, days },
        1 => allowed,
        _ => Hours { days, ..allowed },
    };
    let second = TimeDelta::microseconds(
        [0, random.random_range(0..60_000_000)][random.random_range(0..2_usize)],
    );
    Case {
        quiet: random.random_bool(0.8).then_some(quiet),
        legal: random.random_bool(0.2).then_some(legal),
        allowed: random.random_bool(0.4).then_some(allowed),
        now: super::scan::instant(minute) + second,
        zones,
    }
}

/// What the product tells.
fn told(case: &Case<'_>) -> Told {
    let timezone_source = ["customer.timezone".to_owned(), "customer.second".to_owned()];
    let [start, end] = case
        .quiet
        .map_or([String::new(), String::new()], |hours| [hours.start_text(), hours.end_text()]);
    let channel = Channel::parse(&ChannelDraft {
        id: "ch_email",
        name: "email",
        quiet_hours_start: &start,
        quiet_hours_end: &end,
        timezone_source: &timezone_source[..case.zones.len()],
        ..ChannelDraft::default()
    });
    let legal = case.legal.map(|hours| ("US", hours.start_text(), hours.end_text()));
    let legal = legal.iter().map(|(country, start, end)| (*country, start.as_str(), end.as_str()));
    let legal_quiet_hours =
        settings::legal_quiet_hours(legal.collect::<Vec<_>>().into_iter()).unwrap();
    let settings = Settings { legal_quiet_hours, ..Settings::default() };
    let policies = case.allowed.map(|hours| {
        let days = WEEK.iter().zip(hours.days).filter(|(_, is_one)| *is_one);
        let days: Vec<_> = days.map(|(name, _)| (*name).to_owned()).collect();
        let has_hours = hours.start != hours.end;
        let (start, end) = (hours.start_text(), hours.end_text());
        let (start, end) = if has_hours { (start.as_str(), end.as_str()) } else { ("", "") };
        let window = TimeWindow::parse(&days, start, end).unwrap();
        let draft = PolicyDraft {
            id: "pol_1",
            name: "pol_1",
            revision: 1,
            is_active: true,
            scope: "",
            priority: None,
        };
        ContactPolicy::parse(&draft, Ok(Arc::new(window))).unwrap()
    });
    let policies = policies.into_iter().collect();
    let configuration = Configuration::new(1, vec![channel.unwrap()], policies, settings);

    let zones = ["timezone", "second"].into_iter().zip(&case.zones);
    let zones =
        zones.map(|(field, zone)| (field.to_owned(), FieldValue::Text(zone.tz.name().to_owned())));
    let others = [
        ("consentEmail".to_owned(), FieldValue::Boolean(true)),
        ("country".to_owned(), FieldValue::Text("US".to_owned())),
    ];
    let fields: BTreeMap<_, _> = zones.chain(others).collect();
    let candidates = [Candidate { offer_id: "off_1".to_owned(), ..Candidate::default() }];
    let judged = verdict::Case {
        configuration: &configuration,
        channel: configuration.channel("email"),
        at: case.now,
        fields: &fields,
        candidates: &candidates,
        scrutiny: Scrutiny::Full,
    };
    let facts = Facts { ledger_at: case.now, ..Facts::default() };
    let judgment = judge(&judged, &facts, Slots { limit: 1, until: case.now + TimeDelta::days(1) });
    let refusal = judgment.refusal.or_else(|| judgment.verdicts[0].refusal.clone());
    assert_eq!(refusal.is_none(), judgment.granted == [0], "{case:?}");
    refusal.map_or(("", None), |refusal| (refusal.code.as_str(), refusal.deliver_after))
}

/// What a scan minute by minute tells.
fn expected(case: &Case<'_>) -> Told {
    let demand = |hours: Option<Hours>, is_within| {
        hours.map(|hours| Demand { hours, is_within, zones: &case.zones })
    };
    let quiet: Vec<_> =
        [demand(case.quiet, false), demand(case.legal, false)].into_iter().flatten().collect();
    let all: Vec<_> = quiet.iter().copied().chain(demand(case.allowed, true)).collect();
    let minute = minute_of(case.now);
    let code = match () {
        () if !quiet.iter().all(|demand| demand.allows(minute)) => "quiet_hours",
        () if !all.iter().all(|demand| demand.allows(minute)) => "time_window",
        () => return ("", None),
    };
    let local = |at: DateTime<Utc>| {
        let ahead_s = i32::try_from(case.zones[0].ahead(minute_of(at)) * 60).unwrap();
        at.with_timezone(&FixedOffset::east_opt(ahead_s).unwrap())
    };
    (code, first_allowed(&all, case.now).map(local))
}

#[test]
fn whoever_may_not_be_contacted_now_may_be_from_the_first_minute_a_scan_finds() {
    let drill = Drill::of_environment();
    let (zones, others) = zones_of_the_same_release();
    assert!(others.is_empty(), "{others:?}");
    let one = |number: usize, met: &mut Met| {
        let case = case(&zones, &mut drill.draw(number));
        let (told, expected) = (told(&case), expected(&case));
        // The same instant with another offset would be equal.
        let shown = |told: Told| (told.0, told.1.map(|at| at.to_rfc3339()));
        assert_eq!(shown(told), shown(expected), "seed {} number {number}: {case:?}", drill.seed);
        met.note(&case, told);
    };
    let count = drill.of(WINDOWS);
    let mut met = on_all_processors(count, one, Met::add);
    println!("seed {}, {count} windows in {} zones", drill.seed, zones.len());
    for (what, times) in met.all() {
        println!("  {what}: {times}");
        assert!(*times > count / 2_000, "{what}: met {times} times only");
    }
}
