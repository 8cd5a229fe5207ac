//! The dashboard: well formed, and readable by a Prometheus of any name.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use super::{
    alert,
    tool::{command, output, text},
};

/// A query of the dashboard, as Prometheus reads it.
#[derive(Debug)]
pub struct Query {
    /// Title of its panel, or name of its variable.
    pub place: String,
    /// The expression.
    pub expression: String,
}

fn dashboard() -> Value {
    serde_json::from_str(&text("grafana/proffer.json")).unwrap()
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels.filter(|panel| panel["type"] != "row").collect()
}

/// Every query of the dashboard. Grafana's variables have the values they have for "All".
pub fn queries() -> Vec<Query> {
    let dashboard = dashboard();
    let mut queries = Vec::new();
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().unwrap() {
            queries.push((panel["title"].as_str().unwrap(), target["expr"].as_str().unwrap()));
        }
    }
    let label_values = Regex::new(r"^label_values\((\w+), \w+\)$").unwrap();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(definition) = variable["definition"].as_str() else { continue };
        let metric = label_values.captures(definition).unwrap().get(1).unwrap();
        queries.push((variable["name"].as_str().unwrap(), definition.get(metric.range()).unwrap()));
    }
    let query = |(place, expression): (&str, &str)| Query {
        place: place.to_owned(),
        expression: expression.replace("$__rate_interval", "1m").replace("$component", ".*"),
    };
    let queries: Vec<_> = queries.into_iter().map(query).collect();
    assert!(queries.len() >= 40, "{}", queries.len());
    for query in &queries {
        assert!(!query.expression.contains('$'), "{query:?} has a variable without a value");
    }
    queries
}

#[test]
fn every_panel_has_a_title_a_unit_and_a_place_of_its_own() {
    let dashboard = dashboard();
    let (mut ids, mut titles, mut cells) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        assert!(titles.insert(title), "{title}");
        let [x, y, width, height] =
            ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + width <= 24, "{title}");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{title} covers another panel");
        }
    }
    for panel in panels(&dashboard) {
        let title = &panel["title"];
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

/// A legend that names a label which the query drops would be empty.
#[test]
fn every_label_of_a_legend_is_one_of_its_query() {
    let label = Regex::new(r"\{\{(\w+)\}\}").unwrap();
    let by = Regex::new(r"by \(([^)]*)\)").unwrap();
    let dashboard = dashboard();
    for panel in panels(&dashboard) {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let kept: BTreeSet<_> = by
                .captures_iter(expression)
                .flat_map(|found| found[1].split(", ").map(str::to_owned).collect::<Vec<_>>())
                .collect();
            for found in label.captures_iter(target["legendFormat"].as_str().unwrap()) {
                let is_kept = kept.is_empty() || kept.contains(&found[1]);
                assert!(is_kept, "{}: {}", panel["title"], &found[1]);
            }
        }
    }
}

/// As recording rules, which Prometheus parses without data.
#[test]
fn prometheus_can_read_every_query_of_dashboard_and_alerts() {
    let dashboard = queries().into_iter().map(|query| (query.place, query.expression));
    let alerts = alert::alerts().into_iter().map(|alert| (alert.name, alert.query));
    let rule = |(number, (place, expression)): (usize, (String, String))| {
        let name = format!("query:{number}");
        json!({"record": name, "expr": expression, "labels": {"place": place}})
    };
    let rules: Vec<_> = dashboard.chain(alerts).enumerate().map(rule).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = json!({"groups": [{"name": "queries", "rules": rules}]});
    std::fs::write(file.path(), groups.to_string()).unwrap();
    output(command("promtool").args(["check", "rules"]).arg(file.path()));
}
