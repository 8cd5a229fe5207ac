//! A campaign drawn from a seed: fields of every type, rules of every kind, most kinds of policy,
//! and customers with missing fields.

mod parts;

use serde_json::{Map, Value, json};

use crate::{drill::draw::Draw, http::Client};

const CATEGORIES: usize = 5;
const OFFERS: usize = 60;
const FLOWS: usize = 4;
const ZONES: [&str; 5] =
    ["Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "Etc/UTC"];
const TIERS: [&str; 4] = ["gold", "silver", "bronze", "new"];
const WEATHERS: [&str; 3] = ["rain", "snow", "sun"];
/// An edit of the catalogue comes with one in so many decisions.
const EDIT_EVERY: u64 = 250;

fn category(index: usize) -> String {
    format!("Group {index}")
}

/// Creates everything.
pub async fn configure(client: &Client, seed: u64, customers: usize) -> anyhow::Result<()> {
    let mut draw = Draw::new(seed, 0);
    let fields: Vec<_> = [
        ("score", "integer"),
        ("spend", "decimal"),
        ("tier", "string"),
        ("since", "date"),
        ("seen", "timestamp"),
        ("member", "boolean"),
        ("timezone", "string"),
        ("country", "string"),
        ("consentEmail", "boolean"),
    ]
    .map(|(name, of_type)| json!({"name": name, "type": of_type}))
    .into();
    create(client, "schemas", &json!({"name": "Customer", "fields": fields})).await?;
    for index in 0..CATEGORIES {
        create(client, "categories", &of_category(&mut draw, index)).await?;
    }
    parts::create_metrics(client).await?;
    for index in 0..OFFERS {
        create(client, "offers", &offer(&mut draw, index)).await?;
    }
    parts::create(client, &mut draw).await?;
    let probe = json!({"id": "off_probe", "name": "Probe", "category": "Probe",
        "qualificationRules": [{"field": "score", "op": ">=", "value": 10}]});
    create(client, "offers", &probe).await?;
    let quiet = json!({"name": "email", "config": {"quietHoursStart": "21:00",
        "quietHoursEnd": "08:00",
        "timezoneSource": "customer.timezone"}});
    for channel in [quiet, json!({"name": "web"})] {
        create(client, "channels", &channel).await?;
    }
    for policy in policies() {
        create(client, "contact-policies", &policy).await?;
    }
    for index in 0..FLOWS {
        create(client, "decision-flows", &flow(&mut draw, index)).await?;
    }
    let nodes = json!([{"id": "i", "type": "inventory", "config": {"categories": ["Probe"]}},
        {"id": "e", "type": "enrich"}, {"id": "q", "type": "qualify"}, {"id": "s", "type": "score"},
        {"id": "r", "type": "rank"}, {"id": "o", "type": "response"}]);
    create(client, "decision-flows", &json!({"name": "Probe", "config": {"nodes": nodes}})).await?;
    let now = serve::Clock::system().now().to_rfc3339();
    let experiment = json!({"name": "Held out", "flowId": "flow_flow_0", "holdoutPercentage": 20,
        "salt": "replay", "startsAt": now,
        "primaryMetric": "conversion_rate", "duration": "90 days"});
    create(client, "experiments", &experiment).await?;
    put_records(client, &mut draw, customers).await
}

async fn create(client: &Client, collection: &str, body: &Value) -> anyhow::Result<Value> {
    client.ok("POST", &format!("/api/v1/{collection}"), body).await
}

fn of_category(draw: &mut Draw, index: usize) -> Value {
    let most = 1 + draw.below(9);
    json!({"name": category(index), "computedFields": [
        {"name": "days", "formula": "round((today() - customer.since) / 86400)",
            "outputType": "integer"},
        {"name": format!("ratio{index}"),
            "formula": format!("customer.spend / max(customer.score, {most})")},
        {"name": format!("fresh{index}"), "formula": format!("days < {} && customer.member",
            100 + draw.below(300)),
         "outputType": "boolean"},
    ]})
}

fn offer(draw: &mut Draw, index: usize) -> Value {
    let home = draw.below(CATEGORIES);
    let rules: Vec<_> = (0..draw.below(4)).map(|_| rule(draw, home, 0)).collect();
    let mut offer = json!({"id": format!("off_{index}"), "name": format!("Offer {index}"),
        "category": category(home),
        "priority": draw.below(101), "businessValue": draw.below(101),
            "qualificationRules": rules});
    if draw.percent(50) {
        offer["margin"] = json!(draw.below(101));
    }
    if draw.percent(30) {
        offer["affinities"] = json!([{"field": "tier", "value": draw.of(&TIERS)},
            {"field": "member", "value": true}]);
    }
    if draw.percent(20) {
        offer["cost"] = json!(draw.below(20));
    }
    if draw.percent(10) {
        offer["schedule"] =
            json!({"startsAt": "2020-01-01T00:00:00Z", "endsAt": draw.of(&parts::ENDS)});
    }
    if draw.percent(3) {
        offer["mandatory"] = json!({"reason": "recall", "expiresAt": parts::ENDS[1]});
    }
    offer
}

fn rule(draw: &mut Draw, home: usize, depth: usize) -> Value {
    let number = draw.below(100);
    match draw.below(if depth < 2 { 13 } else { 10 }) {
        0 => json!({"field": "score", "op": draw.of(&[">=", "<", "!="]), "value": number}),
        1 => json!({"field": "customer.spend", "op": draw.of(&["<=", ">"]), "value": number * 5}),
        2 => {
            json!({"field": "tier", "op": draw.of(&["in", "not_in"]), "value": [draw.of(&TIERS),
                draw.of(&TIERS)]})
        }
        3 => json!({"field": "days", "op": ">=", "value": number * 3}),
        4 => json!({"field": format!("ratio{home}"), "op": "<", "value": number}),
        5 => json!({"field": format!("fresh{home}"), "op": "==", "value": draw.percent(50)}),
        6 => json!({"field": "attributes.weather", "op": "in", "value": [draw.of(&WEATHERS)]}),
        7 => {
            json!({"field": draw.of(&["customer.seen", "since", "country"]),
                "op": draw.of(&["exists", "not_exists"])})
        }
        8 => json!({"field": "tier", "op": "matches", "value": "^(g|s)"}),
        9 => json!({"field": draw.of(&parts::METRICS), "op": "<", "value": draw.below(6)}),
        10 => json!({"not": rule(draw, home, depth + 1)}),
        11 => json!({"all": [rule(draw, home, depth + 1), rule(draw, home, depth + 1)]}),
        _ => json!({"any": [rule(draw, home, depth + 1), rule(draw, home, depth + 1)]}),
    }
}

fn policies() -> Vec<Value> {
    vec![
        json!({"name": "Cap", "ruleType": "frequency_cap", "windowDays": 7, "maxImpressions": 12}),
        json!({"name": "Day", "ruleType": "frequency_cap", "scope": "category:Group 0,Group 1",
            "maxPerDay": 4}),
        json!({"name": "Rest", "ruleType": "outcome_based", "outcomes": ["complaint"],
            "windowDays": 90}),
        json!({"name": "Cool", "ruleType": "cooldown", "scope": "category:Group 2",
            "windowHours": 1}),
        json!({"name": "Hours", "ruleType": "time_window", "scope": "channel:email",
            "start": "06:00", "end": "23:00",
            "allowedDays": ["mon", "tue", "wed", "thu", "fri"]}),
        json!({"name": "Segment", "ruleType": "segment_exclusion", "scope": "category:Group 3",
            "field": "tier",
            "segments": ["new"]}),
        json!({"name": "Budget", "ruleType": "budget", "scope": "category:Group 4", "windowDays": 1,
            "maxContacts": 500}),
    ]
}

fn flow(draw: &mut Draw, index: usize) -> Value {
    let all: Vec<_> = (0..CATEGORIES).map(category).collect();
    let categories: Vec<_> = all.iter().filter(|_| index == 0 || draw.percent(60)).collect();
    let score = match index {
        1 => json!({"method": "priority"}),
        2 => {
            json!({"method": "formula",
                "formula": "clamp(customer.score / 100, 0, offer.priority / 100)"})
        }
        3 => json!({"method": "model", "model": "Response"}),
        _ => json!({"method": "propensity"}),
    };
    let weights = json!({"Wp": 0.1 * (1 + draw.below(4)) as f64, "Wr": 0.2,
        "Wi": 0.1 * draw.below(5) as f64, "We": 0.1});
    let mut nodes = json!([
        {"id": "inventory", "type": "inventory", "config": {"categories": categories}},
        {"id": "enrich", "type": "enrich", "config": {"schema": "Customer"}},
        {"id": "compute", "type": "compute"},
        {"id": "qualify", "type": "qualify"},
        {"id": "policy", "type": "contact_policy"},
        {"id": "score", "type": "score", "config": score},
        {"id": "rank", "type": "rank", "config": {"weights": weights}},
        {"id": "response", "type": "response"},
    ]);
    if let (Some(nodes), 2 | 3) = (nodes.as_array_mut(), index) {
        parts::put_into(nodes, draw, index == 3);
    }
    json!({"name": format!("Flow {index}"), "config": {"nodes": nodes}})
}

/// Of each field most customers have a value.
fn record(draw: &mut Draw, customer: usize) -> Value {
    let day = |draw: &mut Draw| format!("2026-{:02}-{:02}", 1 + draw.below(11), 1 + draw.below(28));
    let values = [
        ("score", json!(draw.below(100))),
        ("spend", json!(draw.below(500) as f64 + 0.25)),
        ("tier", json!(draw.of(&TIERS))),
        ("since", json!(day(draw))),
        ("seen", json!(format!("{}T10:00:00Z", day(draw)))),
        ("member", json!(draw.percent(50))),
        ("timezone", json!(draw.of(&ZONES))),
        ("country", json!(draw.of(&["GB", "US", "IN"]))),
        ("consentEmail", json!(draw.percent(95))),
    ];
    let mut record = Map::from_iter([("customerId".to_owned(), json!(format!("cust_{customer}")))]);
    record.extend(
        values
            .into_iter()
            .filter(|_| draw.percent(88))
            .map(|(name, value)| (name.to_owned(), value)),
    );
    Value::Object(record)
}

async fn put_records(client: &Client, draw: &mut Draw, customers: usize) -> anyhow::Result<()> {
    let records: Vec<_> = (0..customers).map(|customer| record(draw, customer)).collect();
    for page in records.chunks(500) {
        client.ok("POST", "/api/v1/schemas/Customer/records", &json!({"records": page})).await?;
    }
    Ok(())
}

/// One question, and what the customer makes of the answer; the decision's id.
pub async fn decide(
    client: &Client,
    mut draw: Draw,
    number: u64,
    customers: usize,
) -> anyhow::Result<Option<String>> {
    let draw = &mut draw;
    if number % EDIT_EVERY == EDIT_EVERY / 2 {
        let edit = json!({"priority": draw.below(101)});
        client.ok("PATCH", &format!("/api/v1/offers/off_{}", draw.below(OFFERS)), &edit).await?;
    }
    // A few nobody knows.
    let customer = format!("cust_{}", draw.below(customers + customers / 20 + 1));
    let mut asked = json!({"customerId": customer, "flow": format!("Flow {}", draw.below(FLOWS)),
        "limit": 1 + draw.below(3)});
    if draw.percent(70) {
        asked["channel"] = json!(draw.of(&["email", "web"]));
        asked["placement"] = json!(draw.of(&["", "banner"]));
        asked["contact"] = json!(draw.percent(90));
    } else {
        asked["contact"] = json!(false);
    }
    if draw.percent(50) {
        asked["attributes"] = json!({"weather": draw.of(&WEATHERS)});
    }
    if draw.percent(30) {
        asked["explain"] = json!(true);
    }
    if draw.percent(20) {
        asked["hold"] = json!(false);
    }
    if draw.percent(10) {
        asked["excludeOffers"] = json!([format!("off_{}", draw.below(OFFERS))]);
    }
    if draw.percent(10) {
        asked["requestId"] = json!(format!("request_{number}"));
    }
    let decision = client.ok("POST", "/api/v1/recommend", &asked).await?;
    let id = decision["decisionId"].as_str().map(str::to_owned);
    if decision["decisions"][0].is_object() && draw.percent(40) {
        let outcome = if draw.percent(90) { "impression" } else { "complaint" };
        let report =
            json!({"customerId": customer, "decisionId": id, "rank": 1, "outcome": outcome});
        client.ok("POST", "/api/v1/respond", &report).await?;
    }
    if draw.percent(5) {
        let bought = json!({"customerId": customer, "outcome": "conversion",
            "value": draw.below(100),
            "idempotencyKey": format!("order_{number}")});
        client.ok("POST", "/api/v1/respond", &bought).await?;
    }
    Ok(id)
}

/// Edits whatever a decision may have rested on.
pub async fn edit_everything(client: &Client, seed: u64, customers: usize) -> anyhow::Result<()> {
    let mut draw = Draw::new(seed, u64::MAX);
    for index in 0..OFFERS {
        let never = json!({"priority": 1, "name": format!("Edited {index}"), "businessValue": 2,
            "mandatory": null,
            "schedule": {"startsAt": parts::ENDS[1], "endsAt": "3000-01-01T00:00:00Z"},
            "qualificationRules": [{"field": "score", "op": ">", "value": 1000}]});
        client.ok("PATCH", &format!("/api/v1/offers/off_{index}"), &never).await?;
    }
    for index in 0..CATEGORIES {
        let field = json!({"name": "days", "formula": "0 - 1", "outputType": "integer"});
        let mut edited = of_category(&mut draw, index);
        edited["computedFields"][0] = field;
        client.ok("PATCH", &format!("/api/v1/categories/cat_group_{index}"), &edited).await?;
    }
    client.ok("PATCH", "/api/v1/offers/off_probe", &json!({"status": "archived"})).await?;
    let all = client.ok("GET", "/api/v1/contact-policies", &Value::Null).await?;
    for policy in all["data"].as_array().into_iter().flatten() {
        let path =
            format!("/api/v1/contact-policies/{}", policy["id"].as_str().unwrap_or_default());
        client.ok("DELETE", &path, &Value::Null).await?;
    }
    let one =
        json!({"name": "One", "ruleType": "frequency_cap", "windowDays": 30, "maxImpressions": 1});
    create(client, "contact-policies", &one).await?;
    let quiet = json!({"config": {"quietHoursStart": "09:00", "quietHoursEnd": "08:59",
        "timezoneSource": "customer.timezone"}});
    client.ok("PATCH", "/api/v1/channels/ch_email", &quiet).await?;
    client.ok("PATCH", "/api/v1/settings", &json!({"timezone": "Asia/Tokyo"})).await?;
    for index in 0..FLOWS {
        let edited = flow(&mut draw, index);
        let path = format!("/api/v1/decision-flows/flow_flow_{index}");
        client.ok("PATCH", &path, &json!({"config": edited["config"]})).await?;
    }
    parts::edit(client).await?;
    client.ok("PUT", "/api/v1/schemas/Customer/records/probe", &json!({"score": 1})).await?;
    put_records(client, &mut draw, customers).await
}
