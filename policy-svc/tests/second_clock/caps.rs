//! Caps against plain counting on jiff's calendar: who gets a slot, and when there is room again.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use policy_svc::domain::{
    channel::{Channel, ChannelDraft},
    configuration::Configuration,
    contact_policy::{ContactPolicy, PolicyDraft},
    facts::{ContactFact, Facts, Standing, Subject},
    question::{Candidate, FieldValue},
    rule::{cap::CapDraft, cross_channel_cap, customer_total_cap, frequency_cap, kind::PolicyKind},
    settings::Settings,
    verdict::{Case, Judgment, Scrutiny, Slots, judge},
};
use proptest::{prelude::*, test_runner::TestRng};

use super::{
    drill::{Drill, on_all_processors},
    scan::{instant, minute_of},
    zone::{DAY, YEARS, Zone, zones_of_the_same_release},
};

/// A twentieth of these are done with every run.
const CASES: usize = 200_000;
const LIVES: usize = 40_000;
const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);
const SCOPES: [&str; 4] =
    ["global", "category:Apparel", "channel:email", "category:apparel,Toys;channel:email"];
const CATEGORIES: [&str; 3] = ["Apparel", "Toys", "Home"];
const CHANNELS: [&str; 2] = ["email", "sms"];

/// What a contact, a reservation or a candidate is about: places in the lists above.
type About = (usize, usize);

/// A policy as this test reads it.
#[derive(Clone, Copy, Debug)]
struct Policy {
    /// `frequency_cap`, `customer_total_cap`, `cross_channel_cap`.
    kind: usize,
    scope: usize,
    draft: CapDraft,
}

impl Policy {
    fn concerns(&self, (category, channel): About) -> bool {
        let (is_listed, is_email) = (category < 2, channel == 0 || self.kind == 2);
        self.kind == 1
            || match self.scope {
                0 => true,
                1 => category == 0,
                2 => is_email,
                _ => is_listed && is_email,
            }
    }

    /// What may not be passed, each with its most.
    fn limits(&self) -> Vec<(Span, usize)> {
        let hours = i64::from(self.draft.window_hours) + 24 * i64::from(self.draft.window_days);
        let limits = [
            (Span::Sliding(TimeDelta::hours(hours)), self.draft.max_impressions),
            (Span::Day, self.draft.max_per_day),
            (Span::Week, self.draft.max_per_week),
            (Span::Month, self.draft.max_per_month),
        ];
        let given = limits.into_iter().filter(|(_, most)| *most > 0);
        given.map(|(span, most)| (span, usize::try_from(most).unwrap())).collect()
    }

    fn parse(&self, id: &str) -> ContactPolicy {
        let kind: Arc<dyn PolicyKind> = match self.kind {
            0 => Arc::new(frequency_cap::KIND.parse(self.draft).unwrap()),
            1 => Arc::new(customer_total_cap::KIND.parse(self.draft).unwrap()),
            _ => Arc::new(cross_channel_cap::KIND.parse(self.draft).unwrap()),
        };
        let scope = SCOPES[self.scope];
        let (name, revision, is_active, priority) = (id, 1, true, None);
        let draft = PolicyDraft { id, name, revision, is_active, scope, priority };
        ContactPolicy::parse(&draft, Ok(kind)).unwrap()
    }
}

/// Where contacts count.
#[derive(Clone, Copy, Debug)]
enum Span {
    Sliding(TimeDelta),
    Day,
    Week,
    Month,
}

impl Span {
    /// True when a contact counts at an instant: by its age, or because the calendar on the wall
    /// shows the same period.
    fn counts(self, zone: &Zone, contact: DateTime<Utc>, at: DateTime<Utc>) -> bool {
        let dates = || [contact, at].map(|at| zone.date(at));
        match self {
            Self::Sliding(length) => contact > at - length,
            // No period and its days are longer.
            _ if contact < at - TimeDelta::days(33) => false,
            Self::Day => {
                let [contact_date, date] = dates();
                contact_date == date
            }
            Self::Week => {
                let [contact_week, week] = dates().map(|date| date.iso_week_date());
                (contact_week.year(), contact_week.week()) == (week.year(), week.week())
            }
            Self::Month => {
                let [contact_month, month] = dates().map(|date| (date.year(), date.month()));
                contact_month == month
            }
        }
    }
}

/// What a customer has been sent, and may be sent still.
#[derive(Clone, Debug, Default)]
struct History {
    contacts: Vec<(About, DateTime<Utc>)>,
    /// Until when they are held.
    reservations: Vec<(About, DateTime<Utc>)>,
}

impl History {
    /// Contacts that count, and reservations.
    fn used(&self, policy: &Policy, span: Span, zone: &Zone, at: DateTime<Utc>) -> (usize, usize) {
        let theirs = |(about, _): &&(About, DateTime<Utc>)| policy.concerns(*about);
        let contacts = self
            .contacts
            .iter()
            .filter(theirs)
            .filter(|(_, contact)| span.counts(zone, *contact, at));
        let reserved = self.reservations.iter().filter(theirs).filter(|(_, until)| *until > at);
        (contacts.count(), reserved.count())
    }

    fn has_room(&self, policy: &Policy, zone: &Zone, at: DateTime<Utc>) -> bool {
        policy.limits().into_iter().all(|(span, most)| {
            let (contacts, reserved) = self.used(policy, span, zone, at);
            contacts + reserved < most
        })
    }

    fn facts(&self, ledger_at: DateTime<Utc>) -> Facts {
        let subject = |(category, channel): About| {
            Subject::new(&offer(category), &format!("ch_{}", CHANNELS[channel]), CHANNELS[channel])
        };
        let committed = self.contacts.iter().map(|(about, at)| (*about, Standing::Committed(*at)));
        let reserved =
            self.reservations.iter().map(|(about, until)| (*about, Standing::Reserved(*until)));
        let fact = |(about, standing)| ContactFact {
            contact_id: String::new(),
            subject: subject(about),
            standing,
        };
        Facts {
            ledger_at,
            contacts: committed.chain(reserved).map(fact).collect(),
            ..Facts::default()
        }
    }
}

fn offer(category: usize) -> Candidate {
    let (category, offer_id) = (CATEGORIES[category].to_owned(), format!("off_{category}"));
    Candidate { offer_id, category, ..Candidate::default() }
}

/// Asks for slots by e-mail, for offers of these categories in this order.
fn judged(
    policies: &[Policy],
    history: &History,
    zone: &Zone,
    at: DateTime<Utc>,
    offers: &[usize],
    slots: Slots,
) -> Judgment {
    let channel = |name: &str| {
        Channel::parse(&ChannelDraft { id: &format!("ch_{name}"), name, ..ChannelDraft::default() })
            .unwrap()
    };
    let parsed = policies
        .iter()
        .enumerate()
        .map(|(place, policy)| policy.parse(&format!("pol_{place}")))
        .collect();
    let configuration =
        Configuration::new(1, CHANNELS.map(channel).to_vec(), parsed, Settings::default());
    let fields = BTreeMap::from([
        ("timezone".to_owned(), FieldValue::Text(zone.tz.name().to_owned())),
        ("consentEmail".to_owned(), FieldValue::Boolean(true)),
    ]);
    let candidates: Vec<_> = offers.iter().map(|category| offer(*category)).collect();
    let (channel, scrutiny) = (configuration.channel("email"), Scrutiny::Full);
    let case = Case {
        configuration: &configuration,
        channel,
        at,
        fields: &fields,
        candidates: &candidates,
        scrutiny,
    };
    let judgment = judge(&case, &history.facts(at), slots);
    assert_eq!(judgment.refusal, None);
    judgment
}

fn policy(random: &mut TestRng) -> Policy {
    let mut draft = CapDraft::default();
    while draft.max_impressions + draft.max_per_day + draft.max_per_week + draft.max_per_month == 0
    {
        let mut most =
            |chance: f64| if random.random_bool(chance) { random.random_range(1..6) } else { 0 };
        (draft.max_impressions, draft.max_per_day) = (most(0.4), most(0.4));
        (draft.max_per_week, draft.max_per_month) = (most(0.3), most(0.3));
    }
    if draft.max_impressions > 0 {
        match random.random_bool(0.5) {
            true => draft.window_hours = random.random_range(1..200),
            false => draft.window_days = random.random_range(1..40),
        }
    }
    Policy { kind: random.random_range(0..3), scope: random.random_range(0..SCOPES.len()), draft }
}

/// A zone and an instant; mostly on a day on which its clock changes, or the day after.
fn place<'a>(zones: &'a [Zone], random: &mut TestRng) -> (&'a Zone, DateTime<Utc>) {
    let zone = &zones[random.random_range(0..zones.len())];
    let changes: Vec<_> = zone.changes().collect();
    let mut minute = random.random_range(YEARS.start..YEARS.end);
    if !changes.is_empty() && random.random_bool(0.7) {
        minute =
            changes[random.random_range(0..changes.len())].0 + random.random_range(-DAY..2 * DAY);
    }
    (zone, instant(minute) + TimeDelta::microseconds(random.random_range(0..60_000_000)))
}

/// An instant at or before `now`, often at the edge of a window or of a day.
fn past(
    policies: &[Policy],
    zone: &Zone,
    now: DateTime<Utc>,
    random: &mut TestRng,
) -> DateTime<Utc> {
    let edge = MICROSECOND * random.random_range(-1..2);
    let days_ago = [0, 1, 6, 7, 27, 30][random.random_range(0..6_usize)];
    let policy = policies[random.random_range(0..policies.len())];
    let at = match (random.random_range(0..4_u8), policy.limits()[0].0) {
        (0, Span::Sliding(length)) => now - length + edge,
        (0 | 1, _) => {
            let minute = minute_of(now) - days_ago * DAY;
            let midnight = minute - zone.wall(minute) % DAY;
            // The clock may have changed since that midnight.
            instant(midnight + zone.ahead(minute) - zone.ahead(midnight)) + edge
        }
        (2, _) => now - TimeDelta::minutes(random.random_range(0..2 * DAY)),
        _ => now - TimeDelta::minutes(random.random_range(0..40 * DAY)),
    };
    at.min(now)
}

fn about(random: &mut TestRng) -> About {
    (random.random_range(0..CATEGORIES.len()), random.random_range(0..CHANNELS.len()))
}

/// What was met, so that a run that met nothing fails.
#[derive(Debug, Default)]
struct Met {
    granted: usize,
    refused: usize,
    rooms: usize,
    on_short_days: usize,
    on_long_days: usize,
    moves: usize,
}

impl Met {
    fn add(&mut self, other: Self) {
        self.granted += other.granted;
        self.refused += other.refused;
        self.rooms += other.rooms;
        self.on_short_days += other.on_short_days;
        self.on_long_days += other.on_long_days;
        self.moves += other.moves;
    }

    /// A change of the clock on this date.
    fn note_day(&mut self, zone: &Zone, at: DateTime<Utc>) {
        let date = |minute: i64| zone.wall(minute) / DAY;
        let today = date(minute_of(at));
        let jump: i64 =
            zone.changes().filter(|(change, _)| date(*change) == today).map(|(_, jump)| jump).sum();
        self.on_short_days += usize::from(jump > 0);
        self.on_long_days += usize::from(jump < 0);
    }
}

#[test]
fn slots_and_the_next_room_are_those_of_plain_counting() {
    let drill = Drill::of_environment();
    let (zones, _) = zones_of_the_same_release();
    let one = |number: usize, met: &mut Met| {
        let random = &mut drill.draw(number);
        let (zone, now) = place(&zones, random);
        let policies: Vec<_> =
            (0..random.random_range(1..4_usize)).map(|_| policy(random)).collect();
        let mut history = History::default();
        for _ in 0..random.random_range(0..12_u8) {
            history.contacts.push((about(random), past(&policies, zone, now, random)));
        }
        for _ in 0..random.random_range(0..4_u8) {
            let left = TimeDelta::minutes(random.random_range(-60..DAY))
                * i32::from(random.random_bool(0.9));
            history.reservations.push((about(random), now + left));
        }
        let offers: Vec<_> = (0..random.random_range(1..5_usize))
            .map(|_| random.random_range(0..CATEGORIES.len()))
            .collect();
        let slots = Slots { limit: random.random_range(1..4), until: now + TimeDelta::hours(24) };
        let judgment = judged(&policies, &history, zone, now, &offers, slots);
        met.note_day(zone, now);

        let about = format!("seed {} number {number}: {policies:?} {offers:?}", drill.seed);
        let told = |place: usize| format!("{about} offer {place}: {judgment:#?}");
        let mut granted = Vec::new();
        for (place, category) in offers.iter().enumerate() {
            let verdict = &judgment.verdicts[place];
            let looking = policies.iter().filter(|policy| policy.concerns((*category, 0)));
            assert_eq!(looking.clone().count(), verdict.policies.len(), "{}", told(place));
            let mut is_refused = false;
            for (policy, found) in looking.zip(&verdict.policies) {
                let has_room = history.has_room(policy, zone, now);
                assert_eq!(found.is_passed, has_room, "{policy:?} {}", told(place));
                let counts = |(span, most)| (history.used(policy, span, zone, now), most);
                let shown = ((found.counted, found.reserved), found.limit);
                assert!(
                    policy.limits().into_iter().map(counts).any(|count| count == shown),
                    "{}",
                    told(place)
                );
                match found.next_allowed_at {
                    None => assert!(has_room, "{policy:?} {}", told(place)),
                    Some(next) => {
                        assert!(history.has_room(policy, zone, next), "{policy:?} {}", told(place));
                        assert!(
                            !history.has_room(policy, zone, next - MICROSECOND),
                            "{policy:?} {}",
                            told(place)
                        );
                        met.rooms += 1;
                    }
                }
                is_refused |= !has_room;
            }
            assert_eq!(verdict.refusal.is_some(), is_refused, "{}", told(place));
            met.refused += usize::from(is_refused);
            if !is_refused && granted.len() < slots.limit {
                granted.push(place);
                history.reservations.push(((*category, 0), slots.until));
            }
        }
        assert_eq!(judgment.granted, granted, "{}", told(0));
        met.granted += granted.len();
    };
    let met = on_all_processors(drill.of(CASES), one, Met::add);
    println!("seed {}, {} cases: {met:?}", drill.seed, drill.of(CASES));
    assert!(met.granted > 1_000 && met.refused > 1_000 && met.rooms > 1_000, "{met:?}");
    assert!(met.on_short_days > 100 && met.on_long_days > 100, "{met:?}");
}

/// The spans that are full at a contact; none of them holds more than its cap. Calendar periods are
/// left out for a customer who moved.
fn full_spans(
    policy: &Policy,
    history: &History,
    zone: &Zone,
    has_moved: bool,
    life: &str,
) -> usize {
    let mut full = 0;
    for (_, end) in &history.contacts {
        for (span, most) in policy.limits() {
            if has_moved && !matches!(span, Span::Sliding(_)) {
                continue;
            }
            let is_held = |at: &DateTime<Utc>| at <= end && span.counts(zone, *at, *end);
            let held = history.contacts.iter().filter(|(_, at)| is_held(at)).count();
            assert!(held <= most, "{life}: {held} of {most} in {span:?}: {history:?}");
            full += usize::from(held == most);
        }
    }
    full
}

/// A life of some weeks: slots are asked for, committed later, given back or left to lapse, while
/// the customer moves.
///
/// No sliding window ever holds more contacts than its cap. A calendar period is that of the zone
/// the customer lives in when the slot is given; so for one who never moves no period holds more
/// than its cap, and one who moves gets no slot that the calendar of the new zone has no room for.
#[test]
fn no_window_and_no_period_ever_holds_more_than_the_cap_wherever_the_customer_moves() {
    let drill = Drill::of_environment();
    let (zones, _) = zones_of_the_same_release();
    let one = |number: usize, met: &mut Met| {
        let random = &mut drill.draw(CASES + number);
        let (mut zone, mut now) = place(&zones, random);
        let draft = CapDraft {
            window_hours: random.random_range(12..100),
            max_impressions: random.random_range(2..4),
            max_per_day: random.random_range(1..3),
            max_per_week: random.random_range(2..6),
            max_per_month: random.random_range(4..9),
            ..CapDraft::default()
        };
        let policy = Policy { kind: 0, scope: 0, draft };
        let (mut history, mut moves, is_settled) = (History::default(), 0, random.random_bool(0.5));
        for _ in 0..30 {
            history.reservations.retain(|(_, until)| *until > now);
            match random.random_range(0..10_u8) {
                0..5 => {
                    let slots = Slots { limit: 1, until: now + TimeDelta::hours(24) };
                    let is_granted =
                        !judged(&[policy], &history, zone, now, &[0], slots).granted.is_empty();
                    let has_room = history.has_room(&policy, zone, now);
                    assert_eq!(
                        is_granted, has_room,
                        "seed {} life {number}: {history:?}",
                        drill.seed
                    );
                    met.note_day(zone, now);
                    if is_granted {
                        history.reservations.push(((0, 0), slots.until));
                        met.granted += 1;
                    } else {
                        met.refused += 1;
                    }
                }
                5..7 => {
                    if let Some((about, _)) = history.reservations.pop() {
                        history.contacts.push((about, now));
                    }
                }
                7 => drop(history.reservations.pop()),
                8 if !is_settled => {
                    zone = &zones[random.random_range(0..zones.len())];
                    moves += 1;
                }
                _ => now += TimeDelta::microseconds(random.random_range(1..50 * 3_600_000_000_i64)),
            }
        }
        met.moves += moves;
        let life = format!("seed {} life {number}", drill.seed);
        met.rooms += full_spans(&policy, &history, zone, moves > 0, &life);
    };
    let met = on_all_processors(drill.of(LIVES), one, Met::add);
    println!(
        "seed {}, {} lives: {met:?} (rooms: spans that were filled)",
        drill.seed,
        drill.of(LIVES)
    );
    assert!(
        met.granted > 1_000 && met.refused > 1_000 && met.rooms > 1_000 && met.moves > 1_000,
        "{met:?}"
    );
    assert!(met.on_short_days > 100 && met.on_long_days > 100, "{met:?}");
}
