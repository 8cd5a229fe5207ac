//! Checking without writing, for every kind of resource.

use serde_json::{Value, json};

use super::{
    kind::{Kind, kinds},
    suite::Door,
};

async fn validate(door: &Door, kind: &str, resource: &Value) -> Value {
    let body = json!({"kind": kind, "resource": resource});
    door.post("/api/v1/validate", &body).await.ok()
}

/// The logs of all services: their entries and heads.
async fn logs(door: &Door) -> Value {
    let answer = door.get("/api/v1/audit/verify").await.ok();
    assert_eq!(answer["valid"], json!(true), "{answer}");
    answer["services"].clone()
}

fn fields(verdict: &Value) -> Vec<&str> {
    assert_eq!(verdict["valid"], json!(false), "{verdict}");
    let errors = verdict["errors"].as_array().unwrap();
    errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
}

fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_of_every_kind_is_checked_as_its_write_checks_it_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    for kind in kinds() {
        let (name, before) = (kind.name(), logs(&door).await);
        let (body, id) = (kind.named("Alpha One"), kind.id_of("Alpha One"));
        let verdict = validate(&door, &name, &body).await;
        assert_eq!(verdict["valid"], json!(true), "{name}: {verdict}");
        assert_eq!(verdict["errors"], json!([]), "{name}");
        // The same over the call that would write it.
        let tried = door.post(&format!("{}?validateOnly=true", kind.path), &body).await;
        assert_eq!(tried.status, 200, "{name}: nothing is created");
        let tried = tried.ok();
        assert_eq!(tried[kind.identity()], json!(id), "{name}");
        assert!(tried.get("createdAt").is_none_or(Value::is_null), "{name}: {tried}");
        assert!(tried["etag"].as_str().is_none_or(str::is_empty), "{name}: {tried}");
        let mut unnamed = kind.named("Beta");
        unnamed["name"] = json!(" ");
        assert!(fields(&validate(&door, &name, &unnamed).await).contains(&"name"), "{name}");
        let missing = without(kind.named("Beta"), "name");
        assert!(fields(&validate(&door, &name, &missing).await).contains(&"name"), "{name}");
        let mut unknown = kind.named("Beta");
        unknown["colour"] = json!({"red": 1});
        assert_eq!(fields(&validate(&door, &name, &unknown).await), ["colour"], "{name}");
        assert_eq!(logs(&door).await, before, "{name}: something was written");
        assert_eq!(door.get(&format!("{}/{id}", kind.path)).await.status, 404, "{name}");

        // What it says is what the write then does.
        let created = door.post(kind.path, &body).await.ok();
        let warnings = created.get("warnings").cloned().unwrap_or(json!([]));
        assert_eq!(verdict["warnings"], warnings, "{name}");
        let before = logs(&door).await;
        let mut taken = kind.named("alpha ONE");
        if kind.prefix.is_none() {
            taken["key"] = json!("another");
        }
        assert_eq!(fields(&validate(&door, &name, &taken).await), ["name"], "{name}");
        let mut taken = kind.named("Other");
        taken[kind.identity()] = json!(id);
        assert_eq!(fields(&validate(&door, &name, &taken).await), [kind.identity()], "{name}");
        assert_eq!(logs(&door).await, before, "{name}: something was written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_checked_as_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    let (before, settings) = (logs(&door).await, door.get("/api/v1/settings").await.ok());
    let verdict = validate(&door, "settings", &json!({"timezone": "Europe/London"})).await;
    assert_eq!(verdict, json!({"valid": true, "errors": [], "warnings": []}));
    let wrong = json!({"legalQuietHours": {"US": {"start": "21:00", "end": "25:00"}}});
    let verdict = validate(&door, "settings", &wrong).await;
    assert!(fields(&verdict)[0].starts_with("legalQuietHours"), "{verdict}");
    assert_eq!(logs(&door).await, before);
    assert_eq!(door.get("/api/v1/settings").await.ok(), settings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_named_by_its_json_path_and_its_position_in_a_formula() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    let computed = |formula: &str| {
        let field = json!({"name": "big", "formula": formula, "outputType": "boolean"});
        json!({"name": "Things", "computedFields": [field]})
    };
    let formula = "1 < 2 && (3 < ";
    let verdict = validate(&door, "category", &computed(formula)).await;
    assert_eq!(fields(&verdict), ["computedFields[0].formula"]);
    assert_eq!(verdict["errors"][0]["position"], json!(formula.len()), "{verdict}");
    let rules = json!({"name": "One", "category": "X",
        "qualificationRules": [{"any": [{"field": "a", "op": "~", "value": 1}]}]});
    let verdict = validate(&door, "offer", &rules).await;
    let field = fields(&verdict)[0];
    assert!(field.starts_with("qualificationRules[0].any[0]"), "{verdict}");
    assert!(verdict["errors"][0].get("position").is_none(), "{verdict}");
    let deep = json!({"name": "One", "category": "X", "qualificationRules": [
        {"all": [{"field": "a", "op": "==", "value": 1, "valu": 2}]}]});
    assert_eq!(
        fields(&validate(&door, "offer", &deep).await),
        ["qualificationRules[0].all[0].valu"]
    );
    let lost = json!({"name": "Lost", "flowId": "Winbak", "holdoutPercentage": 10});
    assert_eq!(fields(&validate(&door, "experiment", &lost).await), ["flowId"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_names_no_kind_or_no_resource_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    let refused = async |body: Value, part: &str| {
        let answer = door.post("/api/v1/validate", &body).await;
        assert_eq!(answer.refusal(), (400, "INVALID_FIELD".to_owned()), "{body}");
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{body}: {message}");
    };
    refused(json!({"kind": "ofer", "resource": {}}), "did you mean `offer`?").await;
    refused(json!({"kind": "offers", "resource": {}}), "behavioral_metric, category").await;
    refused(json!({"resource": {}}), "`kind` is required").await;
    refused(json!({"kind": "offer"}), "`resource` is required").await;
    refused(json!({"kind": "offer", "resource": [1]}), "must be an object, not a list").await;
    refused(json!({"kind": "offer", "resource": {}, "dryRun": true}), "`dryRun`").await;
    refused(json!([]), "must be an object").await;
    let every: Vec<String> = kinds().iter().map(Kind::name).collect();
    for known in every {
        refused(json!({"kind": "nothing", "resource": {}}), &known).await;
    }
    let twice = r#"{"kind":"channel","resource":{"name":"a","name":"b"}}"#;
    let (status, text) = door.text("POST", "/api/v1/validate", twice).await;
    let verdict: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, fields(&verdict)), (200, vec!["name"]));
    assert_eq!(door.get("/api/v1/validate").await.status, 405);
}
