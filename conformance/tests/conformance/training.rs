//! The download of training rows, read by a program that knows nothing of this one.

use conformance::{
    door::run,
    suite::{Shape, Store, Suite},
};
use serde_json::{Value, json};
use tokio::process::Command;

/// Names the Python that is used.
const PYTHON_VARIABLE: &str = "PROFFER_TEST_PYTHON";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance");
const HILLSTROM: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../experiment-svc/tests/hillstrom/hillstrom.csv.gz");
/// One of so many of its customers.
const STEP: usize = 20;
/// Downloads until all outcomes are there.
const ASKED_MAX: usize = 200;
/// Rows of one call.
const ROWS: usize = 500;

/// Hillstrom's customers who got the e-mail about women's clothes or none, by Python.
async fn known() -> Vec<Value> {
    let script = "import csv, gzip, json, sys\n\
        rows = csv.DictReader(gzip.open(sys.argv[1], 'rt'))\n\
        known = [row for row in rows if row['segment'] != 'Mens E-Mail']\n\
        print(json.dumps(known[::int(sys.argv[2])]))";
    let mut python = python();
    python.args(["-c", script, HILLSTROM, &STEP.to_string()]);
    serde_json::from_str(&said(python).await).unwrap()
}

fn python() -> Command {
    Command::new(std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned()))
}

async fn said(command: Command) -> String {
    let (code, output, errors) = run(command, "").await.unwrap();
    assert_eq!(code, Some(0), "{errors}");
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_script_finds_in_the_download_what_the_experiments_file_says() {
    let suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let client = suite.client();
    let visit = json!({"key": "visit", "name": "Visit", "classification": "positive",
        "category": "response"});
    client.ok("POST", "/api/v1/outcome-types", &visit).await.unwrap();
    let experiment = json!({"name": "Hillstrom", "assignmentSource": "external",
        "holdoutPercentage": 50, "startsAt": "2008-03-01T00:00:00Z", "duration": "14 days"});
    client.ok("POST", "/api/v1/experiments", &experiment).await.unwrap();
    let known = known().await;
    let (mut assignments, mut outcomes) = (Vec::new(), Vec::new());
    for (number, row) in known.iter().enumerate() {
        let customer = format!("h{number:05}");
        let is_holdout = row["segment"] == "No E-Mail";
        let recency: f64 = row["recency"].as_str().unwrap().parse().unwrap();
        assignments.push(json!({
            "customerId": customer, "arm": if is_holdout { "holdout" } else { "treatment" },
            "assignedAt": "2008-03-02T00:00:00Z",
            "covariates": {"recency": recency, "zip": row["zip_code"]},
        }));
        let mut happened = |outcome: &str, value: Option<f64>| {
            let mut report = json!({"customerId": customer, "outcome": outcome,
                "occurredAt": "2008-03-05T00:00:00Z",
                "idempotencyKey": format!("{customer}-{outcome}")});
            if let Some(value) = value {
                report["value"] = json!(value);
            }
            outcomes.push(report);
        };
        if row["visit"] == "1" {
            happened("visit", None);
        }
        if row["conversion"] == "1" {
            happened("conversion", Some(row["spend"].as_str().unwrap().parse().unwrap()));
        }
    }
    for rows in assignments.chunks(ROWS) {
        let path = "/api/v1/experiments/exp_hillstrom/assignments:import";
        let answer = client.ok("POST", path, &json!({"assignments": rows})).await.unwrap();
        assert_eq!(answer["refused"], 0, "{answer}");
    }
    for reports in outcomes.chunks(ROWS) {
        let answer =
            client.ok("POST", "/api/v1/respond/bulk", &json!({"outcomes": reports})).await.unwrap();
        assert_eq!(answer["refused"], 0, "{answer}");
    }
    let file = suite.folder().join("rows.gz");
    let mut found = Value::Null;
    // Until every outcome has been delivered.
    for _ in 0..ASKED_MAX {
        let url = format!(
            "{}/api/v1/experiments/exp_hillstrom/training-rows?outcome=visit&windowDays=14",
            suite.base
        );
        let mut curl = Command::new("curl");
        curl.args(["-sSf", "-H", "Accept-Encoding: gzip", "-o"]).arg(&file).arg(url);
        said(curl).await;
        let mut python = python();
        python
            .arg(format!("{FOLDER}/training_rows.py"))
            .arg(&file)
            .args([HILLSTROM, &STEP.to_string()]);
        found = serde_json::from_str(&said(python).await).unwrap();
        if found["download"] == found["file"] {
            break;
        }
    }
    assert_eq!(found["download"], found["file"]);
    let held_out = known.iter().filter(|it| it["segment"] == "No E-Mail").count();
    assert_eq!(found["download"]["holdout"]["n"], held_out);
}
