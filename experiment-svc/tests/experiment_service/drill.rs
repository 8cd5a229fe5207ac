//! Read-outs of many customers take no longer than those of few, and a real test is imported and
//! read out in seconds. Times are checked at the sizes that docs/drills.md names only: with few
//! customers they say nothing.

use std::{collections::BTreeMap, io::Read as _, time::Duration};

use database::Location;
use history::timestamp;
use proffer_proto::{
    experiment::v1::{self as proto, Arm, ledger_entry::Entry},
    values::v1::{Value, value::Kind},
};
use serve::Clock;

use super::suite::*;

/// Read-outs that are timed, of which the middle one counts.
const READ_OUTS: usize = 31;
/// How much longer many customers may take.
const RATIO_MAX: f64 = 1.5;

async fn timed(suite: &Suite, customers: usize) -> Duration {
    let name = format!("Size {customers}");
    let experiment = proto::Experiment {
        outcome_window_days: Some(7),
        starts_at: Some(history::timestamp(start())),
        ..on_flow(&name, &name)
    };
    let id = suite.create(experiment).await.unwrap().id;
    let mut entries = Vec::new();
    for number in 0..customers {
        let who = format!("c{number:07}");
        let arm = if number % 20 < 3 { Arm::Holdout } else { Arm::Treatment };
        let at = hour((number % 1_440) as i64);
        let Entry::Assignment(entry) = assigned(&who, arm, at) else { panic!("no arm") };
        let experiment_id = id.clone();
        entries.push(Entry::Assignment(proto::AssignmentEntry { experiment_id, ..entry }));
        if number % 10 == 0 {
            entries.push(Entry::Outcome(bought(&format!("{id}{number}"), &who, 7, at)));
        }
        if entries.len() >= 499 {
            suite.deliver(std::mem::take(&mut entries)).await.unwrap();
        }
    }
    suite.deliver_through(entries, Some(day(80))).await.unwrap();
    // The first one asks for what is computed in the background.
    suite.results(&id, "").await.unwrap();
    suite.app.recompute().await.unwrap();
    suite.app.fold().await.unwrap();
    let mut times = Vec::new();
    for _ in 0..READ_OUTS {
        let watch = Clock::system().stopwatch();
        let results = suite.results(&id, "").await.unwrap();
        times.push(watch.elapsed());
        let counted: i64 = results.arms.iter().map(|arm| arm.n).sum();
        assert_eq!(counted, customers as i64);
    }
    times.sort();
    times[READ_OUTS / 2]
}

/// What a variable says; none without it.
fn asked(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_many_customers_take_at_most_half_as_long_again_as_those_of_few() {
    let asked = asked("PROFFER_READ_OUT_CUSTOMERS");
    let (small, large) = asked.map_or((100, 1_000), |asked| (1_000, asked));
    let suite = Suite::start(Location::Url(testkit::fresh_database_url().await)).await;
    let few = timed(&suite, small).await;
    let many = timed(&suite, large).await;
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    println!("{small} customers: {few:?}; {large} customers: {many:?}; ratio {ratio:.2}");
    assert!(asked.is_none() || ratio <= RATIO_MAX, "ratio {ratio:.2}");
}

/// Whose customers were sent an e-mail, and what came of it: history, spend.
struct Row {
    is_treated: bool,
    history: f64,
    visited: bool,
    spend: f64,
}

fn hillstrom() -> Vec<Row> {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hillstrom/hillstrom.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(|row| {
        let row = row.unwrap();
        Row {
            is_treated: row["segment"] != "No E-Mail",
            history: row["history"].parse().unwrap(),
            visited: row["visit"] == "1",
            spend: row["spend"].parse().unwrap(),
        }
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn hillstroms_64000_customers_are_imported_and_read_out_in_seconds() {
    let suite = Suite::start(Location::Url(testkit::fresh_database_url().await)).await;
    let experiment = proto::Experiment {
        name: "Hillstrom".to_owned(),
        assignment_source: proto::AssignmentSource::External.into(),
        holdout_percentage: Some(33.33),
        primary_metric: "revenue_per_customer".to_owned(),
        secondary_metrics: vec!["outcome:visit".to_owned()],
        starts_at: Some(timestamp(day(-900))),
        duration: "14 days".to_owned(),
        covariate: "history".to_owned(),
        ..Default::default()
    };
    let id = suite.create(experiment).await.unwrap().id;
    let asked = asked("PROFFER_HILLSTROM_CUSTOMERS");
    let (mut rows, watch) = (hillstrom(), Clock::system().stopwatch());
    rows.truncate(asked.unwrap_or(2_000));
    let (mut imported, mut entries) = (Vec::new(), Vec::new());
    for (number, row) in rows.iter().enumerate() {
        let who = format!("h{number:05}");
        let arm = if row.is_treated { Arm::Treatment } else { Arm::Holdout };
        let history = Value { kind: Some(Kind::DoubleValue(row.history)) };
        imported.push(proto::ImportedAssignment {
            customer_id: who.clone(),
            arm: arm.into(),
            assigned_at: Some(timestamp(day(-899))),
            covariates: [("history".to_owned(), history)].into(),
        });
        let mut add = |key: &str, value_e4| {
            entries.push(Entry::Outcome(proto::OutcomeEntry {
                key: key.to_owned(),
                value_e4,
                received_at: Some(timestamp(hour(1))),
                ..bought(&format!("{who}{key}"), &who, 0, day(-890))
            }));
        };
        if row.visited {
            add("visit", None);
        }
        if row.spend > 0.0 {
            add("conversion", Some((row.spend * 10_000.0).round() as i64));
        }
    }
    for batch in imported.chunks(1_000) {
        let request = proto::ImportAssignmentsRequest {
            id: id.clone(),
            assignments: batch.to_vec(),
            ..Default::default()
        };
        let answer = suite.experiments.clone().import_assignments(request).await.unwrap();
        assert_eq!(answer.into_inner().refused, 0);
    }
    for batch in entries.chunks(500) {
        suite.deliver(batch.iter().cloned()).await.unwrap();
    }
    suite.deliver_through([], Some(hour(2))).await.unwrap();
    let filled = watch.elapsed();
    let watch = Clock::system().stopwatch();
    let results = suite.results(&id, "").await.unwrap();
    let read_out = watch.elapsed();
    let count = rows.len();
    println!("{count} customers: imported in {filled:?}, read out in {read_out:?}");
    let mean = |is_treated: bool| {
        let of: Vec<f64> =
            rows.iter().filter(|row| row.is_treated == is_treated).map(|row| row.spend).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    let expected = mean(true) - mean(false);
    assert!((results.difference.unwrap() - expected).abs() < 1e-9, "{results:?}");
    assert!(results.cuped.is_some_and(|cuped| cuped.covariate == "history"));
    assert!(asked.is_none() || read_out < Duration::from_secs(5), "{read_out:?}");
}
