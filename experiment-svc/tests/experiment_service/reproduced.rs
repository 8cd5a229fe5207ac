//! What was learned can be learned again from the download, by another program.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use database::Location;
use proffer_proto::{
    experiment::v1::{Arm, FeatureKind, TrainingHead, TrainingRow},
    values::v1::{Value, value::Kind},
};
use serde_json::{Value as Json, json};

use super::{
    effect_models::{ELSEWHERE, card, train, with_synthetic},
    suite::*,
    training::export_by,
};

/// Names the Python that has numpy.
const PYTHON_VARIABLE: &str = "PROFFER_TEST_PYTHON";

/// As the gateway writes it.
fn head_json(head: &TrainingHead) -> Json {
    let kind = |kind: FeatureKind| match kind {
        FeatureKind::Category => "category",
        _ => "number",
    };
    let column = |column: &proffer_proto::experiment::v1::FeatureColumn| {
        json!({
            "field": column.field,
            "kind": kind(column.kind()),
            "mean": column.mean,
            "deviation": column.deviation,
            "missingIndicator": column.missing_indicator,
            "values": column.values,
        })
    };
    let features: Vec<_> = head.features.iter().map(column).collect();
    json!({"dataSet": head.data_set, "features": features})
}

fn row_json(row: &TrainingRow) -> Json {
    let value = |value: &Value| match &value.kind {
        Some(Kind::DoubleValue(number)) => json!(number),
        Some(Kind::BooleanValue(is)) => json!(u8::from(*is)),
        Some(Kind::StringValue(text)) => json!(text),
        other => panic!("{other:?}"),
    };
    let features = row.features.iter().map(|(name, found)| (name.clone(), value(found)));
    json!({
        "fold": row.fold,
        "arm": if row.arm() == Arm::Treatment { "treatment" } else { "holdout" },
        "treatmentProbability": row.treatment_probability,
        "gateProbability": row.gate_probability,
        "outcome": row.outcome,
        "matured": row.matured,
        "features": features.collect::<serde_json::Map<_, _>>(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_learns_the_same_model_from_the_download() {
    let python = std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    let has_numpy = Command::new(&python).args(["-c", "import numpy"]).output();
    if !has_numpy.is_ok_and(|output| output.status.success()) {
        println!("numpy is not installed: the model is not learned again");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let suite = Suite::start(Location::Folder(folder.path().to_owned())).await;
    with_synthetic(&suite).await;
    let trained = train(&suite, "", "").await.unwrap();
    let (head, rows) = export_by(&suite, ELSEWHERE, ("conversion", 0)).await.unwrap();
    assert_eq!(head.data_set, trained.training.unwrap().data_set, "both name the same rows");
    let lines = std::iter::once(head_json(&head)).chain(rows.iter().map(row_json));
    let lines: Vec<String> = lines.map(|line| line.to_string()).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/learning/reproduce.py");
    let mut running = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success());
    let found: Json = serde_json::from_slice(&output.stdout).unwrap();
    let close = |what: &str, found: f64, expected: &Json, allowed: f64| {
        let expected = expected.as_f64().unwrap();
        assert!((found - expected).abs() <= allowed, "{what}: {found} is not {expected}");
    };
    let fit = trained.fit.unwrap();
    for (fold, expected) in fit.folds.iter().zip(found["coefficients"].as_array().unwrap()) {
        let all = [&[fold.treatment], &fold.baseline[..], &fold.interaction, &[fold.intercept]];
        let all = all.concat();
        assert_eq!(all.len(), expected.as_array().unwrap().len());
        all.iter().zip(expected.as_array().unwrap()).for_each(|(found, expected)| {
            close("coefficient", *found, expected, 1e-4);
        });
    }
    let card = card(&suite, &trained.id).await.unwrap();
    close("Q", card.qini.unwrap().value, &found["q"], 1e-4);
    close("slope", card.slope.unwrap().value, &found["slope"], 1e-3);
    close("mean effect", card.average_effect.unwrap().value, &found["average"], 1e-5);
}
