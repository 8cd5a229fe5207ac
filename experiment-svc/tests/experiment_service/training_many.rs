//! Training rows of many customers: an experiment of the literature, and memory.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use database::Location;
use futures::TryStreamExt as _;
use history::timestamp;
use proffer_proto::{
    experiment::v1::{
        self as proto, Arm, ImportedAssignment, export_training_rows_response::Part,
        ledger_entry::Entry,
    },
    values::v1::{Value, value::Kind},
};

use super::{suite::*, training::export_by};

const ID: &str = "exp_elsewhere";

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

/// An experiment of two weeks that is over, on SQLite.
async fn external(folder: &Path) -> Suite {
    let suite = Suite::start(Location::Folder(folder.to_owned())).await;
    let experiment = proto::Experiment {
        name: "Elsewhere".to_owned(),
        assignment_source: proto::AssignmentSource::External.into(),
        holdout_percentage: Some(50.0),
        starts_at: Some(timestamp(day(-60))),
        duration: "14 days".to_owned(),
        ..Default::default()
    };
    suite.create(experiment).await.unwrap();
    suite
}

async fn import(suite: &Suite, assignments: Vec<ImportedAssignment>) {
    for rows in assignments.chunks(1_000) {
        let request = proto::ImportAssignmentsRequest {
            id: ID.to_owned(),
            assignments: rows.to_vec(),
            ..Default::default()
        };
        let answer = suite.experiments.clone().import_assignments(request).await.unwrap();
        assert_eq!(answer.into_inner().refused, 0);
    }
}

/// The columns of Hillstrom's file that were known before the e-mail.
const KNOWN: [&str; 7] =
    ["recency", "history_segment", "history", "mens", "womens", "zip_code", "newbie"];

/// The rows of Hillstrom's file, by column.
fn hillstrom() -> Vec<BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hillstrom/hillstrom.csv.gz");
    let mut text = String::new();
    let packed = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

/// A cell as a covariate.
fn covariate(cell: &str) -> Value {
    let number = cell.parse::<f64>().ok();
    number.map_or_else(
        || value(Kind::StringValue(cell.to_owned())),
        |it| value(Kind::DoubleValue(it)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_rows_of_hillstroms_experiment_equal_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let suite = external(folder.path()).await;
    let file = hillstrom();
    assert_eq!(file.len(), 64_000);
    let womens = file.iter().filter(|row| row["segment"] != "Mens E-Mail");
    // Every fifth: enough for every value of every column.
    let known: Vec<_> = womens.step_by(5).collect();
    let (mut assignments, mut outcomes) = (Vec::new(), Vec::new());
    for (number, row) in known.iter().enumerate() {
        let who = format!("h{number:05}");
        let is_holdout = row["segment"] == "No E-Mail";
        assignments.push(ImportedAssignment {
            customer_id: who.clone(),
            arm: if is_holdout { Arm::Holdout } else { Arm::Treatment }.into(),
            assigned_at: Some(timestamp(day(-60))),
            covariates: KNOWN.map(|name| (name.to_owned(), covariate(&row[name]))).into(),
        });
        let outcome = |key: &str, value_e4| {
            let id = format!("{who}-{key}");
            let (key, received_at) = (key.to_owned(), Some(timestamp(hour(1))));
            let entry = bought(&id, &who, 0, day(-55));
            Entry::Outcome(proto::OutcomeEntry { key, received_at, value_e4, ..entry })
        };
        if row["visit"] == "1" {
            outcomes.push(outcome("visit", None));
        }
        if row["conversion"] == "1" {
            let spent: f64 = row["spend"].parse().unwrap();
            outcomes.push(outcome("conversion", Some((spent * 10_000.0).round() as i64)));
        }
    }
    import(&suite, assignments).await;
    for outcomes in outcomes.chunks(500) {
        suite.deliver_through(outcomes.to_vec(), Some(hour(2))).await.unwrap();
    }
    for (outcome, column) in [("visit", "visit"), ("conversion", "conversion")] {
        let (head, rows) = export_by(&suite, ID, (outcome, 14)).await.unwrap();
        assert_eq!((rows.len(), head.left_out.len()), (known.len(), 0));
        for (number, (row, of_file)) in rows.iter().zip(&known).enumerate() {
            let is_holdout = of_file["segment"] == "No E-Mail";
            assert_eq!(row.arm() == Arm::Holdout, is_holdout, "{number}");
            assert_eq!(row.outcome.to_string(), of_file[column], "{number}");
            assert_eq!(row.value, of_file["spend"].parse::<f64>().unwrap(), "{number}");
            assert_eq!((row.treatment_probability, row.matured, row.ghost), (0.5, true, false));
            for name in KNOWN {
                assert_eq!(row.features[name], covariate(&of_file[name]), "{number} {name}");
            }
        }
        let zip = head.features.iter().find(|it| it.field == "zip_code").unwrap();
        assert_eq!(zip.values, ["Rural", "Surburban", "Urban"]);
    }
}

/// Bytes of memory that this process has used at most so far.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1_024
}

/// Rows to export; with `PROFFER_DRILL_FULL` a hundred thousand.
fn many() -> usize {
    if std::env::var_os("PROFFER_DRILL_FULL").is_some() { 100_000 } else { 30_000 }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_exported_within_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let suite = external(folder.path()).await;
    let covariates: BTreeMap<String, Value> = (0..20)
        .map(|number| (format!("feature_{number:02}"), value(Kind::StringValue("x".repeat(60)))))
        .collect();
    let many = many();
    for thousand in 0..many / 1_000 {
        let row = |number: usize| ImportedAssignment {
            customer_id: format!("c{thousand:03}{number:03}"),
            arm: if number.is_multiple_of(2) { Arm::Holdout } else { Arm::Treatment }.into(),
            assigned_at: Some(timestamp(day(-60))),
            covariates: covariates.clone(),
        };
        import(&suite, (0..1_000).map(row).collect()).await;
    }
    suite.deliver_through([], Some(hour(2))).await.unwrap();
    let before = peak();
    let (id, outcome) = (ID.to_owned(), "conversion".to_owned());
    let request = proto::ExportTrainingRowsRequest { id, outcome, window_days: 14 };
    let parts = suite.experiments.clone().export_training_rows(request).await.unwrap();
    let count = parts.into_inner().try_fold((0, 0), |(rows, bytes), part| async move {
        Ok(match part.part {
            Some(Part::Row(row)) => (rows + 1, bytes + prost::Message::encoded_len(&row)),
            _ => (rows, bytes),
        })
    });
    let (rows, bytes) = count.await.unwrap();
    let grown = peak() - before;
    assert_eq!(rows, many);
    assert!(grown * 3 < bytes, "{bytes} bytes of rows took {grown} bytes of memory");
}
