//! Read-outs of many customers take no longer than those of few, and a real test is imported and
//! read out in seconds. Times are checked at the sizes that docs/drills.md names only: with few
//! customers they say nothing.

use std::{collections::BTreeMap, io::Read as _, time::Duration};

use database::{Location, Select};
use experiment_svc::grpc::plan_of;
use history::timestamp;
use proffer_proto::{
    experiment::v1::{self as proto, Arm, ledger_entry::Entry},
    values::v1::{Value, value::Kind},
};
use serve::Clock;

use super::{suite::*, sums::as_before};

/// Read-outs of each experiment that are timed, of which the middle one counts, in a drill.
const READ_OUTS: usize = 31;
/// Without one the times say nothing.
const READ_OUTS_FEW: usize = 3;
/// How much longer many customers may take.
const RATIO_MAX: f64 = 1.5;
/// Customers that one statement writes.
const CHUNK: usize = 20_000;

/// An experiment with so many customers, of whom half were exposed and a tenth bought, and whose
/// windows have closed. Its rows are written at once, and the service counts them itself.
async fn filled(suite: &Suite, name: &str, customers: usize) -> String {
    let experiment = proto::Experiment {
        outcome_window_days: Some(7),
        starts_at: Some(history::timestamp(start())),
        ..on_flow(name, name)
    };
    let id = suite.create(experiment).await.unwrap().id;
    let us = |hours| hour(hours).timestamp_micros();
    let (from, to, an_hour) = (us(0), us(24 * 8), us(1) - us(0));
    let mut statements = vec![format!("delete from counting where experiment_id = '{id}'")];
    for first in (0..customers).step_by(CHUNK) {
        let last = customers.min(first + CHUNK) - 1;
        let numbers = format!(
            "with recursive c (n) as
               (select {first} union all select n + 1 from c where n < {last})"
        );
        let at = format!("{from} + {an_hour} * (n % 1440)");
        statements.push(format!(
            "{numbers} insert into assignment
               (tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us)
             select 'default', '{name}' || n, '{id}', n % 20 < 3, 1, {at} from c"
        ));
        statements.push(format!(
            "{numbers} insert into exposure
               (tenant_id, customer_id, experiment_id, decision_id, is_ghost, exposed_us, epoch)
             select 'default', '{name}' || n, '{id}', 'dec' || n, n % 20 < 3, {at}, 1
             from c where n % 2 = 0"
        ));
        statements.push(format!(
            "{numbers} insert into outcome (tenant_id, customer_id, outcome_id, outcome_key,
               is_positive, value_e4, occurred_us, received_us)
             select 'default', '{name}' || n, '{id}' || n, 'conversion', true,
               70000 + 10000 * (n % 7), {at}, {to}
             from c where n % 10 = 0"
        ));
    }
    as_before(suite, &statements).await;
    assert_eq!(suite.app.count_again().await.unwrap(), 1);
    id
}

/// What both an answer and the sums in it take, by experiment.
#[derive(Default)]
struct Times {
    answers: Vec<Duration>,
    sums: Vec<Duration>,
}

fn middle(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

async fn timed(suite: &Suite, experiments: &[(&str, usize)], rounds: usize) -> Vec<(f64, f64)> {
    let mut times: Vec<Times> = experiments.iter().map(|_| Times::default()).collect();
    // In turn, so that whatever else the machine does meets all alike.
    for _ in 0..rounds {
        for ((id, customers), times) in experiments.iter().zip(&mut times) {
            let watch = Clock::system().stopwatch();
            let results = suite.results(id, "").await.unwrap();
            times.answers.push(watch.elapsed());
            let counted: i64 = results.arms.iter().map(|arm| arm.n).sum();
            assert_eq!(counted, *customers as i64);
            assert!(results.winsorized.is_some(), "{:?}", results.absent);
            let plan = plan_of(&suite.get(id).await.unwrap()).unwrap();
            let metric = plan.metrics[0].clone();
            let watch = Clock::system().stopwatch();
            let read = suite.app.store().read("default", &plan, metric).await.unwrap();
            times.sums.push(watch.elapsed());
            assert_eq!(read.assigned.iter().map(|(_, _, n)| n).sum::<u64>(), *customers as u64);
        }
    }
    let middles = |times: &mut Times| (middle(&mut times.answers), middle(&mut times.sums));
    times.iter_mut().map(middles).collect()
}

/// What a read-out adds up: places of sums whose windows have closed, and of them those that
/// belong to one hour.
async fn places(suite: &Suite, id: &str) -> (i64, i64) {
    let text = "select cast(count(*) as bigint), cast(coalesce(sum(of_hour), 0) as bigint) from (
        select metric, population, is_holdout, epoch,
          max(case when hour > 0 then 1 else 0 end) of_hour
        from tally_sum where experiment_id = $1
        group by metric, population, is_holdout, epoch) places";
    Select::new(text).bind(id).optional(suite.app.store().database()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn results_of_many_customers_take_at_most_half_as_long_again_as_those_of_few() {
    let asked = asked("PROFFER_READ_OUT_CUSTOMERS");
    // More than those whose figures are computed while the caller waits.
    let (small, large) = asked.map_or((300, 5_200), |asked| (1_000, asked));
    let suite = Suite::start(Location::Url(testkit::fresh_database_url().await)).await;
    let mut experiments = Vec::new();
    for (name, customers) in [("few", small), ("again", small), ("many", large)] {
        experiments.push((filled(&suite, name, customers).await, customers));
    }
    let experiments: Vec<_> = experiments.iter().map(|(id, n)| (id.as_str(), *n)).collect();
    suite.deliver_through([], Some(day(80))).await.unwrap();
    for (id, _) in &experiments {
        // Asks for what is computed in the background.
        suite.results(id, "").await.unwrap();
    }
    assert!(suite.app.recompute().await.unwrap() > 0, "nothing was left to the background");
    suite.app.fold().await.unwrap();
    for (id, customers) in &experiments {
        let expected = places(&suite, experiments[0].0).await;
        assert_eq!(places(&suite, id).await, expected, "{customers} customers add up as few rows");
        assert_eq!(expected.1, 0, "every hour is folded");
    }
    let rounds = if asked.is_some() { READ_OUTS } else { READ_OUTS_FEW };
    let found = timed(&suite, &experiments, rounds).await;
    let [few, again, many] = found.as_slice() else { panic!("{found:?}") };
    let ms = |seconds: f64| format!("{:.1} ms", 1_000.0 * seconds);
    for (what, [few, again, many]) in
        [("answer", [few.0, again.0, many.0]), ("sums", [few.1, again.1, many.1])]
    {
        println!(
            "{what}: {small} customers {}, as many again {} (ratio {:.2}), {large} customers {} \
             (ratio {:.2})",
            ms(few),
            ms(again),
            again / few,
            ms(many),
            many / few
        );
        assert!(asked.is_none() || many / few <= RATIO_MAX, "{what}: ratio {:.2}", many / few);
    }
}

/// What a variable says; none without it.
fn asked(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
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
