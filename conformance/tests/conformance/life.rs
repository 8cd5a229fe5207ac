//! The life of a process: what it says while its database is away, and how it stops.

use std::time::Duration;

use conformance::{
    admin::{ready, readyz},
    cluster::{Cluster, SERVICES, free_addresses},
    http::Client,
    process::Process,
    suite::base_in,
};
use futures::{SinkExt as _, StreamExt as _};
use proffer_proto::decision::v1::{
    RecommendRequest, RecommendStreamRequest, decision_service_client::DecisionServiceClient,
};
use proffer_proto::values::v1::{WatchLogRequest, log_service_client::LogServiceClient};
use serde_json::{Value, json};
use serve::Clock;
use testkit::Postgres;
use tonic::{
    Code, Request,
    transport::{Channel, Endpoint},
};

/// Callers at once: as many as the door of a machine with two processors lets in.
const CALLERS: usize = 16;
/// How long a call may take while the database is away.
const FAILS_WITHIN: Duration = Duration::from_millis(250);
/// How often something is looked for, and how many times.
const POLL: Duration = Duration::from_millis(20);
const POLLS_MAX: usize = 1_500;

async fn readiness_becomes(admin: &str, status: u16, text: &str) {
    let mut last = None;
    for _ in 0..POLLS_MAX {
        let found = readyz(admin).await.unwrap();
        if found.0 == status && found.1.contains(text) {
            return;
        }
        last = Some(found);
        tokio::time::sleep(POLL).await;
    }
    panic!("{admin}: {last:?} instead of {status} {text}");
}

/// What every caller gets at once, and how long the slowest waited.
async fn all_ask(base: &str) -> (Vec<u16>, Duration) {
    let stopwatch = Clock::system().stopwatch();
    let ask = |number: usize| {
        let client = Client::new(base);
        async move {
            let asked = json!({"customerId": format!("c{number}"), "flow": "Winback",
                "channel": "web"});
            client.call("POST", "/api/v1/recommend", &asked).await.unwrap().status
        }
    };
    let statuses = futures::future::join_all((0..CALLERS).map(ask)).await;
    (statuses, stopwatch.elapsed())
}

/// Takes the database away and back.
async fn check(base: &str, admins: &[(String, &str)], server: &mut Postgres) {
    for (admin, _) in admins {
        readiness_becomes(admin, 200, "ready").await;
    }
    server.crash().unwrap();
    for (admin, lacks) in admins.iter().filter(|(_, lacks)| !lacks.is_empty()) {
        readiness_becomes(admin, 503, lacks).await;
    }
    let mut quickest = Duration::MAX;
    for _ in 0..4 {
        let (statuses, took) = all_ask(base).await;
        assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
        quickest = quickest.min(took);
    }
    // The machine may be busy with something else once, but not each time.
    assert!(quickest < FAILS_WITHIN, "{CALLERS} calls took {quickest:?}");
    println!("{CALLERS} calls at once failed within {quickest:?}");
    tokio::task::block_in_place(|| server.start_again()).unwrap();
    for (admin, _) in admins {
        readiness_becomes(admin, 200, "ready").await;
    }
    let answer = Client::new(base).call("GET", "/api/v1/offers", &Value::Null).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_away_five_processes_are_not_ready_and_calls_fail_at_once() {
    let mut server = Postgres::start().unwrap();
    let place = ["--database-url".to_owned(), server.url.clone()];
    let mut cluster = Cluster::new((1, 1), &place, &[]).unwrap();
    cluster.start().await.unwrap();
    let base = cluster.doors().pop().unwrap();
    // The gateway has no store, and waits for no neighbor.
    let lacks = |service: &str| if service == "gateway" { "" } else { "the store is away" };
    let admins: Vec<_> =
        cluster.members.iter().map(|one| (one.admin.clone(), lacks(one.service))).collect();
    assert_eq!(admins.len(), SERVICES.len());
    check(&base, &admins, &mut server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_away_one_process_is_not_ready_and_calls_fail_at_once() {
    let mut server = Postgres::start().unwrap();
    let admin = free_address();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        &admin,
        "--database-url",
        &server.url,
    ];
    let mut process = Process::start("proffer", &arguments, &[]).unwrap();
    let base = process.line(base_in).await.unwrap();
    check(&base, &[(admin, "policy-svc: the store is away")], &mut server).await;
}

fn free_address() -> String {
    free_addresses(1).unwrap().remove(0)
}

async fn channel(address: &str) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

/// A catalog-svc alone, whose neighbor has a name that does not resolve.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_must_stop_says_so_serves_on_and_then_ends_its_streams() {
    let folder = tempfile::tempdir().unwrap();
    let (listen, admin) = (free_address(), free_address());
    let data = folder.path().display().to_string();
    let arguments = [
        "--listen",
        &listen,
        "--admin-listen",
        &admin,
        "--data",
        &data,
        "--drain-delay-ms",
        "1500",
        "--policy-url",
        "http://no-such-host.invalid:7102",
    ];
    let mut process = Process::start("catalog-svc", &arguments, &[]).unwrap();
    ready(&admin, &mut process).await.unwrap();
    let channel = channel(&listen).await;
    let mut log = LogServiceClient::new(channel);
    let mut entries = log.watch_log(WatchLogRequest::default()).await.unwrap().into_inner();
    entries.message().await.unwrap().unwrap();

    process.signal("TERM").unwrap();
    readiness_becomes(&admin, 503, "not ready: the process is stopping").await;
    // It still serves, on new connections too.
    let mut late = LogServiceClient::new(self::channel(&listen).await);
    late.watch_log(Request::new(WatchLogRequest::default())).await.unwrap();
    // The stream has nothing more to say, and is ended instead of waited for.
    let ended = loop {
        match entries.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a stream ended as if there were nothing more"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    let (code, log) = process.ended().await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("no-such-host.invalid"), "{log}");
    assert!(!log.contains("drain timeout"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stream_of_questions_has_its_answers_and_ends_when_the_process_must_stop() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", &data];
    let mut process = Process::start("proffer", &arguments, &[]).unwrap();
    let base = process.line(base_in).await.unwrap();
    let channel = channel(base.trim_start_matches("http://")).await;
    let (mut sender, questions) = futures::channel::mpsc::channel(4);
    let request = RecommendRequest { customer_id: "ann".to_owned(), ..Default::default() };
    sender.send(RecommendStreamRequest { request: Some(request) }).await.unwrap();
    let answers = DecisionServiceClient::new(channel).recommend_stream(questions).await.unwrap();
    let mut answers = answers.into_inner();
    assert!(answers.next().await.unwrap().unwrap().result.is_some());

    process.signal("TERM").unwrap();
    let ended = answers.next().await.unwrap().unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    assert!(ended.message().contains("the process is stopping"), "{ended}");
    let (code, log) = process.ended().await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("drain timeout"), "{log}");
    drop(sender);
}
