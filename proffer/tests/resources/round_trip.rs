//! What `GET` prints, `PATCH` takes: numbers of 16 digits and more come back as they were sent.

use serde_json::{Value, json};

use super::{kind::kinds, suite::Door};

/// Rounds, each with numbers of its own.
const ROUNDS: u64 = 12;

/// Numbers with many digits, different in each round.
struct Numbers(u64);

impl Numbers {
    fn digits(&mut self, count: usize) -> String {
        let mut digits = String::new();
        while digits.len() < count {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            digits.push(char::from(b'1' + (self.0 >> 33) as u8 % 9));
        }
        digits
    }

    /// A whole number of 64 bits.
    fn whole(&mut self) -> String {
        let sign = if self.digits(1).as_str() > "5" { "-" } else { "" };
        format!("{sign}{}", self.digits(18))
    }

    /// A decimal of 16 to 28 digits.
    fn decimal(&mut self) -> String {
        let (whole, fraction) =
            (3 + self.digits(1).len(), 12 + self.digits(1).as_bytes()[0] as usize % 12);
        format!("{}.{}", self.digits(whole), self.digits(fraction))
    }

    /// A double of 16 or 17 digits from 0 to 1, as doubles are written.
    fn share(&mut self) -> String {
        loop {
            let double: f64 = format!("0.{}", self.digits(17)).parse().unwrap();
            let written = double.to_string();
            if written.len() > "0.".len() + 15 {
                return written;
            }
        }
    }
}

/// What a kind takes of such numbers, beside its smallest body; `{whole}`, `{decimal}` and
/// `{share}` are filled in.
fn numbers_of(message: &str) -> &'static str {
    match message.rsplit('.').next().unwrap() {
        "Offer" => {
            r#""qualificationRules": [
                {"field": "customer.age", "op": "in", "value": [{whole}, {whole}, 7]},
                {"any": [
                    {"field": "customer.spent", "op": ">=", "value": {decimal}},
                    {"not": {"field": "attributes.card", "op": "==", "value": {whole}}},
                    {"field": "attributes.cart", "op": "<", "value": {decimal}}
                ]}
            ],
            "affinities": [
                {"field": "customer.age", "value": {whole}},
                {"field": "customer.spent", "value": {decimal}}
            ],
            "customFields": {"serial": {whole}, "ratio": {decimal}},
            "priority": 12.34567890123456, "margin": {share}, "businessValue": {share},
            "cost": 123456789.1234"#
        }
        "Category" => {
            r#""computedFields": [{"name": "f", "formula": "customer.spent > {decimal} ? 1 : 0"}]"#
        }
        "ContactPolicy" => {
            r#""ruleType": "budget", "windowDays": 30, "maxSpend": 123456789012.1234"#
        }
        "DecisionFlow" => {
            r#""config": {"nodes": [
                {"id": "i", "type": "inventory", "config": {"categories": ["X"]}},
                {"id": "e", "type": "enrich", "config": {"schema": "Customer"}},
                {"id": "q", "type": "qualify"},
                {"id": "f", "type": "filter", "config": {"rules": [
                    {"field": "customer.age", "op": "!=", "value": {whole}},
                    {"field": "customer.spent", "op": "not_in", "value": [{decimal}, {decimal}]}
                ]}},
                {"id": "s", "type": "score", "config": {"method": "priority"}},
                {"id": "r", "type": "rank", "config": {"weights": {"Wp": {share}, "Wi": {share}}}},
                {"id": "o", "type": "response"}
            ]}"#
        }
        "WeightProfile" => r#""weights": {"Wp": {share}, "Wr": {share}, "Wu": 1}"#,
        "Model" => {
            r#""type": "logistic_regression", "config": {"intercept": -{share}, "terms": [
                {"field": "customer.age", "coefficient": {share}, "equals": {whole}},
                {"field": "customer.spent", "coefficient": {share}, "equals": {decimal},
                    "whenMissing": {share}}
            ]}"#
        }
        _ => "",
    }
}

fn filled(template: &str, numbers: &mut Numbers) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{']) {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        let number = ["{whole}", "{decimal}", "{share}"]
            .iter()
            .find(|name| after.starts_with(**name))
            .copied();
        match number {
            Some("{whole}") => text.push_str(&numbers.whole()),
            Some("{decimal}") => text.push_str(&numbers.decimal()),
            Some(_) => text.push_str(&numbers.share()),
            None => text.push('{'),
        }
        rest = &after[number.map_or(1, str::len)..];
    }
    text.push_str(rest);
    text
}

/// The numbers of a JSON text with at least 16 digits, in their order; those in texts do not count.
fn long_numbers(text: &str) -> Vec<String> {
    let (mut found, mut number, mut in_text, mut is_escaped) =
        (Vec::new(), String::new(), false, false);
    for c in text.chars().chain([' ']) {
        if in_text {
            in_text = c != '"' || is_escaped;
            is_escaped = c == '\\' && !is_escaped;
        } else if c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E') && c != ' ' {
            number.push(c);
        } else {
            in_text = c == '"';
            let digits = number.bytes().filter(u8::is_ascii_digit).count();
            found.extend((digits >= 16).then(|| number.clone()));
            number.clear();
        }
    }
    found.sort();
    found
}

fn without_stamp(text: &str) -> Value {
    let mut resource: Value = serde_json::from_str(text).unwrap();
    for field in ["revision", "etag", "updatedAt", "warnings"] {
        resource.as_object_mut().unwrap().remove(field);
    }
    resource
}

#[tokio::test(flavor = "multi_thread")]
async fn what_get_prints_of_a_resource_patch_takes_back_with_every_digit() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    let fields = json!([
        {"name": "age", "type": "integer"}, {"name": "spent", "type": "decimal"}
    ]);
    door.post("/api/v1/schemas", &json!({"name": "Customer", "fields": fields})).await.ok();
    for kind in kinds().iter().filter(|kind| kind.is_updatable) {
        let template = numbers_of(kind.message);
        for round in 0..if template.is_empty() { 1 } else { ROUNDS } {
            println!("{} {round}", kind.message);
            let mut numbers = Numbers(round + 1);
            let members = filled(template, &mut numbers);
            let mut body = kind.named(&format!("Round {round}"));
            if !members.is_empty() {
                for replaced in [
                    "nodes",
                    "ruleType",
                    "windowDays",
                    "maxImpressions",
                    "weights",
                    "type",
                    "config",
                ] {
                    body.as_object_mut().unwrap().remove(replaced);
                }
            }
            let body = body.to_string();
            let body = match members.is_empty() {
                true => body,
                false => format!("{},{members}}}", &body[..body.len() - 1]),
            };
            let (status, created) = door.text("POST", kind.path, &body).await;
            assert!(status < 300, "{body}: {created}");
            let id = without_stamp(&created)[kind.identity()].as_str().unwrap().to_owned();
            let path = format!("{}/{id}", kind.path);
            let (_, first) = door.text("GET", &path, "").await;
            assert_eq!(long_numbers(&first), long_numbers(&body), "{body}\n{first}");
            let (status, patched) = door.text("PATCH", &path, &first).await;
            assert!(status < 300, "{first}: {patched}");
            let (_, second) = door.text("GET", &path, "").await;
            assert_eq!(without_stamp(&second), without_stamp(&first));
            assert_eq!(long_numbers(&second), long_numbers(&first));
        }
    }
    let (_, settings) = door.text("GET", "/api/v1/settings", "").await;
    let (status, patched) = door.text("PATCH", "/api/v1/settings", &settings).await;
    assert!(status < 300, "{patched}");
}

/// A record prints decimals beyond 15 digits as text and takes them so.
#[tokio::test(flavor = "multi_thread")]
async fn what_get_prints_of_a_record_put_takes_back_with_every_digit() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    let fields = json!([
        {"name": "card", "type": "integer"}, {"name": "spent", "type": "decimal"}
    ]);
    door.post("/api/v1/schemas", &json!({"name": "Customer", "fields": fields})).await.ok();
    for round in 0..ROUNDS {
        let mut numbers = Numbers(round + 1);
        let (card, spent) = (numbers.whole(), numbers.decimal());
        let path = format!("/api/v1/schemas/Customer/records/c{round}");
        let body = format!("{{\"card\":{card},\"spent\":{spent}}}");
        let (status, answer) = door.text("PUT", &path, &body).await;
        assert!(status < 300, "{answer}");
        let (_, first) = door.text("GET", &path, "").await;
        assert!(first.contains(&format!("\"card\":{card},")), "{body} {first}");
        assert!(first.contains(&format!("\"spent\":\"{spent}\"")), "{body} {first}");
        let given: Value = serde_json::from_str(&first).unwrap();
        let again = format!("{{\"card\":{card},\"spent\":{}}}", given["spent"]);
        for method in ["PUT", "PATCH"] {
            let (status, answer) = door.text(method, &path, &again).await;
            assert!(status < 300, "{answer}");
            let (_, second) = door.text("GET", &path, "").await;
            assert_eq!(long_numbers(&second), long_numbers(&first));
        }
    }
}
