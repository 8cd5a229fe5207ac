//! The sums of three experiments after very many outcomes in random order, some delivered again,
//! by a service that restarts in between: against those of the stored rows, and against a count of
//! what was sent that shares nothing with the service.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use history::timestamp;
use proffer_proto::experiment::v1::{self as proto, Arm, ledger_entry::Entry};

use super::{
    suite::*,
    sums::{Dice, check_sums},
};

/// What every experiment here counts.
const METRICS: [&str; 4] =
    ["revenue_per_customer", "conversion_rate", "count:click", "rate:conversion/visit"];
/// Planned end of the experiments, in days.
const END: i64 = 90;

/// How many outcomes: few in a test run, as many as `PROFFER_SUMS_OUTCOMES` says in a
/// drill, where the promise names 100,000.
fn outcomes() -> u64 {
    let asked = std::env::var("PROFFER_SUMS_OUTCOMES").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(2_500)
}

/// An experiment as the recount knows it.
struct Run {
    id: String,
    is_universal: bool,
    window: Option<TimeDelta>,
    /// Percent held out by each split.
    shares: Vec<u64>,
}

/// One of a flow whose split changed, one of another flow with windows, and one of every flow.
async fn runs(suite: &Suite) -> Vec<Run> {
    let mut runs = Vec::new();
    for (name, flow, days) in
        [("Whole", "flow_whole", None), ("Windows", "flow_windows", Some(7)), ("Every", "*", None)]
    {
        let experiment = proto::Experiment {
            starts_at: Some(timestamp(start())),
            outcome_window_days: days,
            secondary_metrics: METRICS[1..].iter().map(|name| (*name).to_owned()).collect(),
            covariate: "revenue_before:3".to_owned(),
            ..on_flow(name, flow)
        };
        let id = suite.create(experiment).await.unwrap().id;
        let mut shares = vec![15];
        if name == "Whole" {
            let holdout_percentage = Some(30.0);
            let patch = proto::Experiment { holdout_percentage, ..Default::default() };
            suite.patch(&id, patch, &["holdout_percentage"]).await.unwrap();
            shares.push(30);
        }
        let window = days.map(|days| TimeDelta::days(days.into()));
        runs.push(Run { id, is_universal: flow == "*", window, shares });
    }
    runs
}

fn within(dice: &mut Dice, hours: u64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(dice.next(hours * 3_600) as i64)
}

/// Arms, exposures and outcomes, each once and in order.
fn entries(runs: &[Run], dice: &mut Dice) -> Vec<Entry> {
    let (customers, mut entries) = (outcomes() / 10, Vec::new());
    let name = |number: u64| format!("c{number:05}");
    for number in 0..customers {
        let arms: Vec<(bool, i32)> = runs
            .iter()
            .map(|run| {
                let split = dice.next(run.shares.len() as u64);
                (dice.next(100) < run.shares[split as usize], split as i32 + 1)
            })
            .collect();
        let holds = |universal: bool| {
            let mut both = runs.iter().zip(&arms);
            both.find(|(run, (is_held, _))| run.is_universal == universal && *is_held)
        };
        for (run, (is_held, epoch)) in runs.iter().zip(&arms) {
            let emptied_by = match holds(true) {
                Some((every, _)) => every.id.clone(),
                None if *is_held => run.id.clone(),
                None => String::new(),
            };
            entries.push(Entry::Assignment(proto::AssignmentEntry {
                experiment_id: run.id.clone(),
                customer_id: name(number),
                arm: if *is_held { Arm::Holdout } else { Arm::Treatment }.into(),
                epoch: *epoch,
                assigned_at: Some(timestamp(within(dice, 240))),
            }));
            for _ in 0..dice.next(3) {
                entries.push(Entry::Exposure(proto::ExposureEntry {
                    experiment_id: run.id.clone(),
                    customer_id: name(number),
                    decision_id: format!("d{}", dice.next(1 << 40)),
                    ghost: *is_held,
                    at: Some(timestamp(within(dice, 2_400))),
                    epoch: *epoch,
                    emptied_by: emptied_by.clone(),
                    ..Default::default()
                }));
            }
        }
    }
    for number in 0..outcomes() {
        let key = ["conversion", "click", "visit", "complaint"][dice.next(4) as usize];
        let value_e4 = match dice.next(8) {
            0 => None,
            1 => Some(0),
            2 => Some(-(dice.next(1 << 40) as i64)),
            _ => Some(dice.next(9_999_999_999_999) as i64),
        };
        let at = within(dice, 2_500) - TimeDelta::hours(48);
        entries.push(Entry::Outcome(proto::OutcomeEntry {
            key: key.to_owned(),
            positive: key != "complaint",
            value_e4,
            received_at: Some(timestamp(at + TimeDelta::days(dice.next(12) as i64))),
            // A tenth of the outcomes are of customers without an arm.
            ..bought(&format!("o{number}"), &name(dice.next(customers * 10 / 9)), 0, at)
        }));
    }
    entries
}

fn shuffled(mut entries: Vec<Entry>, dice: &mut Dice) -> Vec<Entry> {
    for place in (1..entries.len()).rev() {
        entries.swap(place, dice.next(place as u64 + 1) as usize);
    }
    entries
}

/// Delivers in parts of any size. Some answers are lost, so the part comes again with others; some
/// times the service ends, and a relay begins again before the place it had reached.
async fn deliver(mut suite: Suite, entries: &[Entry], dice: &mut Dice) -> Suite {
    let (mut place, mut lost, mut restarts) = (0, 0, 0);
    for part in 0.. {
        if place == entries.len() {
            break;
        }
        let end = entries.len().min(place + 1 + dice.next(500) as usize);
        suite.deliver(entries[place..end].iter().cloned()).await.unwrap();
        match part % 6 {
            2 => lost += 1,
            5 => {
                suite = suite.restart().await;
                restarts += 1;
                place = end - (end - place).min(dice.next(300) as usize);
            }
            _ => place = end,
        }
    }
    assert!(lost > 1 && restarts > 1, "{lost} answers lost, {restarts} restarts");
    println!("{} entries, {lost} answers lost, {restarts} restarts", entries.len());
    suite
}

fn instant(stamp: Option<prost_types::Timestamp>) -> DateTime<Utc> {
    let stamp = stamp.unwrap();
    DateTime::from_timestamp(stamp.seconds, stamp.nanos.try_into().unwrap()).unwrap()
}

/// One arm of one population, counted customer by customer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Plain {
    n: i64,
    events: i64,
    buyers: i64,
    total: i128,
    squares: i128,
    /// Of a ratio the denominators.
    base: i128,
}

/// Everything about one customer in one experiment.
struct Known<'e> {
    is_held: bool,
    assigned: DateTime<Utc>,
    exposed: Option<(DateTime<Utc>, &'e str)>,
    outcomes: Vec<&'e proto::OutcomeEntry>,
}

fn known<'e>(run: &Run, entries: &'e [Entry]) -> Vec<Known<'e>> {
    let mut all = BTreeMap::new();
    for entry in entries {
        if let Entry::Assignment(it) = entry
            && it.experiment_id == run.id
        {
            let (is_held, assigned) = (it.arm() == Arm::Holdout, instant(it.assigned_at));
            let known = Known { is_held, assigned, exposed: None, outcomes: Vec::new() };
            all.insert(it.customer_id.as_str(), known);
        }
    }
    for entry in entries {
        match entry {
            Entry::Exposure(it) if it.experiment_id == run.id => {
                let known = all.get_mut(it.customer_id.as_str()).unwrap();
                let new = (instant(it.at), it.emptied_by.as_str());
                known.exposed = Some(known.exposed.map_or(new, |old| old.min(new)));
            }
            Entry::Outcome(it) => {
                let known = all.get_mut(it.customer_id.as_str());
                known.into_iter().for_each(|known| known.outcomes.push(it));
            }
            _ => {}
        }
    }
    all.into_values().collect()
}

/// Figure, denominator and whether there is a purchase, of the outcomes that count.
fn figure(metric: &str, outcomes: &[&proto::OutcomeEntry]) -> (i128, i128, bool) {
    let count = |key: &str| {
        let of_key = outcomes.iter().filter(|it| it.key == key);
        of_key.filter(|it| key != "conversion" || it.value_e4.is_none_or(|value| value > 0)).count()
            as i128
    };
    let value = |it: &&proto::OutcomeEntry| i128::from(it.value_e4.unwrap_or(0));
    let earned = outcomes.iter().filter(|it| it.positive || it.value_e4.unwrap_or(0) < 0);
    let figure = match metric {
        "revenue_per_customer" => (earned.map(value).sum(), 0),
        "conversion_rate" => (count("conversion").min(1), 0),
        "count:click" => (count("click"), 0),
        "rate:conversion/visit" => (count("conversion"), count("visit")),
        _ => panic!("{metric}"),
    };
    (figure.0, figure.1, outcomes.iter().any(|it| it.positive && value(it) > 0))
}

/// Treatment and holdout, by assignment or over the matched, when everything received up to
/// `through` is there. Windows end at whole hours of it.
fn recount(
    run: &Run,
    (customers, metric): (&[Known<'_>], &str),
    is_matched: bool,
    through: DateTime<Utc>,
) -> [Plain; 2] {
    let mut arms = [Plain::default(); 2];
    for customer in customers {
        let from = match (is_matched, customer.exposed) {
            (false, _) => customer.assigned,
            (true, None) => continue,
            (true, Some((at, by))) => {
                let is_others = !run.is_universal && !by.is_empty() && by != run.id;
                if is_others || at >= day(END) {
                    continue;
                }
                at
            }
        };
        let until = run.window.map_or(day(END), |window| from + window);
        if run.window.is_some() && until > through {
            continue;
        }
        let counts = |it: &&&proto::OutcomeEntry| {
            (from..until).contains(&instant(it.occurred_at))
                && instant(it.received_at) <= until + TimeDelta::days(7)
        };
        let counted: Vec<_> = customer.outcomes.iter().filter(counts).copied().collect();
        let (value, base, is_buyer) = figure(metric, &counted);
        let arm = &mut arms[usize::from(customer.is_held)];
        arm.n += 1;
        arm.events += i64::from(value != 0);
        arm.buyers += i64::from(is_buyer);
        arm.total += value;
        arm.squares += value * value;
        arm.base += base;
    }
    arms
}

fn near(found: Option<f64>, expected: f64, what: &str) {
    let found = found.unwrap_or_else(|| panic!("{what} is absent"));
    assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{what}: {found}, not {expected}");
}

fn check_arms(found: &[proto::ArmResult], expected: [Plain; 2], metric: &str, what: &str) {
    let units = if metric == "revenue_per_customer" { 10_000.0 } else { 1.0 };
    for (found, plain) in found.iter().zip(expected) {
        let what = format!("{what} {:?}", found.arm());
        let counted = (found.n, found.events(), found.buyers());
        assert_eq!(counted, (plain.n, plain.events, plain.buyers), "{what}");
        let n = i128::from(plain.n);
        near(found.total, plain.total as f64 / units, &what);
        if metric.starts_with("rate:") {
            near(found.denominator, plain.base as f64, &what);
            continue;
        }
        near(found.mean, plain.total as f64 / units / n as f64, &what);
        let spread = (n * plain.squares - plain.total * plain.total) as f64;
        near(found.variance, spread / (n * (n - 1)) as f64 / units / units, &what);
    }
}

/// Every figure that sums give, of every experiment and metric.
async fn check(suite: &Suite, runs: &[Run], entries: &[Entry], through: DateTime<Utc>) {
    suite.clock.set(through);
    suite.deliver_through([], Some(through)).await.unwrap();
    for run in runs {
        check_sums(suite, &run.id, &METRICS).await;
        let customers = known(run, entries);
        for metric in METRICS {
            let results = suite.results(&run.id, metric).await.unwrap();
            let matched = results.ghost_matched.as_ref().unwrap();
            for (is_matched, arms) in [(false, &results.arms), (true, &matched.arms)] {
                let expected = recount(run, (&customers, metric), is_matched, through);
                let [treated, held_out] = &expected;
                let is_telling = treated.events > 0 && held_out.n > 3;
                assert!(is_telling, "{expected:?} proves little");
                let what = format!("{} {metric} matched: {is_matched}", run.id);
                check_arms(arms, expected, metric, &what);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_after_outcomes_in_random_order_with_duplicates_and_restarts_are_those_of_the_rows() {
    on_both(async |suite| {
        let mut dice = Dice(7);
        let runs = runs(&suite).await;
        let once = entries(&runs, &mut dice);
        let again = once.iter().filter(|_| dice.next(10) == 0).cloned();
        let sent = shuffled(once.iter().cloned().chain(again).collect(), &mut dice);
        let suite = deliver(suite, &sent, &mut dice).await;
        let emptied: BTreeSet<_> = once
            .iter()
            .filter_map(|entry| match entry {
                Entry::Exposure(it) => Some(it.emptied_by.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(emptied.len(), 4, "three experiments and none of them");
        // Some windows have closed then, and later all.
        let windowed = runs.iter().position(|run| run.window.is_some()).unwrap();
        check(&suite, &runs[windowed..=windowed], &once, day(60)).await;
        check(&suite, &runs, &once, day(END + 20)).await;
    })
    .await;
}
