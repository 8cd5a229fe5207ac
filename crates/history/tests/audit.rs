//! What a check of a log sees, and what the history of one resource holds, on both stores.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use chrono::{DateTime, TimeDelta, Utc};
use database::{Database, Location, PoolSizes, execute};
use history::{Change, History, IdChoice, LogServer, Verified, Write};
use proffer_proto::values::v1::{
    ConfigurationChange, ReadHistoryRequest, ReadHistoryResponse, log_service_server::LogService,
};
use sqlx::AssertSqlSafe;
use tonic::{Code, Status};

/// Something done to the tables, and the first bad revision that a check sees then.
struct Tampering {
    what: &'static str,
    statements: &'static [&'static str],
    first_bad: i64,
    fault: &'static str,
}

/// The log holds: 1 Alpha, 2 Beta, 3 Gamma, 4 Alpha again, 5 the end of Beta.
const TAMPERINGS: &[Tampering] = &[
    Tampering {
        what: "another author",
        statements: &["update entry set actor = 'eve' where revision = 2"],
        first_bad: 2,
        fault: "hash",
    },
    Tampering {
        what: "another payload, in the log and in the present state",
        statements: &[
            "update entry set payload = name_bytes where revision = 3",
            "update resource set payload = name_bytes where id = 'off_gamma'",
        ],
        first_bad: 3,
        fault: "hash",
    },
    Tampering {
        what: "an earlier instant",
        statements: &["update entry set written_us = written_us - 1 where revision = 4"],
        first_bad: 4,
        fault: "hash",
    },
    Tampering {
        what: "an entry taken out",
        statements: &["delete from entry where revision = 3"],
        first_bad: 3,
        fault: "missing",
    },
    Tampering {
        what: "the last entry taken out",
        statements: &["delete from entry where revision = 5"],
        first_bad: 2,
        fault: "off_beta",
    },
    Tampering {
        what: "the last entry taken out, and the present state put back",
        statements: &[
            "delete from entry where revision = 5",
            "update resource set payload = (select payload from entry where revision = 2),
               name_folded = 'beta', etag = 'ETAG_2', revision = 2,
               updated_us = created_us where id = 'off_beta'",
        ],
        first_bad: 5,
        fault: "entry 5 is missing; the head is 5",
    },
    Tampering {
        what: "every entry taken out",
        statements: &["delete from entry", "delete from resource"],
        first_bad: 1,
        fault: "entry 1 is missing",
    },
    Tampering {
        what: "the head put back",
        statements: &["update head set revision = 4"],
        first_bad: 5,
        fault: "beyond the head",
    },
    Tampering {
        what: "the head taken away",
        statements: &["delete from head"],
        first_bad: 1,
        fault: "beyond the head",
    },
    Tampering {
        what: "the head with the hash of another entry",
        statements: &["update head set hash = (select hash from entry where revision = 4)"],
        first_bad: 5,
        fault: "the head holds another hash",
    },
    Tampering {
        what: "another payload in the present state",
        statements: &["update resource set payload = name_bytes where id = 'off_gamma'"],
        first_bad: 3,
        fault: "offer `off_gamma`",
    },
    Tampering {
        what: "a deleted resource that is there again",
        statements: &["update resource set name_folded = 'beta',
            payload = (select payload from entry where revision = 2) where id = 'off_beta'"],
        first_bad: 5,
        fault: "offer `off_beta`",
    },
    Tampering {
        what: "a name that others can take",
        statements: &["update resource set name_folded = 'x' where id = 'off_gamma'"],
        first_bad: 3,
        fault: "differs",
    },
    Tampering {
        what: "another etag",
        statements: &["update resource set etag = 'x' where id = 'off_alpha'"],
        first_bad: 4,
        fault: "differs",
    },
    Tampering {
        what: "another instant of creation",
        statements: &["update resource set created_us = 7 where id = 'off_alpha'"],
        first_bad: 4,
        fault: "differs",
    },
    Tampering {
        what: "a resource taken out of the present state",
        statements: &["delete from resource where id = 'off_gamma'"],
        first_bad: 3,
        fault: "lacks offer `off_gamma`",
    },
    Tampering {
        what: "a resource that nobody wrote",
        statements: &["insert into resource
            select tenant_id, kind, 'off_eve', 'Eve', 'eve', payload, etag, revision, created_us,
              updated_us from resource where id = 'off_gamma'"],
        first_bad: 3,
        fault: "no entry is about offer `off_eve`",
    },
];

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

async fn write(history: &History, second: i64, write: Write) -> String {
    let change = Change { tenant: "t", actor: "ann", at: at(second), kind: "offer", write };
    history.write(change).await.unwrap().etag
}

fn create(name: &str) -> Write {
    let id = IdChoice::FromName { prefix: "off" };
    Write::Create { id, name: name.into(), payload: name.into() }
}

/// The log and its database; the etag of revision 2.
async fn filled(location: &Location) -> (History, Database, String) {
    let steps = [history::migrations()];
    let database = Database::open(location, "history", PoolSizes::default(), &steps).await.unwrap();
    let history = History::new(database.clone());
    write(&history, 1, create("Alpha")).await;
    let etag = write(&history, 2, create("Beta")).await;
    write(&history, 3, create("Gamma")).await;
    let (id, name, payload) = ("off_alpha".into(), "Alpha".into(), b"again".to_vec());
    write(&history, 4, Write::Update { id, name, payload, expected: None }).await;
    write(&history, 5, Write::Delete { id: "off_beta".into(), expected: None }).await;
    (history, database, etag)
}

async fn on_both(check: impl AsyncFn(&Location)) {
    let folder = tempfile::tempdir().unwrap();
    check(&Location::Folder(folder.path().to_owned())).await;
    check(&Location::Url(testkit::fresh_database_url().await)).await;
}

async fn tamper(database: &Database, etag: &str, statements: &[&str]) {
    let bytes = match database.dialect() {
        database::Dialect::Sqlite => "cast('x' as blob)",
        database::Dialect::Postgres => "cast('x' as bytea)",
    };
    let mut transaction = database.begin().await.unwrap();
    for statement in statements {
        let statement = statement.replace("name_bytes", bytes).replace("ETAG_2", etag);
        execute!(&mut transaction, sqlx::query(AssertSqlSafe(statement.clone()))).unwrap();
    }
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_behind_the_log_is_seen_at_its_first_bad_revision() {
    for tampering in TAMPERINGS {
        on_both(async |location| {
            let (history, database, etag) = filled(location).await;
            let whole = history.verify("t").await.unwrap();
            assert_eq!((whole.entries, whole.first_bad, whole.fault.as_str()), (5, None, ""));
            tamper(&database, &etag, tampering.statements).await;
            let Verified { first_bad, fault, .. } = history.verify("t").await.unwrap();
            assert_eq!(first_bad, Some(tampering.first_bad), "{}: {fault}", tampering.what);
            assert!(fault.contains(tampering.fault), "{}: {fault}", tampering.what);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_reads_every_page_and_tells_the_head() {
    on_both(async |location| {
        let (history, database, etag) = filled(location).await;
        for n in 0..450 {
            write(&history, 6, create(&format!("Offer {n}"))).await;
        }
        let head = history.entries("t", 454, 1).await.unwrap().remove(0).hash;
        let found = history.verify("t").await.unwrap();
        let expected =
            Verified { entries: 455, first_bad: None, fault: String::new(), head: head.clone() };
        assert_eq!(found, expected);
        tamper(&database, &etag, &["update resource set etag = 'x' where revision = 455"]).await;
        assert_eq!(history.verify("t").await.unwrap().first_bad, Some(455));
        let other = history.verify("other").await.unwrap();
        assert_eq!((other.entries, other.first_bad, other.head), (0, None, Vec::new()));
    })
    .await;
}

async fn read(
    history: &History,
    kind: &str,
    named: &str,
    before_revision: i64,
    limit: i32,
) -> Result<ReadHistoryResponse, Status> {
    let built_in = || {
        let (kind, id, name) = ("outcome_type".into(), "click".into(), "Click".into());
        vec![ConfigurationChange { kind, id, name, ..Default::default() }]
    };
    let (kind, named) = (kind.to_owned(), named.to_owned());
    let asked = ReadHistoryRequest { kind, named, before_revision, limit };
    let request = serve::metadata::request("t", asked);
    let server = LogServer::new(history.clone(), built_in);
    Ok(server.read_history(request).await?.into_inner())
}

fn revisions(answer: &ReadHistoryResponse) -> Vec<i64> {
    answer.entries.iter().map(|entry| entry.change.as_ref().unwrap().revision).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_resource_is_found_by_id_or_name_and_by_id_after_its_end() {
    on_both(async |location| {
        let (history, ..) = filled(location).await;
        for named in ["off_alpha", "Alpha", " ALPHA "] {
            let found = read(&history, "offer", named, 0, 10).await.unwrap();
            assert_eq!((found.id.as_str(), revisions(&found)), ("off_alpha", vec![4, 1]));
            assert_eq!(found.before, None);
        }
        let deleted = read(&history, "offer", "off_beta", 0, 10).await.unwrap();
        assert_eq!(revisions(&deleted), [5, 2]);
        assert!(deleted.entries[0].change.as_ref().unwrap().deleted);
        assert_eq!(deleted.entries[0].actor, "ann");
        for unknown in ["Beta", "off_none", "a\0b", "", &"x".repeat(900)] {
            let status = read(&history, "offer", unknown, 0, 10).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound, "{unknown}");
        }
        let near = read(&history, "offer", "Gama", 0, 10).await.unwrap_err();
        assert!(near.message().ends_with("did you mean `Gamma`?"), "{}", near.message());
        // A new resource under the old name does not take the history over.
        write(&history, 6, create("Beta")).await;
        assert_eq!(revisions(&read(&history, "offer", "Beta", 0, 10).await.unwrap()), [6]);
        assert_eq!(revisions(&read(&history, "offer", "off_beta", 0, 10).await.unwrap()), [5, 2]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wrote_has_an_empty_history() {
    on_both(async |location| {
        let (history, ..) = filled(location).await;
        for (kind, named, id) in [
            ("outcome_type", "click", "click"),
            ("outcome_type", "CLICK", "click"),
            ("settings", "settings", "settings"),
        ] {
            let found = read(&history, kind, named, 0, 10).await.unwrap();
            assert_eq!(found, ReadHistoryResponse { id: id.to_owned(), ..Default::default() });
        }
        let unknown = read(&history, "settings", "other", 0, 10).await.unwrap_err();
        assert_eq!(unknown.code(), Code::NotFound);
        for (kind, limit) in [("offers", 1), ("", 1), ("offer", 0), ("offer", 1_001)] {
            let wrong = read(&history, kind, "Alpha", 0, limit).await.unwrap_err();
            assert_eq!(wrong.code(), Code::InvalidArgument, "{kind} {limit}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_history_ends_by_count_or_by_size_and_holds_the_entry_before_it() {
    on_both(async |location| {
        let (history, ..) = filled(location).await;
        for n in 0..40_u8 {
            let (id, name, payload) = ("off_alpha".into(), "Alpha".into(), vec![n; 100 * 1024]);
            write(&history, 6, Write::Update { id, name, payload, expected: None }).await;
        }
        let (mut seen, mut before, mut pages) = (Vec::new(), 0, 0);
        loop {
            let page = read(&history, "offer", "Alpha", before, 1_000).await.unwrap();
            seen.extend(revisions(&page));
            pages += 1;
            let Some(older) = page.before else { break };
            before = *seen.last().unwrap();
            assert!(older.change.unwrap().revision < before);
        }
        let expected: Vec<i64> = (6..=45).rev().chain([4, 1]).collect();
        assert_eq!(seen, expected);
        assert!((6..=9).contains(&pages), "{pages} pages");
        let two = read(&history, "offer", "Alpha", 6, 1).await.unwrap();
        assert_eq!((revisions(&two), two.before.unwrap().change.unwrap().revision), (vec![4], 1));
    })
    .await;
}
