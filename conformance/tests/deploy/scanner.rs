//! checkov, and the reasons for what it finds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    manifest::rendered,
    tool::{command, file, run, text},
};

/// The checks that are left out, with their reasons.
fn exceptions() -> BTreeMap<String, String> {
    let listed = text("checkov.yaml");
    let lines = listed.lines().filter_map(|line| line.trim_start().strip_prefix("- "));
    let pair = |line: &str| {
        let (check, reason) = line.split_once(" # ").unwrap_or((line, ""));
        assert!(reason.len() > 20, "checkov.yaml: {check} has no reason");
        (check.to_owned(), reason.to_owned())
    };
    lines.map(pair).collect()
}

#[test]
fn checkov_finds_only_what_has_a_written_reason_and_every_reason_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let mut scanner = command("checkov");
    scanner.args(["--quiet", "--compact", "--skip-download", "--output", "json"]);
    scanner.args(["--framework", "kubernetes", "dockerfile", "--file"]);
    for set in ["five-services", "all-in-one", "sqlite"] {
        let path = folder.path().join(format!("{set}.yaml"));
        let values = format!("{}/ci/{set}.yaml", super::manifest::CHART);
        // The set without network policies shows another side of the chart; they are checked here.
        let text = rendered(&values);
        std::fs::write(&path, text).unwrap();
        scanner.arg(path);
    }
    let done = run(scanner.arg(file("Dockerfile")));
    let reports: Value = serde_json::from_str(&done.output)
        .unwrap_or_else(|error| panic!("{error}: {}{}", done.output, done.errors));
    let reports = reports.as_array().expect("one report for each framework");
    let mut found = BTreeSet::new();
    let mut passed = 0;
    for report in reports {
        passed += report["summary"]["passed"].as_u64().unwrap();
        for check in report["results"]["failed_checks"].as_array().unwrap() {
            found.insert(check["check_id"].as_str().unwrap().to_owned());
        }
    }
    assert!(passed > 500, "{passed}");
    assert_eq!(found, exceptions().into_keys().collect::<BTreeSet<_>>());
}
