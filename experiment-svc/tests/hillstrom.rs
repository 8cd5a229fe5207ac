//! Hillstrom's e-mail experiment, 64,000 customers, read out and compared with statsmodels and
//! scipy.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{DateTime, TimeDelta, Utc};
use experiment_svc::domain::{
    analysis::{
        Activity, Arm, Counts, Customer, Design, Effect, More, ReadOut, Recomputed, read_out,
    },
    experiment::{SplitEpoch, Status},
    measure::{Happened, Metric},
};
use serde_json::Value;

/// Names the Python that has scipy and statsmodels.
const PYTHON_VARIABLE: &str = "PROFFER_TEST_PYTHON";
/// Quantities without a t in them.
const EXACT: f64 = 1e-9;
/// Bounds from a t quantile.
const BY_T: f64 = 1e-6;
const P: f64 = 1e-8;

struct Row {
    segment: String,
    history_e4: i128,
    visit: bool,
    conversion: bool,
    spend_e4: i64,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hillstrom")
}

fn rows() -> Vec<Row> {
    let packed = std::fs::File::open(folder().join("hillstrom.csv.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|known| known == name).unwrap();
    let [segment, history, visit, conversion, spend] =
        ["segment", "history", "visit", "conversion", "spend"].map(at);
    let e4 = |text: &str| (text.parse::<f64>().unwrap() * 10_000.0).round() as i64;
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            Row {
                segment: record[segment].to_owned(),
                history_e4: e4(&record[history]).into(),
                visit: &record[visit] == "1",
                conversion: &record[conversion] == "1",
                spend_e4: e4(&record[spend]),
            }
        })
        .collect()
}

/// What the customer did, as the ledger would have it.
fn activity(metric: &Metric, row: &Row) -> Activity {
    let mut outcomes = Vec::new();
    let mut add = |key, value_e4| outcomes.push(Happened { key, is_positive: true, value_e4 });
    if row.visit {
        add("visit", None);
    }
    if row.conversion {
        add("conversion", Some(row.spend_e4));
    }
    let sum = |sum: &experiment_svc::domain::measure::Sum| {
        outcomes.iter().map(|outcome| sum.of(outcome)).sum()
    };
    Activity { sums: metric.sums.iter().map(sum).collect(), is_buyer: row.spend_e4 > 0 }
}

fn contrast(rows: &[Row], treated: &[&str], metric: &str) -> ReadOut {
    let metric = Metric::parse(metric).unwrap();
    let mut counts = Counts::new(metric.clone()).keeping_figures();
    counts.covariate = Some("history".to_owned());
    for row in rows {
        let arm = match &row.segment[..] {
            "No E-Mail" => Arm::Holdout,
            segment if treated.contains(&segment) => Arm::Treatment,
            _ => continue,
        };
        let since_assignment = activity(&counts.metric, row);
        let customer = Customer {
            arm,
            epoch: 1,
            covariate: row.history_e4,
            since_assignment,
            since_exposure: None,
        };
        counts.add(&customer);
    }
    let start = DateTime::from_timestamp(1_200_000_000, 0).unwrap();
    let holdout_basis_points = if treated.len() == 2 { 3_333 } else { 5_000 };
    let design = Design {
        status: Status::Running,
        primary_metric: metric,
        planned_end: Some(start + TimeDelta::days(14)),
        outcome_window: None,
        concluded_at: None,
        epochs: vec![SplitEpoch { epoch: 1, holdout_basis_points, since: start }],
        expected_customers: 5_000,
        is_external: true,
    };
    let now: DateTime<Utc> = start + TimeDelta::days(15);
    let recomputed = Some(Recomputed::of(&counts, Vec::new(), now));
    read_out(&design, &counts, &More { recomputed, ..More::default() }, now)
}

fn close(what: &str, actual: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what} is not in the figures"));
    let near = (actual - expected).abs() <= tolerance * expected.abs();
    assert!(near, "{what}: {actual:e} is not {expected:e}");
}

fn close_bounds(what: &str, actual: [f64; 2], expected: &Value, tolerance: f64) {
    actual.iter().zip(0..2).for_each(|(bound, at)| close(what, *bound, &expected[at], tolerance));
}

/// What the method of this name says.
fn interval(effect: &Effect, method: &str) -> [f64; 2] {
    let found = effect.estimates.iter().find(|(known, _)| known.name == method);
    found.unwrap().1.interval.unwrap()
}

fn check_means(what: &str, effect: &Effect, expected: &Value) {
    close(what, effect.difference, &expected["difference"], EXACT);
    let test = effect.test.unwrap();
    close(&format!("{what} statistic"), test.statistic, &expected["statistic"], EXACT);
    close(&format!("{what} p"), test.p, &expected["p"], P);
    let [pooled, welch] = ["pooled_t", "welch"].map(|method| interval(effect, method));
    close_bounds(&format!("{what} pooled t"), pooled, &expected["pooled_t"], BY_T);
    close_bounds(&format!("{what} Welch"), welch, &expected["welch"], BY_T);
    let width = |[low, high]: [f64; 2]| high - low;
    let wider = if width(welch) > width(pooled) { welch } else { pooled };
    assert_eq!(effect.interval, Some(wider), "{what}");
}

fn check_lift(what: &str, effect: &Effect, expected: &Value) {
    let lift = effect.relative_lift;
    close(&format!("{what} lift"), lift.value.unwrap(), &expected["value"], EXACT);
    close_bounds(&format!("{what} lift"), lift.interval.unwrap(), &expected["ci95"], EXACT);
    close(&format!("{what} g"), lift.g.unwrap(), &expected["g"], EXACT);
}

fn check(what: &str, read_out: &ReadOut, expected: &Value) {
    let assigned = &read_out.assigned;
    let effect = assigned.effect.as_ref().unwrap();
    if expected.get("newcombe").is_some() {
        close(what, effect.difference, &expected["difference"], EXACT);
        let test = effect.test.unwrap();
        close(&format!("{what} z"), test.statistic, &expected["statistic"], EXACT);
        close(&format!("{what} p"), test.p, &expected["p"], P);
        assert_eq!(effect.interval, Some(interval(effect, "newcombe")));
        for method in ["newcombe", "wald"] {
            let what = format!("{what} {method}");
            close_bounds(&what, interval(effect, method), &expected[method], EXACT);
        }
    } else {
        check_means(what, effect, expected);
        let total = assigned.total.unwrap();
        close(&format!("{what} total"), total.value, &expected["total"], EXACT);
        let winsorized = assigned.winsorized.as_ref().unwrap();
        close(&format!("{what} cap"), winsorized.cap, &expected["winsorized"]["cap"], EXACT);
        check_means(&format!("{what} winsorized"), &winsorized.effect, &expected["winsorized"]);
    }
    check_lift(what, effect, &expected["relative_lift"]);
    let anytime = assigned.anytime.unwrap().interval;
    close_bounds(&format!("{what} anytime"), anytime, &expected["anytime"], EXACT);
    let (cuped, figures) = (assigned.cuped.as_ref().unwrap(), &expected["cuped"]);
    let what_cuped = format!("{what} cuped");
    check_means(&what_cuped, &cuped.effect, figures);
    check_lift(&what_cuped, &cuped.effect, &figures["relative_lift"]);
    close(&what_cuped, cuped.theta, &figures["theta"], EXACT);
    let reduction = cuped.variance_reduction.unwrap();
    close(&format!("{what_cuped} reduction"), reduction, &figures["variance_reduction"], BY_T);
    close(&format!("{what_cuped} balance"), cuped.balance.unwrap().p, &figures["balance_p"], P);
    let (chi_square, _) = assigned.srm.chi_square();
    close(&format!("{what} chi-square"), chi_square, &expected["srm"]["chi_square"], BY_T);
    close(&format!("{what} srm"), assigned.srm.p(), &expected["srm"]["p"], P);
}

fn stored_figures() -> Value {
    let text = std::fs::read_to_string(folder().join("figures.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Three contrasts, three metrics; raw, adjusted by the year's spend before, and winsorized.
#[test]
fn hillstroms_experiment_reads_out_as_statsmodels_and_scipy_have_it() {
    let (rows, figures) = (rows(), stored_figures());
    assert_eq!(rows.len(), 64_000);
    let mut checked = 0;
    for (name, treated) in [
        ("mens", &["Mens E-Mail"][..]),
        ("womens", &["Womens E-Mail"]),
        ("any", &["Mens E-Mail", "Womens E-Mail"]),
    ] {
        for (column, metric) in [
            ("visit", "outcome:visit"),
            ("conversion", "conversion_rate"),
            ("spend", "revenue_per_customer"),
        ] {
            let what = format!("{name} {column}");
            check(&what, &contrast(&rows, treated, metric), &figures[&what]);
            checked += 1;
        }
    }
    assert_eq!(checked, figures.as_object().unwrap().len());
}

/// The stored figures are those of the script, where Python has what it needs.
#[test]
fn the_figures_are_what_statsmodels_and_scipy_compute() {
    let python = std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    let has_packages = Command::new(&python).args(["-c", "import scipy, statsmodels"]).output();
    if !has_packages.is_ok_and(|output| output.status.success()) {
        println!(
            "statsmodels or scipy is not installed: the stored figures are not computed again"
        );
        return;
    }
    let run = Command::new(&python)
        .args([folder().join("figures.py"), folder().join("hillstrom.csv.gz")])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let computed: Value = serde_json::from_slice(&run.stdout).unwrap();
    same("", &computed, &stored_figures());
}

fn same(path: &str, computed: &Value, stored: &Value) {
    match (computed, stored) {
        (Value::Object(computed), Value::Object(stored)) => {
            assert!(computed.keys().eq(stored.keys()), "{path}");
            computed
                .iter()
                .for_each(|(key, value)| same(&format!("{path} {key}"), value, &stored[key]));
        }
        (Value::Array(computed), Value::Array(stored)) => {
            assert_eq!(computed.len(), stored.len(), "{path}");
            computed.iter().zip(stored).for_each(|(computed, stored)| same(path, computed, stored));
        }
        (computed, stored) => close(path, computed.as_f64().unwrap(), stored, 1e-10),
    }
}
