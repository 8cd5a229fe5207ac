//! A decision is made with everything that was acknowledged before it was asked, or it says in
//! `degraded` that it is not: for every kind of resource that decisions read.

use conformance::{
    http::Client,
    suite::{Shape, Store, Suite},
};
use serde_json::{Value, json};

/// Writes of each kind, each followed at once by a decision. The last is the first form again.
const ROUNDS: usize = 13;
/// The instant of decisions that depend on the customer's date: the 16th in the east, the 15th in
/// the west.
const NOON: &str = "2027-06-15T12:00:00Z";

/// A resource that takes two forms in turn.
struct Toggle {
    path: &'static str,
    /// Each is merged into the resource.
    forms: [Value; 2],
    /// Flow and channel that are asked for.
    asked: [&'static str; 2],
    /// Where the answer shows the form, and what it shows of each.
    shown: &'static str,
    values: [Value; 2],
}

fn node(kind: &str, config: Value) -> Value {
    json!({"id": kind, "type": kind, "config": config})
}

/// A flow over a category with further nodes before `response`.
fn nodes(category: &str, further: Value) -> Value {
    let mut nodes = vec![
        node("inventory", json!({"categories": [category]})),
        node("enrich", json!({"schema": "Customer"})),
        node("compute", json!({})),
        node("qualify", json!({})),
    ];
    nodes.extend(further.as_array().unwrap().iter().cloned());
    nodes.push(node("response", json!({})));
    json!({"nodes": nodes})
}

fn flow(id: &str, category: &str, further: Value) -> (&'static str, Value) {
    ("decision-flows", json!({"id": id, "name": id, "config": nodes(category, further)}))
}

fn fields(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "type": "string"})).collect()
}

/// Everything that is posted first: a path and the fields of its body.
const CONFIGURATION: &str = r#"
/schemas "name": "Customer", "fields": [{"name": "east", "type": "string"},
  {"name": "west", "type": "string"}, {"name": "segment", "type": "string"},
  {"name": "extra", "type": "string"}]
/schemas/Customer/records "records": [{"customerId": "ann", "segment": "a",
  "east": "Pacific/Kiritimati", "west": "Pacific/Pago_Pago"}]
/behavioral-metrics "key": "spent", "name": "Spent", "outcome": "conversion",
  "aggregate": "count", "windowDays": 7
/respond "customerId": "ann", "outcome": "conversion", "value": 5, "idempotencyKey": "one"
/categories "id": "cat", "name": "Things", "computedFields": [
  {"name": "form", "formula": "1", "outputType": "integer"},
  {"name": "spent", "formula": "metrics.spent", "outputType": "integer"},
  {"name": "date", "formula": "day(today())", "outputType": "integer"}]
/offers "id": "off", "name": "One", "category": "Things", "priority": 80, "businessValue": 40,
  "margin": 0, "qualificationRules": [{"field": "segment", "op": "==", "value": "a"}]
/categories "name": "Dated", "computedFields": [
  {"name": "date", "formula": "day(today())", "outputType": "integer"}]
/offers "name": "Dated", "category": "Dated",
  "qualificationRules": [{"field": "date", "op": "==", "value": 16}]
/categories "name": "Extra"
/offers "name": "Extra", "category": "Extra",
  "qualificationRules": [{"field": "extra", "op": "not_exists"}]
/channels "id": "site", "name": "site", "channelType": "web"
/channels "id": "shop", "name": "shop", "channelType": "web",
  "config": {"timezoneSource": "customer.east"}
/contact-policies "id": "except", "name": "except", "ruleType": "segment_exclusion",
  "scope": "category:Things", "field": "customer.segment", "segments": ["b"]
/placements "id": "plc", "name": "Hero", "channel": "site"
/creatives "id": "cre", "name": "Say", "offer": "off", "placement": "plc",
  "content": {"text": "one"}
/weight-profiles "id": "prof", "name": "prof", "weights": {"We": 1}
/models "id": "model", "name": "model", "type": "logistic_regression", "config": {"intercept": 0}
"#;

fn configuration() -> Vec<(&'static str, Value)> {
    let calls = CONFIGURATION.split("\n/").skip(1).map(|call| {
        let (path, fields) = call.split_once(' ').unwrap();
        (path, serde_json::from_str(&format!("{{{fields}}}")).unwrap())
    });
    let scored = || vec![node("score", json!({"method": "propensity"})), node("rank", json!({}))];
    let with = |first: Value| Value::Array([vec![first], scored()].concat());
    let optimized =
        [&scored()[..1], &[node("optimize", json!({"profile": "prof"}))], &scored()[1..]];
    let model = json!({"method": "model", "model": "model"});
    let modelled = json!([node("score", model), node("rank", json!({"weights": {"Wp": 1}}))]);
    calls
        .chain([
            flow("plain", "Things", with(node("contact_policy", json!({})))),
            flow("dated", "Dated", with(node("contact_policy", json!({})))),
            flow("extra", "Extra", Value::Array(scored())),
            flow("saying", "Things", with(node("match_creatives", json!({})))),
            flow("weighing", "Things", Value::Array(optimized.concat())),
            flow("learned", "Things", modelled),
            flow("moving", "Things", Value::Array(scored())),
        ])
        .collect()
}

/// One of each kind whose log decisions read; those of policy-svc also where nothing qualifies, so
/// that policy-svc has nothing to judge.
fn toggles() -> Vec<Toggle> {
    let toggle = |path, forms, asked, shown, values| Toggle { path, forms, asked, shown, values };
    let computed = |form: &str| {
        json!({"computedFields": [
        {"name": "form", "formula": form, "outputType": "integer"}]})
    };
    let zones =
        || [json!({"timezone": "Pacific/Kiritimati"}), json!({"timezone": "Pacific/Pago_Pago"})];
    let sources = || {
        ["customer.east", "customer.west"]
            .map(|source| json!({"config": {"timezoneSource": source}}))
    };
    let kinds = ["count", "sum"].map(|aggregate| json!({"aggregate": aggregate}));
    let offered = || [json!("off"), Value::Null];
    let date = "/decisions/0/trace/computedFields/date";
    vec![
        toggle("/offers/off", [json!({"name": "One"}), json!({"name": "Two"})],
            ["plain", "site"], "/decisions/0/name", [json!("One"), json!("Two")]),
        toggle("/behavioral-metrics/spent", kinds, ["plain", "site"],
            "/decisions/0/trace/computedFields/spent", [json!(1), json!(5)]),
        toggle("/settings", zones(), ["plain", "site"], date, [json!(16), json!(15)]),
        toggle("/settings", zones(), ["dated", "site"], "/reasonCode",
            [Value::Null, json!("nothing_qualified")]),
        toggle("/channels/shop", sources(), ["plain", "shop"], date, [json!(16), json!(15)]),
        toggle("/channels/shop", sources(), ["dated", "shop"], "/reasonCode",
            [Value::Null, json!("nothing_qualified")]),
        toggle("/contact-policies/except",
            ["b", "a"].map(|it| json!({"ruleType": "segment_exclusion", "segments": [it]})),
            ["plain", "site"], "/decisions/0/offerId", offered()),
        toggle("/schemas/Customer",
            [&["east", "west", "segment", "extra"][..], &["east", "west", "segment"]]
                .map(|names| json!({"fields": fields(names)})),
            ["extra", "site"], "/reasonCode", [Value::Null, json!("nothing_qualified")]),
        toggle("/placements/plc", [json!({"status": "active"}), json!({"status": "paused"})],
            ["saying", "site"], "/decisions/0/offerId", offered()),
        toggle("/creatives/cre",
            ["one", "two"].map(|text| json!({"status": "active", "content": {"text": text}})),
            ["saying", "site"], "/decisions/0/creative/content/text", [json!("one"), json!("two")]),
        toggle("/weight-profiles/prof",
            [[1, 0], [0, 1]].map(|[we, wi]| json!({"weights": {"We": we, "Wi": wi}})),
            ["weighing", "site"], "/decisions/0/score", [json!(0.8), json!(0.2)]),
        toggle("/models/model", [0, 1].map(|intercept| {
                json!({"type": "logistic_regression", "config": {"intercept": intercept}})
            }),
            ["learned", "site"], "/decisions/0/score", [json!(0.5), json!(0.731_059)]),
        toggle("/decision-flows/moving", ["Things", "Extra"].map(|category| {
                let score = node("score", json!({"method": "propensity"}));
                json!({"config": nodes(category, json!([score, node("rank", json!({}))]))})
            }),
            ["moving", "site"], "/decisions/0/name", [json!("One"), json!("Extra")]),
        toggle("/categories/cat", [computed("1"), computed("2")], ["plain", "site"],
            "/decisions/0/trace/computedFields/form", [json!(1), json!(2)]),
    ]
}

impl Toggle {
    /// Writes a form, asks at once, and says whether the decision shows the form; `None` when it
    /// says that it may not.
    async fn is_shown(&self, client: &Client, round: usize) -> Option<bool> {
        let form = round % 2;
        client.ok("PATCH", &format!("/api/v1{}", self.path), &self.forms[form]).await.unwrap();
        let [flow, channel] = self.asked;
        let mut asked = json!({"customerId": "ann", "flow": flow, "channel": channel,
            "placement": "Hero"});
        // Dates are those of a fixed instant; every other decision reserves.
        if self.shown.ends_with("/date") || flow == "dated" {
            asked["at"] = json!(NOON);
        }
        if asked.get("at").is_some() || round % 4 < 2 {
            asked["dryRun"] = json!(true);
        }
        let answer = client.ok("POST", "/api/v1/recommend", &asked).await.unwrap();
        let shown = answer.pointer(self.shown).unwrap_or(&Value::Null);
        let is_shown = match (shown.as_f64(), self.values[form].as_f64()) {
            (Some(shown), Some(value)) => (shown - value).abs() < 1e-6,
            _ => *shown == self.values[form],
        };
        let is_degraded = answer.get("degraded").is_some();
        assert!(is_shown || is_degraded, "{} {}: {answer}", self.path, self.forms[form]);
        (!is_degraded).then_some(is_shown)
    }
}

async fn check(shape: Shape, store: Store) {
    let suite = Suite::start(shape, store).await.unwrap();
    let client = suite.client();
    for (path, body) in configuration() {
        client.ok("POST", &format!("/api/v1/{path}"), &body).await.unwrap();
    }
    for toggle in toggles() {
        let mut shown = 0;
        for round in 0..ROUNDS {
            shown += usize::from(toggle.is_shown(&client, round).await == Some(true));
        }
        // Not all need the excuse, however busy the machine is.
        assert!(shown > 0, "{}: every decision was `degraded`", toggle.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_reads_every_acknowledged_write_in_one_process_on_sqlite() {
    check(Shape::AllInOne, Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_reads_every_acknowledged_write_in_five_processes_on_postgres() {
    check(Shape::FiveProcesses, Store::Postgres).await;
}
