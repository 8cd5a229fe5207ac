//! What is computed here agrees with plain sums by numpy and scipy.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod samples;

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use samples::Random;
use serde_json::{Value, json};
use uplift::fit::{
    Row, Settings, autoc::autoc, bins, fit, qini::qini, response::response, scores, slope::slope,
};

/// Names the Python that has numpy and scipy.
const PYTHON_VARIABLE: &str = "PROFFER_TEST_PYTHON";
const EXACT: f64 = 1e-9;
/// What an iterative solver reaches.
const SOLVED: f64 = 1e-5;

/// Units with scores, some of them equal.
struct Case {
    rows: Vec<Row>,
    scores: Vec<f64>,
    propensity: Vec<f64>,
    expected: Vec<[f64; 2]>,
}

/// `has_ties` rounds the scores, `probabilities` are those of the treatment, in turn.
fn case(seed: u64, count: usize, has_ties: bool, probabilities: &[f64]) -> Case {
    selected(seed, count, has_ties, (probabilities, &[1.0]))
}

/// The same with units that were let in with these probabilities, in turn.
fn selected(
    seed: u64,
    count: usize,
    has_ties: bool,
    (probabilities, selections): (&[f64], &[f64]),
) -> Case {
    let mut random = Random(seed);
    let mut case = Case { rows: vec![], scores: vec![], propensity: vec![], expected: vec![] };
    let rounded = |score: f64| if has_ties { (score * 10.0).round() / 10.0 } else { score };
    for index in 0..count {
        let vector = vec![random.normal(), random.normal()];
        let probability = probabilities[index % probabilities.len()];
        let is_treated = random.is(probability);
        let without = uplift::predict::logistic(-0.5 + vector[0]);
        let with = uplift::predict::logistic(-0.2 + vector[0] + 0.5 * vector[1]);
        let is_positive = random.is(if is_treated { with } else { without });
        let value = if is_positive { 10.0 + 5.0 * random.normal() } else { 0.0 };
        case.scores.push(rounded(with - without + 0.1 * random.normal()));
        case.propensity.push(rounded(with).clamp(0.05, 0.95));
        case.expected.push([without, with]);
        case.rows.push(Row {
            vector,
            fold: index % 5,
            is_treated,
            probability,
            selection: selections[index % selections.len()],
            is_positive,
            value,
        });
    }
    case
}

fn units(rows: &[Row]) -> Vec<scores::Unit> {
    let outcome = |row: &Row| f64::from(u8::from(row.is_positive));
    rows.iter()
        .map(|row| scores::Unit {
            is_treated: row.is_treated,
            probability: row.probability,
            count: 1.0 / row.selection,
            outcome: outcome(row),
        })
        .collect()
}

fn asked(case: &Case) -> Value {
    let of = |read: &dyn Fn(&Row) -> Value| Value::Array(case.rows.iter().map(read).collect());
    json!({
        "scores": case.scores,
        "propensity": case.propensity,
        "expected": case.expected,
        "treated": of(&|row| json!(row.is_treated)),
        "probability": of(&|row| json!(row.probability)),
        "selection": of(&|row| json!(row.selection)),
        "outcome": of(&|row| json!(f64::from(u8::from(row.is_positive)))),
        "folds": of(&|row| json!(row.fold)),
        "vectors": of(&|row| json!(row.vector)),
        "values": of(&|row| json!(row.value)),
    })
}

/// What the script says of a case; nothing where Python has not what it needs.
fn oracle(case: &Case, asked_for: &str) -> Option<Value> {
    let python = std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    let has_packages = Command::new(&python).args(["-c", "import numpy, scipy"]).output();
    if !has_packages.is_ok_and(|output| output.status.success()) {
        println!("numpy or scipy is not installed: the figures are not compared");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/oracle.py");
    let mut running = Command::new(python)
        .args([script.as_os_str(), asked_for.as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(asked(case).to_string().as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn close(what: &str, found: &[f64], expected: &Value, tolerance: f64) {
    let expected: Vec<f64> =
        expected.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0.0, |size: f64, number| size.max(number.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        // Relative to itself; a figure that cancels, relative to those beside it.
        let allowed = tolerance * expected.abs().max(1e-3 * size);
        assert!((found - expected).abs() <= allowed, "{what}: {found:e} is not {expected:e}");
    }
}

fn check(case: &Case, expected: &Value) {
    let units = units(&case.rows);
    let robust = scores::doubly_robust(&units, &case.expected);
    close("robust", &robust, &expected["robust"], EXACT);
    let weights = scores::weights(&units);
    let by_effect = qini(&case.scores, &units).unwrap();
    let by_propensity = qini(&case.propensity, &units).unwrap();
    for (what, figure) in [
        ("qini", by_effect.figure()),
        ("by_propensity", by_propensity.figure()),
        ("gain", by_effect.minus(&by_propensity)),
        ("autoc", autoc(&case.scores, &robust, &weights).unwrap().figure()),
        ("average", scores::mean(&robust, &weights).unwrap()),
    ] {
        close(what, &[figure.value], &json!([expected[what][0]]), EXACT);
        close(what, &[figure.error], &json!([expected[what][1]]), EXACT);
    }
    let found = slope(&case.scores, &robust, &weights).unwrap();
    close("slope", &[found.value, found.error, found.p], &expected["slope"], EXACT);
    let folds: Vec<usize> = case.rows.iter().map(|row| row.fold).collect();
    let numbers = bins::numbers(&case.scores, &folds);
    let found = bins::bins(&numbers, &robust, None, &weights);
    let listed = expected["bins"].as_array().unwrap();
    assert_eq!(found.len(), listed.len());
    for (bin, expected) in found.iter().zip(listed) {
        let [low, high] = bin.interval;
        let number = bin.number as f64;
        let all = [number, bin.effect, bin.error, low, high, bin.helps, bin.units as f64];
        close("bin", &all, expected, EXACT);
    }
    let found = response(&units, &case.propensity).unwrap();
    close("response", &[found.auc, found.log_loss], &expected["response"], EXACT);
}

#[test]
fn figures_of_a_ranking_agree_with_numpy_and_scipy() {
    for case in [
        case(1, 120, false, &[0.5]),
        case(2, 121, true, &[0.5]),
        case(3, 160, false, &[0.85]),
        // A change of the split.
        case(4, 140, true, &[0.85, 0.5, 0.3]),
        // Units that passed a gate by lot.
        selected(6, 160, false, (&[0.5], &[1.0, 1.0, 0.05, 1.0, 0.5, 1.0, 1.0])),
        selected(7, 161, true, (&[0.85, 0.5], &[0.05, 1.0, 1.0])),
    ] {
        let Some(expected) = oracle(&case, "figures") else { return };
        check(&case, &expected);
    }
}

#[test]
fn coefficients_agree_with_numpy() {
    let case = case(5, 2_000, false, &[0.7]);
    let Some(expected) = oracle(&case, "coefficients") else { return };
    for (what, in_money, tolerance) in [("logistic", false, SOLVED), ("linear", true, EXACT)] {
        let settings = Settings { in_money, is_gated: false, ..Settings::default() };
        let uplift::fit::Outcome::Model(model, _) = fit(&case.rows, settings) else {
            panic!("no model")
        };
        let fold = &model.folds[0];
        let all = [&[fold.treatment], &fold.baseline[..], &fold.interaction, &[fold.intercept]];
        close(what, &all.concat(), &expected[what], tolerance);
    }
}
