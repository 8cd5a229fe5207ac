//! The alert rules, their tests and their sections in the operations page.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Value, json};

use super::tool::{command, file, output, root, text};

/// An alert of the rules.
#[derive(Debug)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// The left side of its comparison.
    pub query: String,
    rule: Value,
}

/// Every alert. Each expression ends with a comparison with a number.
pub fn alerts() -> Vec<Alert> {
    let rules: Value = serde_yaml_ng::from_str(&text("prometheus/rules.yaml")).unwrap();
    let comparison = Regex::new(r"^(?s)(.*\S)\s*(?:==|!=|<=|>=|<|>)\s*[0-9.]+$").unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let alert = |rule: &Value| {
        let (name, expression) = (rule["alert"].as_str().unwrap(), rule["expr"].as_str().unwrap());
        let parts = comparison.captures(expression);
        let parts = parts.unwrap_or_else(|| panic!("{name}: `{expression}` compares with nothing"));
        Alert { name: name.to_owned(), query: parts[1].to_owned(), rule: rule.clone() }
    };
    let alerts: Vec<_> = rules.map(alert).collect();
    assert!(alerts.len() >= 20, "{}", alerts.len());
    alerts
}

#[test]
fn prometheus_accepts_the_rules_and_their_tests_pass() {
    output(command("promtool").args(["check", "rules", "--lint=all", "--lint-fatal"]).arg(rules()));
    output(command("promtool").args(["test", "rules"]).arg(file("prometheus/tests.yaml")));
}

fn rules() -> std::path::PathBuf {
    file("prometheus/rules.yaml")
}

#[test]
fn every_alert_fires_in_one_case_and_stays_silent_in_another() {
    let tests: Value = serde_yaml_ng::from_str(&text("prometheus/tests.yaml")).unwrap();
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for test in tests["tests"].as_array().unwrap() {
        // A case without series would be silent for want of anything to judge.
        assert!(!test["input_series"].as_array().unwrap().is_empty(), "{test}");
        for case in test["alert_rule_test"].as_array().unwrap() {
            let does_fire = !case["exp_alerts"].as_array().unwrap().is_empty();
            let side = if does_fire { &mut fires } else { &mut silent };
            side.insert(case["alertname"].as_str().unwrap().to_owned());
        }
    }
    let all: BTreeSet<_> = alerts().into_iter().map(|alert| alert.name).collect();
    assert_eq!(fires, all);
    assert_eq!(silent, all);
}

/// A case that is silent for want of data would be silent whatever the alert said: in each of them
/// the left side of the comparison has a value when the alert is judged.
#[test]
fn in_every_silent_case_the_alert_has_something_to_judge() {
    let tests: Value = serde_yaml_ng::from_str(&text("prometheus/tests.yaml")).unwrap();
    let queries: BTreeMap<_, _> =
        alerts().into_iter().map(|alert| (alert.name, alert.query)).collect();
    let mut cases = Vec::new();
    for test in tests["tests"].as_array().unwrap() {
        let judged = test["alert_rule_test"].as_array().unwrap().iter();
        let silent = judged.filter(|case| case["exp_alerts"].as_array().unwrap().is_empty());
        let has_data = silent.map(|case| {
            let query = &queries[case["alertname"].as_str().unwrap()];
            json!({"expr": format!("count({query}) > bool 0"), "eval_time": case["eval_time"],
                "exp_samples": [{"labels": "{}", "value": 1}]})
        });
        let has_data: Vec<_> = has_data.collect();
        if !has_data.is_empty() {
            let (name, series) = (&test["name"], &test["input_series"]);
            cases.push(json!({"name": name, "interval": test["interval"], "input_series": series,
                "promql_expr_test": has_data}));
        }
    }
    assert!(cases.len() >= queries.len(), "{}", cases.len());
    let all = json!({"rule_files": [rules()], "evaluation_interval": "1m", "tests": cases});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silent.yaml");
    std::fs::write(&path, serde_json::to_string(&all).unwrap()).unwrap();
    output(command("promtool").args(["test", "rules"]).arg(path));
}

#[test]
fn every_alert_has_a_severity_and_a_section_that_says_what_to_do() {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let is_alert = |name: &&str| name.starts_with("Proffer") && !name.contains(' ');
    let sections: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).filter(is_alert).collect();
    let alerts = alerts();
    let names: Vec<_> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(sections, names, "sections of docs/operations.md, in the order of the rules");
    for alert in &alerts {
        let severity = &alert.rule["labels"]["severity"];
        assert!(severity == "page" || severity == "ticket", "{}: {severity}", alert.name);
        let runbook = format!("docs/operations.md#{}", alert.name.to_lowercase());
        assert_eq!(alert.rule["annotations"]["runbook"], runbook, "{}", alert.name);
        let (_, section) = page.split_once(&format!("### {}\n", alert.name)).unwrap();
        let section = section.split("\n#").next().unwrap_or_default();
        for part in ["Meaning:", "Look at:", "Do:"] {
            assert!(section.contains(part), "{}: no `{part}`", alert.name);
        }
    }
}
