//! Which fields of a customer are features, and what they are worth.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, sync::Arc};

use formula::{
    OutputType, Type,
    rule::{Literal, Operator, Rule},
};

use super::*;
use crate::domain::{
    flow::{Flow, Node},
    learning::Learning,
    metric::{Aggregate, Metric},
    snapshot::{Category, ComputedField, Offer, Schema},
    step::{Enrich, Inventory, Qualify, Response, Step},
};

fn rule(field: &str) -> Rule {
    Rule::Condition { field: field.to_owned(), op: Operator::Exists, value: Literal::None }
}

/// An offer that reads a date, a number, a boolean, a text and a metric. Its category computes two
/// numbers, one of them of the offer, and a text.
fn catalog(private: &[&str]) -> Catalog {
    let fields = [
        ("lastPurchaseDate", Type::Date),
        ("age", Type::Number),
        ("isMember", Type::Boolean),
        ("tier", Type::String),
        ("unread", Type::Number),
        ("seenAt", Type::Timestamp),
        ("timezone", Type::String),
    ];
    let schema = Schema {
        id: "schema_customer".to_owned(),
        name: "Customer".to_owned(),
        fields: fields.map(|(name, of_type)| (name.to_owned(), of_type)).into(),
        private: private.iter().map(|name| (*name).to_owned()).collect(),
    };
    let computed = |name: &str, formula: &str, output| ComputedField {
        name: name.to_owned(),
        formula: formula.to_owned(),
        output: Some(output),
    };
    let category = Category {
        id: "cat_apparel".to_owned(),
        name: "Apparel".to_owned(),
        computed_fields: vec![
            computed("decades", "age / 10", OutputType::Number),
            computed("worth", "age * offer.priority", OutputType::Number),
            computed("greeting", "tier", OutputType::String),
        ],
        is_active: true,
    };
    let reads = ["lastPurchaseDate", "age", "isMember", "tier", "metrics.clicks"];
    let offer = Offer {
        id: "off_a".to_owned(),
        name: "A".to_owned(),
        category: "Apparel".to_owned(),
        rules: reads.map(rule).into(),
        is_active: true,
        ..Offer::default()
    };
    let metric = Metric {
        key: "clicks".to_owned(),
        outcome: "click".to_owned(),
        aggregate: Aggregate::Count,
        window_days: 7,
        is_active: true,
    };
    Catalog {
        schemas: BTreeMap::from([(schema.id.clone(), schema)]),
        categories: BTreeMap::from([(category.id.clone(), category)]),
        offers: [(Arc::from("off_a"), Arc::new(offer))].into_iter().collect(),
        metrics: BTreeMap::from([(metric.key.clone(), metric)]),
        ..Catalog::default()
    }
}

fn compiled(named: &[&str], private: &[&str]) -> CompiledFlow {
    let steps = [
        ("inv", Step::from(Inventory::default())),
        ("enr", Enrich::default().into()),
        ("qual", Qualify.into()),
        ("out", Response.into()),
    ];
    let features = named.iter().map(|name| (*name).to_owned()).collect();
    let flow = Flow {
        nodes: steps.into_iter().map(|(id, step)| Node { id: id.to_owned(), step }).collect(),
        learning: Learning { features, ..Learning::default() },
    };
    CompiledFlow::compile(flow, "flow_f", "F", 1, &catalog(private))
}

/// The features of a customer in January, by a clock that is an hour ahead of UTC.
fn features(compiled: &CompiledFlow) -> String {
    let text = |text: &str| Scalar::String(text.to_owned());
    let record = Fields::from(
        [
            ("lastPurchaseDate", text("2026-01-01")),
            ("age", Scalar::Decimal("37.5".to_owned())),
            ("isMember", Scalar::Boolean(true)),
            ("tier", text(&"g".repeat(200))),
            ("unread", Scalar::Integer(7)),
            ("seenAt", text("2026-01-11T11:30:00Z")),
            ("timezone", text("Europe/Paris")),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let (attributes, metrics) = (Fields::new(), [("clicks".to_owned(), 3.0)].into());
    let surface = Default::default();
    let moment = Moment::new("2026-01-11T23:30:00Z".parse().unwrap(), chrono_tz::Europe::Paris);
    let facts = Facts {
        metrics: &metrics,
        surface: &surface,
        ..Facts::of_record(&record, &attributes, &moment)
    };
    let found = compiled.features(&facts, &mut Workspace::default());
    let spelled = |(name, value): (String, Scalar)| match value {
        Scalar::String(text) => format!("{name}={}", text.len()),
        other => format!("{name}={other:?}"),
    };
    found.into_iter().map(spelled).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_the_flow_reads_is_a_feature_but_for_texts_and_what_depends_on_the_offer() {
    assert_eq!(
        features(&compiled(&[], &[])),
        "age=Double(37.5) decades=Double(3.75) isMember=Boolean(true) \
         lastPurchaseDate=Integer(11) metrics.clicks=Integer(3)"
    );
}

#[test]
fn a_named_feature_is_read_whether_a_rule_needs_it_or_not() {
    let compiled = compiled(&["unread", "customer.tier", "seenAt", "greeting"], &[]);
    assert_eq!(features(&compiled), "greeting=100 seenAt=Double(0.5) tier=100 unread=Integer(7)");
    assert!(compiled.fields_read.contains("unread"), "it is part of the recorded case");
    assert_eq!(compiled.no_features, []);
}

#[test]
fn a_private_field_and_what_is_computed_of_it_are_no_features() {
    let found = compiled(&[], &["age"]);
    assert_eq!(
        features(&found),
        "isMember=Boolean(true) lastPurchaseDate=Integer(11) metrics.clicks=Integer(3)"
    );
    let named = compiled(&["age", "decades", "isMember", "nothing", "worth"], &["age"]);
    assert_eq!(features(&named), "isMember=Boolean(true)");
    let why: Vec<_> =
        named.no_features.iter().map(|it| (it.index, &*it.why, it.is_private)).collect();
    assert_eq!(
        why,
        [
            (0, "`age` cannot be a feature: it is private", true),
            (1, "`decades` cannot be a feature: it is computed of `age`, which is private", true),
            (3, "`nothing` is not declared", false),
            (4, "`worth` depends on the offer", false),
        ]
    );
}
