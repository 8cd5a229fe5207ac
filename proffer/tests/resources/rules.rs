//! The rules of a resource, for every kind.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{
    kind::{Kind, kinds},
    suite::Door,
};

/// Writers at once.
const WRITERS: usize = 8;

pub async fn on_every_kind(check: impl AsyncFn(&Door, &Kind)) {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path()).await;
    for kind in kinds() {
        println!("{}", kind.message);
        check(&door, &kind).await;
    }
}

pub fn refused(status: u16, reason: &str) -> (u16, String) {
    (status, reason.to_owned())
}

/// The fields that a write sets besides those it was given.
fn without_stamp(resource: &Value) -> Value {
    let mut rest = resource.clone();
    for field in ["revision", "etag", "updatedAt", "warnings"] {
        rest.as_object_mut().unwrap().remove(field);
    }
    rest
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_given_or_made_from_the_name_and_both_are_unique() {
    on_every_kind(async |door, kind| {
        let created = door.post(kind.path, &kind.named("Alpha One")).await.ok();
        let id = kind.id_of("Alpha One");
        assert_eq!(created[kind.identity()], json!(id));
        let taken = refused(409, "ALREADY_EXISTS");
        assert_eq!(door.post(kind.path, &kind.named("alpha ONE")).await.refusal(), taken);
        let mut given = kind.named("Other");
        given[kind.identity()] = json!(id);
        assert_eq!(door.post(kind.path, &given).await.refusal(), taken);
        given[kind.identity()] = json!("given_7");
        let created = door.post(kind.path, &given).await.ok();
        assert_eq!(created[kind.identity()], json!("given_7"));
        given[kind.identity()] = json!("Not An Id");
        assert_eq!(door.post(kind.path, &given).await.refusal(), refused(400, "INVALID_FIELD"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_read_by_id_or_name_and_faults_are_refused() {
    on_every_kind(async |door, kind| {
        let created = door.post(kind.path, &kind.named("Alpha One")).await.ok();
        for named in [&kind.id_of("Alpha One"), "Alpha%20One", "ALPHA%20one"] {
            let read = door.get(&format!("{}/{named}", kind.path)).await.ok();
            assert_eq!(without_stamp(&read), without_stamp(&created));
            assert_eq!(read["etag"], created["etag"]);
        }
        for named in ["nobody", "a%0Ab", &"x".repeat(900)] {
            let path = format!("{}/{named}", kind.path);
            assert_eq!(door.get(&path).await.refusal(), refused(404, "NOT_FOUND"));
            assert_eq!(door.delete(&path).await.refusal(), refused(404, "NOT_FOUND"));
        }
        for (field, wrong) in [
            ("name", " ".to_owned()),
            ("name", "a\nb".to_owned()),
            ("name", "x".repeat(201)),
            ("description", "x".repeat(2_001)),
            ("status", "nowhere".to_owned()),
        ] {
            let mut body = kind.named("Beta");
            body[field] = json!(wrong);
            let answer = door.post(kind.path, &body).await;
            assert_eq!(answer.status, 400, "{field} {wrong}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_pages_by_id() {
    on_every_kind(async |door, kind| {
        for name in ["C", "A", "E", "B", "D"] {
            door.post(kind.path, &kind.named(name)).await.ok();
        }
        for size in [1, 2, 5, 1_000] {
            let ids = pages(door, kind, size).await;
            let expected: Vec<_> = ["A", "B", "C", "D", "E"].map(|name| kind.id_of(name)).into();
            assert_eq!(ids, expected, "{size}");
        }
        for wrong in ["pageSize=-1", "pageSize=1001", "pageToken=x", "pageToken=23"] {
            let answer = door.get(&format!("{}?{wrong}", kind.path)).await;
            assert_eq!(answer.refusal(), refused(400, "INVALID_FIELD"), "{wrong}");
        }
    })
    .await;
}

/// The ids of all pages, without what every tenant has.
async fn pages(door: &Door, kind: &Kind, size: usize) -> Vec<String> {
    let (mut ids, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("{}?pageSize={size}&pageToken={token}", kind.path);
        let page = door.get(&path).await.ok();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= size);
        let own = data.iter().filter(|resource| resource["isSystem"] != json!(true));
        ids.extend(own.map(|resource| resource[kind.identity()].as_str().unwrap().to_owned()));
        token = page["nextPageToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            return ids;
        }
        assert_eq!(data.len(), size);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_only_the_fields_of_its_mask() {
    on_every_kind(async |door, kind| {
        if !kind.is_updatable {
            return;
        }
        let mut body = kind.named("Alpha");
        body["description"] = json!("first");
        let created = door.post(kind.path, &body).await.ok();
        let path = format!("{}/{}", kind.path, kind.id_of("Alpha"));
        let updated = door.patch(&path, &json!({"description": "second"})).await.ok();
        let mut expected = without_stamp(&created);
        expected["description"] = json!("second");
        assert_eq!(without_stamp(&updated), expected);
        let later = |resource: &Value| resource["revision"].as_i64().unwrap();
        assert!(later(&updated) > later(&created));
        assert_ne!(updated["etag"], created["etag"]);
        assert_eq!(door.get(&path).await.ok()["description"], json!("second"));

        let renamed = door.patch(&path, &json!({"name": "Alpha Two"})).await.ok();
        assert_eq!(renamed[kind.identity()], created[kind.identity()]);
        door.post(kind.path, &kind.named("Beta")).await.ok();
        let taken = door.patch(&path, &json!({"name": "BETA"})).await;
        assert_eq!(taken.refusal(), refused(409, "ALREADY_EXISTS"));
        let unknown = door.patch(&path, &json!({"colour": "red"})).await;
        assert_eq!(unknown.status, 400);
        let absent = door.patch(&format!("{}/nobody", kind.path), &json!({"name": "N"})).await;
        assert_eq!(absent.refusal(), refused(404, "NOT_FOUND"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_guards_and_an_empty_one_overwrites() {
    on_every_kind(async |door, kind| {
        let created = door.post(kind.path, &kind.named("Alpha")).await.ok();
        let path = format!("{}/{}", kind.path, kind.id_of("Alpha"));
        let stale = refused(409, "ETAG_MISMATCH");
        if kind.is_updatable {
            let read = &created["etag"];
            let first = json!({"description": "first", "etag": read});
            let updated = door.patch(&path, &first).await.ok();
            // Another writer read the same state. With its etag it is refused, without it wins.
            let second = json!({"description": "second", "etag": read});
            assert_eq!(door.patch(&path, &second).await.refusal(), stale);
            let second = json!({"description": "second"});
            assert_eq!(door.patch(&path, &second).await.ok()["description"], json!("second"));
            let etag = updated["etag"].as_str().unwrap();
            assert_eq!(door.delete(&format!("{path}?etag={etag}")).await.refusal(), stale);
        }
        assert_eq!(door.delete(&format!("{path}?etag=other")).await.refusal(), stale);
        door.delete(&path).await.ok();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_all_succeed_without_an_etag_and_one_does_with_it() {
    on_every_kind(async |door, kind| {
        if !kind.is_updatable {
            return;
        }
        let created = door.post(kind.path, &kind.named("Alpha")).await.ok();
        let path = format!("{}/{}", kind.path, kind.id_of("Alpha"));
        let write = async |n: usize, etag: &Value| {
            let mut body = json!({"description": n.to_string()});
            if !etag.is_null() {
                body["etag"] = etag.clone();
            }
            door.patch(&path, &body).await
        };
        let answers = join_all((0..WRITERS).map(|n| write(n, &json!(null)))).await;
        answers.into_iter().for_each(|answer| drop(answer.ok()));
        let read = door.get(&path).await.ok();
        let (from, to) =
            (created["revision"].as_i64().unwrap(), read["revision"].as_i64().unwrap());
        assert_eq!(to - from, WRITERS as i64);

        let answers = join_all((0..WRITERS).map(|n| write(n, &read["etag"]))).await;
        let stale = refused(409, "ETAG_MISMATCH");
        let refusals = answers.iter().filter(|answer| answer.refusal() == stale).count();
        let successes = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((successes, refusals), (1, WRITERS - 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_id_is_never_used_again_and_its_name_is_free() {
    on_every_kind(async |door, kind| {
        door.post(kind.path, &kind.named("Alpha")).await.ok();
        let (id, path) = (kind.id_of("Alpha"), format!("{}/{}", kind.path, kind.id_of("Alpha")));
        assert_eq!(door.delete(&path).await.status, 204);
        assert_eq!(door.delete(&path).await.refusal(), refused(404, "NOT_FOUND"));
        assert_eq!(door.get(&path).await.refusal(), refused(404, "NOT_FOUND"));
        if kind.is_updatable {
            let update = door.patch(&path, &json!({"description": "x"})).await;
            assert_eq!(update.refusal(), refused(404, "NOT_FOUND"));
        }
        let mut again = kind.named("Other");
        again[kind.identity()] = json!(id);
        for (field, value) in kind.other_meaning.as_object().unwrap() {
            again[field] = value.clone();
        }
        let answer = door.post(kind.path, &again).await;
        assert_eq!(answer.refusal(), refused(409, "ALREADY_EXISTS"));
        let mut renamed = kind.named("Alpha");
        if kind.prefix.is_none() {
            renamed["key"] = json!("alpha_2");
        }
        let created = door.post(kind.path, &renamed).await.ok();
        assert_eq!(created[kind.identity()], json!(format!("{id}_2")));
    })
    .await;
}
