//! The kinds of resource, each with the smallest body that is accepted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// One kind of resource.
pub struct Kind {
    /// Its message.
    pub message: &'static str,
    /// Its service in the log's words: the name of the store.
    pub store: &'static str,
    /// Its collection in REST.
    pub path: &'static str,
    /// Prefix of ids made from a name; none when the caller gives a key.
    pub prefix: Option<&'static str>,
    /// A body without name and id.
    pub body: Value,
    /// What a body for a deleted key must differ in to be refused. Other kinds refuse every body.
    pub other_meaning: Value,
    /// False when no RPC changes it.
    pub is_updatable: bool,
}

impl Kind {
    /// The field that identifies a resource.
    pub fn identity(&self) -> &'static str {
        if self.prefix.is_some() { "id" } else { "key" }
    }

    /// The kind in the log and in errors: `OutcomeType` is `outcome_type`.
    pub fn name(&self) -> String {
        let short = self.message.rsplit('.').next().unwrap();
        let mut name = String::new();
        for c in short.chars() {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }

    /// A body with this name; with the key that is made from it where the caller gives keys.
    pub fn named(&self, name: &str) -> Value {
        let mut body = self.body.clone();
        body["name"] = json!(name);
        if self.prefix.is_none() {
            body["key"] = json!(slug(name));
        }
        body
    }

    /// The id that a resource of this name gets.
    pub fn id_of(&self, name: &str) -> String {
        let slug = slug(name);
        self.prefix.map_or(slug.clone(), |prefix| format!("{prefix}_{slug}"))
    }
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "_")
}

/// Every kind.
pub fn kinds() -> Vec<Kind> {
    let kind = |message, path, prefix, body| Kind {
        message,
        store: match message {
            message if str::starts_with(message, "proffer.catalog") => "catalog",
            message if str::starts_with(message, "proffer.policy") => "policy",
            message if str::starts_with(message, "proffer.decision") => "decision",
            _ => "experiment",
        },
        path,
        prefix,
        body,
        other_meaning: json!({}),
        is_updatable: true,
    };
    let metric = json!({"outcome": "click", "aggregate": "count", "windowDays": 7});
    let cap = json!({"ruleType": "frequency_cap", "windowDays": 30, "maxImpressions": 3});
    let terms = json!([{"field": "age", "coefficient": 1}]);
    let model = json!({"type": "logistic_regression", "config": {"intercept": -1, "terms": terms}});
    let flow = include_str!("../../../examples/winback/09-decision-flow.json");
    let flow: Value = serde_json::from_str(flow).unwrap();
    let schema = json!({"fields": [{"name": "age", "type": "integer"}]});
    // A flow has one running experiment.
    let experiment = json!({"flowId": "winback", "holdoutPercentage": 10, "status": "draft"});
    vec![
        kind("proffer.catalog.v1.Schema", "/api/v1/schemas", Some("schema"), schema),
        kind("proffer.catalog.v1.Category", "/api/v1/categories", Some("cat"), json!({})),
        kind("proffer.catalog.v1.Offer", "/api/v1/offers", Some("off"), json!({"category": "X"})),
        kind(
            "proffer.catalog.v1.Creative",
            "/api/v1/creatives",
            Some("cre"),
            json!({"offer": "x"}),
        ),
        kind("proffer.catalog.v1.Placement", "/api/v1/placements", Some("plc"), json!({})),
        kind("proffer.catalog.v1.BehavioralMetric", "/api/v1/behavioral-metrics", None, metric),
        Kind {
            other_meaning: json!({"classification": "negative"}),
            is_updatable: false,
            ..kind(
                "proffer.catalog.v1.OutcomeType",
                "/api/v1/outcome-types",
                None,
                json!({"classification": "positive", "category": "response"}),
            )
        },
        kind("proffer.policy.v1.Channel", "/api/v1/channels", Some("ch"), json!({})),
        kind("proffer.policy.v1.ContactPolicy", "/api/v1/contact-policies", Some("pol"), cap),
        kind("proffer.decision.v1.DecisionFlow", "/api/v1/decision-flows", Some("flow"), flow),
        kind(
            "proffer.decision.v1.WeightProfile",
            "/api/v1/weight-profiles",
            Some("prof"),
            json!({"weights": {"Wp": 1}}),
        ),
        kind("proffer.decision.v1.Model", "/api/v1/models", Some("model"), model),
        kind("proffer.experiment.v1.Experiment", "/api/v1/experiments", Some("exp"), experiment),
    ]
}

/// A kind that is missing above would not be tested.
#[test]
fn every_resource_of_the_contracts_is_a_kind() {
    let services: Vec<_> = proffer_proto::POOL.services().collect();
    let methods = services.iter().flat_map(|service| service.methods());
    let (mut created, mut updated) = (BTreeSet::new(), BTreeSet::new());
    for method in methods {
        let resource = |verb: &str| {
            let name = method.name().strip_prefix(verb)?;
            let package = method.parent_service().package_name();
            Some(format!("{package}.{name}"))
        };
        created.extend(resource("Create"));
        updated.extend(resource("Update"));
    }
    // Their own test is in `settings.rs`.
    assert!(updated.remove("proffer.policy.v1.Settings"));
    // Only its name and description change; the scenario `outcome-types` plays it.
    assert!(updated.remove("proffer.catalog.v1.OutcomeType"));
    // It is learned instead of created; `effect_models.rs` of experiment-svc and the scenario
    // `effect-models` play its life.
    assert!(updated.remove("proffer.experiment.v1.EffectModel"));
    let all: BTreeSet<_> = kinds().iter().map(|kind| kind.message.to_owned()).collect();
    let updatable = kinds().into_iter().filter(|kind| kind.is_updatable);
    assert_eq!(created, all);
    assert_eq!(updated, updatable.map(|kind| kind.message.to_owned()).collect());
}
