//! Lists narrowed by status and category.

use prost_reflect::{Kind as FieldKind, MessageDescriptor};
use serde_json::{Value, json};

use super::{
    kind::{Kind, kinds},
    rules::{on_every_kind, refused},
    suite::Door,
};

fn message(kind: &Kind) -> MessageDescriptor {
    proffer_proto::POOL.get_message_by_name(kind.message).unwrap()
}

/// The request of a kind's list.
fn request(kind: &Kind) -> MessageDescriptor {
    let lists = |answer: MessageDescriptor| {
        let of_kind = FieldKind::Message(message(kind));
        answer.fields().any(|field| field.is_list() && field.kind() == of_kind)
    };
    let services: Vec<_> = proffer_proto::POOL.services().collect();
    let mut methods = services.iter().flat_map(|service| service.methods());
    let list = methods.find(|it| it.name().starts_with("List") && lists(it.output()));
    list.unwrap().input()
}

#[test]
fn every_kind_with_a_status_or_category_can_be_listed_by_it() {
    for kind in kinds() {
        for field in ["status", "category"] {
            let of = |message: MessageDescriptor| {
                message.get_field_by_name(field).map(|field| field.kind())
            };
            assert_eq!(of(message(&kind)), of(request(&kind)), "{} by {field}", kind.message);
        }
    }
}

/// Two statuses in which a resource of the kind can be created; none for a kind without one.
fn statuses(kind: &Kind) -> Option<[&'static str; 2]> {
    message(kind).get_field_by_name("status")?;
    Some(if kind.name() == "experiment" { ["draft", "concluded"] } else { ["draft", "paused"] })
}

/// The ids of all pages of a list. A page is short only at the end.
async fn ids(door: &Door, kind: &Kind, query: &str, size: usize) -> Vec<String> {
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("{}?{query}&pageSize={size}&pageToken={token}", kind.path);
        let page = door.get(&path).await.ok();
        let data = page["data"].as_array().unwrap();
        let id = |resource: &Value| resource[kind.identity()].as_str().unwrap().to_owned();
        ids.extend(data.iter().map(id));
        token = page["nextPageToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            return ids;
        }
        assert_eq!(data.len(), size, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_by_status_comes_in_full_pages_by_id() {
    on_every_kind(async |door, kind| {
        let Some([first, second]) = statuses(kind) else { return };
        let is_creatable = kind.name() != "experiment";
        let names = ["A", "B", "C", "D", "E", "F", "G"];
        for (name, number) in names.into_iter().zip(0..) {
            let mut body = kind.named(name);
            body["status"] = json!(if number % 3 == 1 && is_creatable { second } else { first });
            door.post(kind.path, &body).await.ok();
        }
        let expected =
            |names: &[&str]| -> Vec<_> { names.iter().map(|name| kind.id_of(name)).collect() };
        let (of_first, of_second) = match is_creatable {
            true => (expected(&["A", "C", "D", "F", "G"]), expected(&["B", "E"])),
            false => (expected(&names), Vec::new()),
        };
        for size in [1, 2, 5, 7, 1_000] {
            assert_eq!(ids(door, kind, &format!("status={first}"), size).await, of_first);
            assert_eq!(ids(door, kind, &format!("status={second}"), size).await, of_second);
        }
        let unknown = door.get(&format!("{}?status=nowhere", kind.path)).await;
        assert_eq!(unknown.refusal(), refused(400, "INVALID_FIELD"));
        let message = unknown.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("must be one of") && message.contains("`draft`"), "{message}");
        let page = door.get(&format!("{}?status={first}&pageSize=1", kind.path)).await.ok();
        let token = page["nextPageToken"].as_str().unwrap();
        for other in [format!("status={second}&"), String::new()] {
            let path = format!("{}?{other}pageSize=1&pageToken={token}", kind.path);
            assert_eq!(door.get(&path).await.refusal(), refused(400, "INVALID_FIELD"), "{path}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_are_listed_by_the_category_that_they_mean() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    let offers = kinds().into_iter().find(|kind| kind.name() == "offer").unwrap();
    let category = json!({"name": "Apparel"});
    door.post("/api/v1/categories", &category).await.ok();
    for (name, category, status) in [
        ("A", "Apparel", "active"),
        ("B", " apparel", "draft"),
        ("C", "Toys", "active"),
        ("D", "cat_apparel", "active"),
        ("E", "TOYS", "active"),
    ] {
        let body = json!({"name": name, "category": category, "status": status});
        door.post(offers.path, &body).await.ok();
    }
    let check = async |query: &str, expected: &[&str]| {
        let expected: Vec<_> = expected.iter().map(|name| offers.id_of(name)).collect();
        for size in [1, 100] {
            assert_eq!(ids(&door, &offers, query, size).await, expected, "{query}");
        }
    };
    check("category=Apparel", &["A", "B", "D"]).await;
    check("category=cat_apparel&status=active", &["A", "D"]).await;
    check("category=toys", &["C", "E"]).await;
    check("category=", &["A", "B", "C", "D", "E"]).await;
    let unknown = door.get("/api/v1/offers?category=Aparel").await;
    assert_eq!(unknown.refusal(), refused(404, "NOT_FOUND"));
    let message = unknown.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("did you mean `Apparel`?"), "{message}");
    let far = door.get("/api/v1/offers?category=Gardening").await;
    let message = far.body["error"]["message"].as_str().unwrap();
    assert!(message.contains("known are Apparel, TOYS"), "{message}");
    // After a rename the offers still mean the category, and a new one of the name is another.
    door.patch("/api/v1/categories/cat_apparel", &json!({"name": "Clothing"})).await.ok();
    check("category=Clothing", &["A", "B", "D"]).await;
    door.post("/api/v1/categories", &json!({"id": "cat_new", "name": "Apparel"})).await.ok();
    check("category=Apparel", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_types_are_listed_by_category_those_of_every_tenant_first() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    let types = kinds().into_iter().find(|kind| kind.name() == "outcome_type").unwrap();
    for (key, category) in [("seen", "impression"), ("asked", "response"), ("called", "response")] {
        let body = json!({
            "key": key, "name": key, "classification": "neutral", "category": category
        });
        door.post(types.path, &body).await.ok();
    }
    let all = ids(&door, &types, "category=response", 100).await;
    assert_eq!(all[all.len() - 2..], ["asked", "called"]);
    assert!(all.iter().any(|key| key == "click") && all.iter().all(|key| key != "impression"));
    for size in 1..=all.len() {
        assert_eq!(ids(&door, &types, "category=response", size).await, all, "{size}");
        let seen = ids(&door, &types, "category=impression", size).await;
        assert_eq!(seen, ["impression", "seen"]);
    }
}
