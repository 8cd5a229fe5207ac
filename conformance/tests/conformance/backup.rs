//! `proffer backup` and `proffer restore`, while others write.

use std::{
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use conformance::{
    campaign,
    door::{Door, DoorKind},
    http::Client,
    play::play,
    process::program,
    scenario,
    suite::{Shape, Store, Suite},
};
use serde_json::{Value, json};
use serve::Clock;

const WRITERS: usize = 8;
const BACKUPS: usize = 3;
/// Acknowledgements before the first backup, and between two.
const LEAST_ACKNOWLEDGED: usize = 300;

/// What a customer's writes are, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Write {
    Record,
    Decision,
    Contact,
    Withdrawal,
}

/// A write that was acknowledged: it was in force at some instant between these two.
#[derive(Clone, Debug)]
struct Acknowledged {
    write: Write,
    customer: String,
    /// The decision, once there is one.
    decision: String,
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
}

type Log = Arc<Mutex<Vec<Acknowledged>>>;

/// One customer after the other: a record, a decision, its contact, a withdrawal.
async fn write(client: Client, writer: usize, log: Log, stop: Arc<AtomicBool>) {
    let clock = Clock::system();
    for turn in 0.. {
        let customer = format!("w{writer}-{turn}");
        let mut decision = String::new();
        for write in [Write::Record, Write::Decision, Write::Contact, Write::Withdrawal] {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let (method, path, body) = match write {
                Write::Record => {
                    let path = format!("/api/v1/schemas/Customer/records/{customer}");
                    let last = (clock.now() - TimeDelta::days(140)).date_naive().to_string();
                    let record = json!({"lifetimePurchases": 5, "lifetimeRevenue": 100,
                        "primaryCategory": "apparel", "lastPurchaseDate": last,
                        "timezone": "Etc/GMT", "consentEmail": true});
                    ("PUT", path, record)
                }
                Write::Decision => {
                    let asked = json!({"customerId": customer, "channel": "web",
                        "flow": "Winback"});
                    ("POST", "/api/v1/recommend".to_owned(), asked)
                }
                Write::Contact => {
                    ("POST", format!("/api/v1/decisions/{decision}/commit"), json!({}))
                }
                Write::Withdrawal => {
                    let path = format!("/api/v1/customers/{customer}/consents/web");
                    ("PUT", path, json!({"granted": false}))
                }
            };
            let began = clock.now();
            let answer = client.ok(method, &path, &body).await.unwrap();
            let ended = clock.now();
            if write == Write::Decision {
                answer["decisionId"].as_str().unwrap().clone_into(&mut decision);
            }
            if write == Write::Contact {
                assert_eq!(answer["go"], true, "{answer}");
            }
            let (customer, decision) = (customer.clone(), decision.clone());
            log.lock().unwrap().push(Acknowledged { write, customer, decision, began, ended });
        }
    }
}

/// Whether a write is in force.
async fn is_there(client: &Client, one: &Acknowledged) -> bool {
    let Acknowledged { customer, decision, .. } = one;
    let path = match one.write {
        Write::Record => format!("/api/v1/schemas/Customer/records/{customer}"),
        Write::Decision => format!("/api/v1/decisions/{decision}"),
        Write::Contact => format!("/api/v1/customers/{customer}/contacts"),
        Write::Withdrawal => format!("/api/v1/customers/{customer}/consents/web"),
    };
    let answer = client.call("GET", &path, &Value::Null).await.unwrap();
    match one.write {
        Write::Record | Write::Decision => answer.status == 200,
        Write::Contact => {
            let contacts = answer.body["data"].as_array().cloned().unwrap_or_default();
            contacts.iter().any(|contact| {
                contact["decisionId"] == **decision && contact["state"] == "committed"
            })
        }
        Write::Withdrawal => answer.status == 200 && answer.body["granted"] == false,
    }
}

fn proffer(arguments: &[&str]) -> Output {
    Command::new(program("proffer").unwrap()).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(text).unwrap()
}

/// The instant to which `restore` says it took everything back.
fn instant(said: &str) -> DateTime<Utc> {
    let (_, rest) = said.split_once("everything was taken back to ").unwrap();
    rest.lines().next().unwrap().parse().unwrap()
}

async fn backups_under_load(suite: &mut Suite, log: &Log) -> Vec<(DateTime<Utc>, String)> {
    let root = suite.folder().to_owned();
    let path = |name: String| root.join(name).display().to_string();
    let data = path("data".to_owned());
    let mut restored = Vec::new();
    for number in 0..BACKUPS {
        while log.lock().unwrap().len() < (number + 1) * LEAST_ACKNOWLEDGED {
            suite.is_alive().unwrap();
            tokio::task::yield_now().await;
        }
        let (copy, again) = (path(format!("backup{number}")), path(format!("restored{number}")));
        let saved =
            tokio::task::block_in_place(|| proffer(&["backup", "--data", &data, "--to", &copy]));
        assert!(saved.status.success(), "{}", said(&saved));
        let output = tokio::task::block_in_place(|| {
            proffer(&["restore", "--from", &copy, "--data", &again])
        });
        assert!(output.status.success(), "{}", said(&output));
        restored.push((instant(&said(&output)), again));
    }
    restored
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_has_all_that_was_acknowledged_before_its_instant_and_no_more() {
    let mut suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let door = Door::open(DoorKind::Curl, &suite).unwrap();
    play(&scenario::load("winback-configuration").unwrap(), &door).await.unwrap();
    // A channel without quiet hours and consent, so that every decision holds a slot.
    suite.client().ok("POST", "/api/v1/channels", &json!({"name": "web"})).await.unwrap();
    let (log, stop) = (Log::default(), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            tokio::spawn(write(suite.client().apart(), writer, log.clone(), stop.clone()))
        })
        .collect();
    let restored = backups_under_load(&mut suite, &log).await;
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    suite.processes.clear();
    let all = log.lock().unwrap().clone();
    for (taken_at, data) in restored {
        let place = vec!["--data".to_owned(), data];
        let again = Suite::start_at(Shape::AllInOne, place).await.unwrap();
        let client = again.client();
        let (mut wrong, mut before, mut after) = (Vec::new(), [0; 4], 0);
        for one in &all {
            let is_there = is_there(&client, one).await;
            if one.ended < taken_at {
                before[one.write as usize] += 1;
            }
            after += usize::from(one.began > taken_at);
            if one.ended < taken_at && !is_there || one.began > taken_at && is_there {
                wrong.push((is_there, one));
            }
        }
        println!("{taken_at}: {before:?} acknowledged before it, {after} after it");
        assert!(before.iter().all(|count| *count > 20) && after > 0, "the backup met no load");
        assert!(wrong.is_empty(), "{taken_at}: {wrong:?}");
        // No later write has gone into the copy by another way.
        let audit = client.ok("GET", "/api/v1/audit/verify", &Value::Null).await.unwrap();
        assert_eq!(audit["valid"], true, "{audit}");
    }
}

/// Whether customers are held out, each asked about for the first time or again.
async fn held_out(client: &Client, prefix: &str) -> Vec<bool> {
    let mut found = Vec::new();
    for number in 0..40 {
        let customer = format!("{prefix}{number}");
        let path = campaign::record_path(&customer);
        client.ok("PUT", &path, &campaign::lapsed(3)).await.unwrap();
        let asked = json!({"customerId": customer, "channel": "web", "flow": "Winback"});
        let answer = client.ok("POST", "/api/v1/recommend", &asked).await.unwrap();
        found.push(answer["controlGroup"] == true);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_keeps_every_customers_arm_whatever_the_split_is_then() {
    let mut suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    campaign::configure(&suite.base).await.unwrap();
    let experiment = json!({"name": "Restored", "flowId": "Winback", "holdoutPercentage": 30,
        "primaryMetric": "conversion_rate", "duration": "90 days",
        "startsAt": Clock::system().now().to_rfc3339()});
    suite.client().ok("POST", "/api/v1/experiments", &experiment).await.unwrap();
    let before = held_out(&suite.client(), "before").await;
    let root = suite.folder().to_owned();
    let path = |name: &str| root.join(name).display().to_string();
    let (data, copy, again) = (path("data"), path("copy"), path("again"));
    let saved = proffer(&["backup", "--data", &data, "--to", &copy]);
    assert!(saved.status.success(), "{}", said(&saved));
    let change = async |suite: &Suite| {
        let share = json!({"holdoutPercentage": 95});
        let changed = "/api/v1/experiments/exp_restored";
        suite.client().ok("PATCH", changed, &share).await.unwrap();
        held_out(&suite.client(), "after").await
    };
    // What is written after the backup is gone with the restore.
    change(&suite).await;
    suite.processes.clear();
    let restored = proffer(&["restore", "--from", &copy, "--data", &again]);
    assert!(restored.status.success(), "{}", said(&restored));
    let place = vec!["--data".to_owned(), again];
    let suite = Suite::start_at(Shape::AllInOne, place).await.unwrap();
    assert_eq!(held_out(&suite.client(), "before").await, before);
    let after = change(&suite).await;
    assert_eq!(held_out(&suite.client(), "before").await, before);
    // The later split would have drawn other arms.
    let count = |arms: &[bool]| arms.iter().filter(|is_held_out| **is_held_out).count();
    let (first, later) = (count(&before), count(&after));
    assert!((2..25).contains(&first) && later > 30, "{first} and {later} of 40 are held out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_right_is_refused_with_the_remedy() {
    let suite = Suite::start(Shape::AllInOne, Store::Sqlite).await.unwrap();
    let root = suite.folder().to_owned();
    let path = |name: &str| root.join(name).display().to_string();
    let (data, copy, again) = (path("data"), path("copy"), path("again"));
    let refused = |arguments: &[&str], remedy: &str| {
        let output = proffer(arguments);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(remedy), "{arguments:?}: {said}");
    };
    let nothing = path("nothing");
    refused(&["backup", "--data", &nothing, "--to", &copy], "name the data folder with --data");
    assert!(!root.join("nothing").exists() && !root.join("copy").exists());
    refused(&["restore", "--from", &data, "--data", &again], "is not a backup");
    let url = "postgres://somebody@localhost/proffer";
    let from_postgres = ["backup", "--database-url", url, "--to", &copy];
    refused(&from_postgres, "back PostgreSQL up with its own tools");

    let output = proffer(&["backup", "--data", &data, "--to", &copy]);
    assert!(output.status.success(), "{}", said(&output));
    refused(&["backup", "--data", &data, "--to", &copy], "name a new folder with --to");
    // The folder that is in use is not overwritten.
    refused(&["restore", "--from", &copy, "--data", &data], "stop what uses it and move it away");

    let file = root.join("copy").join("policy.sqlite");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    refused(&["restore", "--from", &copy, "--data", &again], "use another copy of this backup");
    std::fs::remove_file(&file).unwrap();
    refused(&["restore", "--from", &copy, "--data", &again], "policy.sqlite");
    assert!(!root.join("again").exists(), "a restore that was refused wrote nothing");
}
