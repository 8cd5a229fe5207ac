//! Pages of large resources: a page ends before its answer outgrows 4 MiB.

use std::path::Path;

use database::{Database, Location, PoolSizes};
use history::{Change, History, IdChoice, Write};
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value as Field};

use super::{
    kind::{Kind, kinds},
    suite::Door,
};

/// Resources of each kind.
const COUNT: usize = 700;
/// Longest description: 2,000 characters of four bytes.
const DESCRIPTION_CHARS: usize = 2_000;
/// Numbers of statuses that every kind with a status has.
const EVEN: i32 = 1;
const ODD: i32 = 2;
/// Bytes that an answer may have.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// As many resources as would need several answers, written at once into the service's log.
async fn fill(folder: &Path, kind: &Kind) {
    let location = Location::Folder(folder.to_owned());
    let migrations = [history::migrations()];
    let database = Database::open(&location, kind.store, PoolSizes::default(), &migrations);
    let database = database.await.unwrap();
    let history = History::new(database.clone());
    let descriptor = proffer_proto::POOL.get_message_by_name(kind.message).unwrap();
    let status = descriptor.get_field_by_name("status");
    let mut message = DynamicMessage::new(descriptor);
    message.set_field_by_name("description", Field::String("𝄞".repeat(DESCRIPTION_CHARS)));
    let mut transaction = database.begin().await.unwrap();
    for n in 0..COUNT {
        if let Some(status) = &status {
            message.set_field(status, Field::EnumNumber(if n % 2 == 0 { EVEN } else { ODD }));
        }
        let (id, name) = (IdChoice::Given(id(n)), format!("R {n}"));
        message.set_field_by_name("name", Field::String(name.clone()));
        let change = Change {
            tenant: "default",
            actor: "test",
            at: chrono::DateTime::UNIX_EPOCH,
            kind: Box::leak(kind.name().into_boxed_str()),
            write: Write::Create { id, name, payload: message.encode_to_vec() },
        };
        history.write_in(&mut transaction, change).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

fn id(n: usize) -> String {
    format!("r{n:04}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_resources_ends_early_and_the_next_one_goes_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    for kind in kinds() {
        fill(folder.path(), &kind).await;
    }
    let door = Door::open(folder.path()).await;
    for kind in kinds() {
        let (ids, pages) = all(&door, &kind, "").await;
        assert_eq!(ids, (0..COUNT).map(id).collect::<Vec<_>>(), "{}", kind.message);
        assert!(pages > 4, "{}: {pages} pages", kind.message);
        let odd = proffer_proto::words::of_field(kind.message, "status");
        let Some((_, odd)) = odd.into_iter().find(|(number, _)| *number == ODD) else { continue };
        let (ids, pages) = all(&door, &kind, &format!("status={odd}&")).await;
        let expected: Vec<_> = (0..COUNT).filter(|n| n % 2 == 1).map(id).collect();
        assert_eq!(ids, expected, "{} that are {odd}", kind.message);
        assert!(pages > 2, "{}: {pages} pages", kind.message);
    }
}

/// The ids of all pages of a list, and how many pages there are.
async fn all(door: &Door, kind: &Kind, query: &str) -> (Vec<String>, usize) {
    let (mut ids, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!("{}?{query}pageSize=1000&pageToken={token}", kind.path);
        let answer = door.get(&path).await;
        assert!(answer.bytes < ANSWER_BYTES_MAX, "{}: {} bytes", kind.message, answer.bytes);
        let page = answer.ok();
        let data = page["data"].as_array().unwrap();
        let own = data.iter().filter(|resource| resource["isSystem"] != true);
        ids.extend(own.map(|found| found[kind.identity()].as_str().unwrap().to_owned()));
        pages += 1;
        token = page["nextPageToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            return (ids, pages);
        }
    }
}
