//! History and integrity of the log, for every kind of resource and every service.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    kind::{Kind, kinds},
    suite::Door,
};

/// The services, by the names of their stores.
const STORES: [&str; 4] = ["catalog", "decision", "experiment", "policy"];

fn collection(kind: &Kind) -> &'static str {
    kind.path.trim_start_matches("/api/v1/")
}

async fn history(door: &Door, kind: &Kind, id: &str) -> Vec<Value> {
    let answer = door.get(&format!("/api/v1/history/{}/{id}", collection(kind))).await.ok();
    assert_eq!(answer["kind"], json!(kind.name()));
    answer["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_has_a_history_that_outlives_the_resource() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    for kind in kinds() {
        let mut body = kind.named("Alpha One");
        body["description"] = json!("first");
        let created = door.post(kind.path, &body).await.ok();
        let id = kind.id_of("Alpha One");
        let path = format!("{}/{id}", kind.path);
        let updated = door.patch(&path, &json!({"description": "second"})).await.ok();
        for named in [&id, "Alpha%20One"] {
            assert_eq!(history(&door, &kind, named).await.len(), 2, "{}", kind.message);
        }
        door.delete(&path).await.ok();
        let entries = history(&door, &kind, &id).await;
        let actions: Vec<_> = entries.iter().map(|entry| entry["action"].clone()).collect();
        assert_eq!(actions, ["delete", "update", "create"], "{}", kind.message);
        let second = json!({"path": "description", "was": "first", "now": "second"});
        assert_eq!(entries[1]["changes"], json!([second]), "{}", kind.message);
        // Every field that the caller gave is a change of the new resource, as it is read.
        let changes = entries[2]["changes"].as_array().unwrap();
        for (field, given) in body.as_object().unwrap() {
            if field != kind.identity() {
                let change = json!({"path": field, "now": created[field]});
                assert!(changes.contains(&change), "{}: {field}: {given}", kind.message);
            }
        }
        if kind.message != "proffer.catalog.v1.OutcomeType" {
            assert_eq!(entries[1]["etag"], updated["etag"], "{}", kind.message);
            assert_eq!(entries[1]["revision"], updated["revision"], "{}", kind.message);
        }
    }
}

/// What a check says of the service of each store.
async fn verify(door: &Door) -> (bool, Vec<Value>) {
    let answer = door.get("/api/v1/audit/verify").await.ok();
    assert_eq!(answer["unanswered"], json!([]));
    let services = answer["services"].as_array().unwrap().clone();
    let names: Vec<_> = services.iter().map(|log| log["service"].as_str().unwrap()).collect();
    assert_eq!(names, STORES.map(|store| format!("{store}-svc")));
    (answer["valid"].as_bool().unwrap(), services)
}

async fn change(folder: &Path, store: &str, statement: &'static str) {
    let file = format!("sqlite://{}", folder.join(format!("{store}.sqlite")).display());
    let pool = sqlx::SqlitePool::connect(&file).await.unwrap();
    let done = sqlx::query(statement).execute(&pool).await.unwrap();
    assert!(done.rows_affected() > 0, "{store}: {statement}");
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_row_in_any_store_is_seen_at_its_first_bad_revision() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    for kind in kinds() {
        for name in ["Alpha", "Beta", "Gamma"] {
            door.post(kind.path, &kind.named(name)).await.ok();
        }
    }
    let (valid, services) = verify(&door).await;
    assert!(valid, "{services:?}");
    for (store, log) in STORES.iter().zip(&services) {
        let count = kinds().iter().filter(|kind| kind.store == *store).count() * 3;
        assert_eq!((&log["entries"], &log["valid"]), (&json!(count), &json!(true)));
        assert_eq!(log["head"].as_str().unwrap().len(), 64);
        assert!(log.get("firstBad").is_none());
    }
    let (entry, back) = (
        "update entry set actor = actor || '!' where revision = 2",
        "update entry set actor = rtrim(actor, '!') where revision = 2",
    );
    for (place, store) in STORES.iter().enumerate() {
        change(folder.path(), store, entry).await;
        let (valid, services) = verify(&door).await;
        assert!(!valid);
        for (other, log) in services.iter().enumerate() {
            assert_eq!(log["valid"], json!(other != place), "{store}: {log}");
        }
        assert_eq!(
            (&services[place]["firstBad"], &services[place]["entries"]),
            (&json!(2), &json!(1))
        );
        change(folder.path(), store, back).await;
        assert!(verify(&door).await.0, "{store}");

        // The newest entry is missing, and the present state is put back to that.
        let (cut, state) = (
            "delete from entry where revision = (select revision from head)",
            "delete from resource where revision = (select revision from head)",
        );
        change(folder.path(), store, cut).await;
        change(folder.path(), store, state).await;
        let (valid, services) = verify(&door).await;
        let last = services[place]["firstBad"].as_i64().unwrap();
        let fault = format!("entry {last} is missing; the head is {last}");
        assert_eq!((valid, &services[place]["fault"]), (false, &json!(fault)), "{store}");
        // The other stores are compared without it.
        change(folder.path(), store, "delete from head").await;
        change(folder.path(), store, "delete from resource").await;
        change(folder.path(), store, "delete from entry").await;
    }
}
