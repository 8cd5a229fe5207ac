//! The settings: each tenant has them from the start, so that they are only read and changed.

use futures::future::join_all;
use serde_json::json;

use super::suite::Door;

const PATH: &str = "/api/v1/settings";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn settings_exist_from_the_start_and_writers_at_once_all_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    let initial = door.get(PATH).await.ok();
    assert_eq!((&initial["timezone"], &initial["currency"]), (&json!("UTC"), &json!("GBP")));

    // None is there to overwrite yet: one of these creates them.
    let zones = ["Europe/Paris", "Europe/Rome", "Asia/Tokyo", "America/Lima"];
    let mut writes: Vec<_> = zones.iter().map(|zone| json!({"timezone": zone})).collect();
    writes.push(json!({"currency": "EUR"}));
    let answers = join_all(writes.iter().map(|body| door.patch(PATH, body))).await;
    answers.into_iter().for_each(|answer| drop(answer.ok()));
    let read = door.get(PATH).await.ok();
    assert_eq!(read["currency"], json!("EUR"));
    assert!(zones.contains(&read["timezone"].as_str().unwrap()));

    let wrong = door.patch(PATH, &json!({"timezone": "Mars/Olympus"})).await;
    assert_eq!(wrong.refusal(), (400, "INVALID_FIELD".to_owned()));
    let changed = door.patch(PATH, &json!({"currency": "USD"})).await.ok();
    assert_eq!((&changed["timezone"], &changed["currency"]), (&read["timezone"], &json!("USD")));
}
