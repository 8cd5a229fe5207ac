//! Whatever is left out, null, of the wrong type, unknown or given twice gets a 4xx that says so,
//! and never a 5xx.

use conformance::{
    http::Client,
    seed,
    suite::{Shape, Store, Suite},
};
use serde_json::{Value, json};

/// The seed's calls, and one body for each other call that takes one.
fn calls() -> Vec<(String, String, Value)> {
    let mut calls: Vec<_> = (1..=11)
        .map(|number| seed::call("winback-tutorial", number).unwrap())
        .chain([seed::call("outcome-types", 2).unwrap()])
        .map(|call| (call.method, call.path, call.body.unwrap()))
        .collect();
    let record = json!({"lastPurchaseDate": "2026-07-03", "lifetimePurchases": 5,
        "lifetimeRevenue": 320.5,
        "primaryCategory": "apparel", "timezone": "Europe/London", "consentEmail": true});
    let named = |id: &str| {
        let mut named = record.clone();
        named["customerId"] = id.into();
        named
    };
    for (method, path, body) in [
        ("PUT", "/api/v1/schemas/Customer/records/ann", record.clone()),
        ("PATCH", "/api/v1/schemas/Customer/records/ann", record.clone()),
        (
            "POST",
            "/api/v1/schemas/Customer/records",
            json!({"records": [named("bob"), named("eve")], "allOrNothing": false}),
        ),
        (
            "PATCH",
            "/api/v1/offers/off_apparel_20_back",
            json!({"priority": 60, "qualificationRules": [{"any": [
            {"field": "primaryCategory", "op": "in", "value": ["apparel", "home"]},
            {"not": {"field": "isRecoverable", "op": "exists"}}]}]}),
        ),
        ("PATCH", "/api/v1/categories/Apparel", json!({"description": "clothes"})),
        ("PATCH", "/api/v1/schemas/Customer", json!({"description": "who buys"})),
        (
            "PATCH",
            "/api/v1/channels/email",
            json!({"config": {"quietHoursEnd": "07:30", "consentField": "consentEmail"}}),
        ),
        (
            "PATCH",
            "/api/v1/contact-policies/pol_winback_3_touch_cap_30_day_window",
            json!({"priority": 70}),
        ),
        ("PATCH", "/api/v1/decision-flows/flow_winback", json!({"description": "back again"})),
        ("PATCH", "/api/v1/experiments/exp_winback_q4_holdout", json!({"holdoutPercentage": 20})),
        (
            "PATCH",
            "/api/v1/settings",
            json!({"timezone": "Europe/London", "fallbackTimezone": "UTC", "currency": "EUR"}),
        ),
        (
            "PUT",
            "/api/v1/customers/ann/consents/email",
            json!({"granted": true, "source": "form", "evidence": "x",
            "at": "2026-07-03T10:00:00Z"}),
        ),
        (
            "POST",
            "/api/v1/respond",
            json!({"customerId": "ann", "outcome": "conversion", "value": 19.9, "channel": "email",
            "occurredAt": "2026-07-03T10:00:00Z", "idempotencyKey": "order-1"}),
        ),
        (
            "POST",
            "/api/v1/respond/batch",
            json!({"outcomes": [{"customerId": "ann", "outcome": "click",
            "idempotencyKey": "k1"}]}),
        ),
        (
            "POST",
            "/api/v1/recommend",
            json!({"customerId": "ann", "channel": "email", "flow": "Winback", "limit": 2,
            "attributes": {"cart": 3}, "placement": "top", "excludeOffers": ["off_x"],
                "dryRun": true,
            "at": "2026-07-03T10:00:00Z", "explain": true, "minRevision": ["catalog:1"]}),
        ),
    ] {
        calls.push((method.to_owned(), path.to_owned(), body));
    }
    calls
}

/// Values of every type: a wrong one for a field must be refused, a right one may pass.
fn strange() -> Vec<Value> {
    let (big, long) = (json!(1e300), Value::String("x".repeat(300)));
    vec![
        json!(null),
        json!("\u{0}"),
        json!("nonsense"),
        json!(-1),
        json!(0.5),
        big,
        json!(true),
        json!([]),
        json!([[1]]),
        json!({}),
        long,
    ]
}

/// Paths to every value of a body, the body itself left out.
fn places(body: &Value, here: Vec<String>, found: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match body {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => Vec::new(),
    };
    for (key, value) in children {
        let path = [here.clone(), vec![key]].concat();
        found.push(path.clone());
        places(value, path, found);
    }
}

fn edited(body: &Value, path: &[String], edit: &dyn Fn(&mut Value, &str)) -> Value {
    let mut edited = body.clone();
    let (last, way) = path.split_last().unwrap();
    let mut at = &mut edited;
    for step in way {
        at = match at {
            Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
            other => &mut other[step.as_str()],
        };
    }
    edit(at, last);
    edited
}

fn set(place: &mut Value, key: &str, value: Value) {
    match place {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => other[key] = value,
    }
}

fn remove(place: &mut Value, key: &str) {
    match place {
        Value::Array(items) => drop(items.remove(key.parse().unwrap())),
        Value::Object(fields) => drop(fields.remove(key)),
        _ => {}
    }
}

/// Sends a body; a refusal must say what is wrong.
async fn send(client: &Client, method: &str, path: &str, body: String) -> u16 {
    let answer = client.send(method, path, body.clone()).await.unwrap();
    assert!(answer.status < 500, "{method} {path} {body}: {} {}", answer.status, answer.body);
    if answer.status >= 400 {
        let fault = answer
            .error
            .unwrap_or_else(|| panic!("{method} {path} {body}: no error in {}", answer.body));
        assert!(
            !fault.message.is_empty() && !fault.code.is_empty(),
            "{method} {path} {body}: {}",
            answer.body
        );
        if fault.code == "INVALID_ARGUMENT" {
            let names_it = fault.fields.is_some_and(|fields| !fields.is_empty());
            assert!(names_it, "{method} {path} {body}: no field is named in {}", answer.body);
        }
    }
    answer.status
}

#[tokio::test(flavor = "multi_thread")]
async fn strange_input_is_refused_with_its_field_and_the_server_goes_on() {
    let mut suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let client = suite.client();
    for (method, path, body) in calls() {
        let status = send(&client, &method, &path, body.to_string()).await;
        assert!((200..300).contains(&status), "{method} {path} {body}: {status}");
    }
    let mut sent = 0;
    let mut refused = 0;
    for (method, path, body) in calls() {
        let mut all = Vec::new();
        places(&body, Vec::new(), &mut all);
        for place in &all {
            let mut bodies = vec![edited(&body, place, &remove)];
            bodies.extend(
                strange()
                    .into_iter()
                    .map(|value| edited(&body, place, &|at, key| set(at, key, value.clone()))),
            );
            for body in bodies {
                sent += 1;
                refused +=
                    usize::from(send(&client, &method, &path, body.to_string()).await >= 400);
            }
        }
        // Unknown at the top (a record's own fields are what its schema says), twice, and no object
        // at all.
        let unknown = edited(&body, &["colour".to_owned()], &|at, key| set(at, key, json!("red")));
        let status = send(&client, &method, &path, unknown.to_string()).await;
        assert!((400..500).contains(&status), "{method} {path}: unknown field answered {status}");
        let first = body.as_object().unwrap().keys().next().unwrap();
        let twice = format!("{{{}:{},{}", json!(first), body[first], &body.to_string()[1..]);
        assert_eq!(
            send(&client, &method, &path, twice).await,
            400,
            "{method} {path}: a field given twice"
        );
        for text in ["[]", "null", "7", "\"x\"", "{", "{\"a\":", &"[".repeat(10_000)] {
            let status = send(&client, &method, &path, text.to_owned()).await;
            assert_eq!(status, 400, "{method} {path} {:.20}", text);
        }
    }
    println!("{sent} strange bodies, {refused} refused, none with a 5xx");
    assert!(refused > sent / 2);
    suite.is_alive().unwrap();
    let answer = client.send("GET", "/api/v1/offers", "").await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_id_may_hold_any_character_but_control_characters() {
    let suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let client = suite.client();
    let schema = seed::call("winback-tutorial", 1).unwrap();
    client.ok("POST", "/api/v1/schemas", &schema.body.unwrap()).await.unwrap();
    for (id, encoded) in [
        ("a/b", "a%2Fb"),
        ("ä ö", "%C3%A4%20%C3%B6"),
        ("a?b#c", "a%3Fb%23c"),
        ("..", ".."),
        ("100%", "100%25"),
    ] {
        let path = format!("/api/v1/schemas/Customer/records/{encoded}");
        client.ok("PUT", &path, &json!({"primaryCategory": "home"})).await.unwrap();
        assert_eq!(client.ok("GET", &path, &Value::Null).await.unwrap()["customerId"], id);
    }
    let long = format!("/api/v1/schemas/Customer/records/{}", "x".repeat(129));
    for path in
        ["/api/v1/schemas/Customer/records/a%00b", "/api/v1/schemas/Customer/records/%FF", &long]
    {
        let status = client.send("PUT", path, "{}").await.unwrap().status;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
}
