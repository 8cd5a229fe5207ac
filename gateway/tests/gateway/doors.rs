//! Who may call, and that REST is answered in its own words whatever happens.

use std::time::Duration;

use ::gateway::Config;
use http::{Method, StatusCode};
use serde_json::json;
use serve::{Limits, Neighbour, Problem};
use tonic::{Code, Status};

use super::world::{Answer, StandIn, World};

const OFFERS: &str = "/api/v1/offers";
const IMPORT: &str = "/api/v1/schemas/x/records:import";
const CSV: (&str, &str) = ("content-type", "text/csv");

#[tokio::test]
async fn a_page_of_the_servers_own_origin_may_call() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let own = format!("http://{}", world.address);
    let answer = world.send(Method::POST, OFFERS, &[("origin", &own)], "{}").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["access-control-allow-origin"], own.as_str());
    let port = world.address.port();
    let local = format!("localhost:{port}");
    let headers = [("host", local.as_str()), ("origin", &format!("http://{local}"))];
    assert_eq!(world.send(Method::POST, OFFERS, &headers, "{}").await.status, 201);
    let other = format!("http://127.0.0.1:{}", port.wrapping_add(1));
    let answer = world.send(Method::POST, OFFERS, &[("origin", &other)], "{}").await;
    assert_eq!((answer.status.as_u16(), answer.error("reason")), (403, json!("ORIGIN_FORBIDDEN")));
}

#[tokio::test]
async fn a_name_that_is_not_listed_is_refused_whatever_address_it_points_to() {
    let stand_in = StandIn::default();
    let config = Config { allowed_hosts: vec!["proffer.example".into()], ..Config::default() };
    let world = World::start_with(config, stand_in.neighbours()).await;
    for (method, body) in [(Method::GET, ""), (Method::POST, "{}"), (Method::OPTIONS, "")] {
        let headers = [("host", "evil.example"), ("origin", "http://evil.example")];
        for headers in [&headers[..1], &headers] {
            let answer = world.send(method.clone(), OFFERS, headers, body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.error("reason")),
                (403, json!("HOST_FORBIDDEN"))
            );
            assert!(answer.text.contains("--allowed-host"), "{}", answer.text);
        }
    }
    assert_eq!(stand_in.count(), 0);
    let listed = [("host", "Proffer.Example:443"), ("origin", "https://proffer.example:443")];
    assert_eq!(world.send(Method::POST, OFFERS, &listed, "{}").await.status, 201);
}

#[tokio::test]
async fn a_request_that_another_site_makes_is_refused_though_it_names_no_origin() {
    let world = World::start(&StandIn::default()).await;
    let site = async |site| {
        world.send(Method::GET, OFFERS, &[("sec-fetch-site", site)], "").await.status.as_u16()
    };
    assert_eq!(site("cross-site").await, 403);
    assert_eq!(site("same-origin").await, 200);
    assert_eq!(site("none").await, 200);
}

#[tokio::test]
async fn every_call_answers_the_preflight_of_an_allowed_page() {
    let config =
        Config { allowed_origins: vec!["https://shop.example".into()], ..Config::default() };
    let world = World::start_with(config, StandIn::default().neighbours()).await;
    let calls = world.calls().await;
    assert!(calls.iter().any(|(_, path)| path == IMPORT));
    for (method, path) in calls {
        let headers = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", method.as_str()),
            ("access-control-request-headers", "content-type, if-match"),
        ];
        let answer = world.send(Method::OPTIONS, &path, &headers, "").await;
        let allowed = |name: &str, word: &str| {
            let value = answer.headers[name].to_str().unwrap().to_ascii_lowercase();
            value.split(", ").any(|found| found == word)
        };
        assert_eq!(answer.status, 204, "{method} {path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "https://shop.example");
        assert_eq!(answer.headers["vary"], "origin");
        let method = method.as_str().to_ascii_lowercase();
        assert!(allowed("access-control-allow-methods", &method), "{method} {path}");
        assert!(allowed("access-control-allow-headers", "content-type"), "{path}");
        assert!(allowed("access-control-allow-headers", "if-match"), "{path}");
        let foreign = [("origin", "https://evil.example"), headers[1]];
        let answer = world.send(Method::OPTIONS, &path, &foreign, "").await;
        assert_eq!(answer.status, 403, "{method} {path}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
}

/// Asserts that an answer is an error of REST, in the envelope.
fn assert_envelope(answer: &Answer, status: u16, call: &str) {
    assert_eq!(answer.status.as_u16(), status, "{call}: {}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json", "{call}");
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("grpc-")), "{call}");
    assert!(answer.error("code").is_string() && answer.error("requestId").is_string(), "{call}");
}

#[tokio::test]
async fn no_answer_to_rest_comes_from_a_layer_that_speaks_grpc() {
    let config = Config { deadline: Duration::from_millis(20), ..Config::default() };
    let limits = Limits { request_timeout: Duration::from_millis(1), ..Limits::default() };
    let silent = StandIn::silent().neighbours();
    let world = World::start_within(config, limits, silent).await;
    for (method, path) in world.calls().await {
        if path == IMPORT {
            continue;
        }
        let call = format!("{method} {path}");
        let query = if path == "/api/v1/decisions" { "?customerId=x" } else { "" };
        let body =
            if matches!(method, Method::GET | Method::DELETE) { "" } else { "{\"id\":\"x\"}" };
        for body in [body, ""] {
            let path = format!("{path}{query}");
            let answer = world.send(method.clone(), &path, &[("grpc-timeout", "1n")], body).await;
            // A body that the call does not take is refused before the service is asked.
            let status = if answer.status == 400 { 400 } else { 504 };
            assert_envelope(&answer, status, &call);
        }
    }
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/proffer.decision.v1.DecisionService/Recommend",
    ] {
        assert_envelope(&world.post(path, "{}").await, 404, path);
    }
}

#[tokio::test]
async fn an_import_has_no_limit_of_its_whole_time() {
    let config = Config { deadline: Duration::ZERO, ..Config::default() };
    let limits = Limits { request_timeout: Duration::ZERO, ..Limits::default() };
    let world = World::start_within(config, limits, StandIn::default().neighbours()).await;
    let headers = [CSV, ("grpc-timeout", "0n")];
    let answer = world.send(Method::POST, IMPORT, &headers, "customerId\na\n").await;
    assert_eq!((answer.status.as_u16(), answer.json()["accepted"].clone()), (200, json!(0)));
}

#[tokio::test]
async fn an_import_that_ended_early_says_how_many_rows_are_kept() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let import = async |world: &World| world.send(Method::POST, IMPORT, &[CSV], "customerId").await;
    let told = |code, reason| {
        let problem = Problem::new(code, reason, "as told; 14000 rows before it are stored");
        Status::from(problem.with("rows_kept", "14000"))
    };
    use proffer_proto::errors::v1::ErrorReason::{InvalidField, LimitExceeded, Unavailable};
    for (code, reason, status) in [
        (Code::DeadlineExceeded, Unavailable, 408),
        (Code::InvalidArgument, LimitExceeded, 413),
        (Code::InvalidArgument, InvalidField, 400),
        (Code::Unavailable, Unavailable, 503),
    ] {
        stand_in.refuse("RecordService/ImportRecords", told(code, reason));
        let answer = import(&world).await;
        assert_envelope(&answer, status, IMPORT);
        assert_eq!(answer.error("message"), "as told; 14000 rows before it are stored");
        assert_eq!(answer.error("details")[0]["metadata"], json!({"rows_kept": "14000"}));
    }
    let away = || Neighbour::remote("http://127.0.0.1:1").unwrap();
    let neighbours = ::gateway::Neighbours { catalog: away(), ..stand_in.neighbours() };
    let world = World::start_with(Config::default(), neighbours).await;
    let answer = import(&world).await;
    assert_envelope(&answer, 503, IMPORT);
    assert!(answer.text.contains("how many rows are stored is unknown"), "{}", answer.text);
}

#[tokio::test]
async fn an_import_refuses_what_its_neighbours_refuse() {
    let world = World::start(&StandIn::default()).await;
    let twice = format!("{IMPORT}?allOrNothing=true&allOrNothing=false");
    let answer = world.send(Method::POST, &twice, &[CSV], "customerId\n").await;
    assert_eq!(answer.violations(), [("allOrNothing".to_owned(), "is given twice".to_owned())]);
    let answer = world.send(Method::POST, IMPORT, &[CSV, ("content-encoding", "gzip")], "x").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = world.send(Method::GET, IMPORT, &[], "").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["allow"]),
        (405, &"OPTIONS, POST".parse().unwrap())
    );
}
