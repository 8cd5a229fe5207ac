//! What REST callers get when something is wrong.

use std::time::Duration;

use ::gateway::Config;
use http::Method;
use proffer_proto::errors::v1::ErrorReason;
use serde_json::json;
use serve::{Neighbour, Problem};
use tonic::{Code, Status};

use super::world::{StandIn, World};

const OFFERS: &str = "/api/v1/offers";

#[tokio::test]
async fn a_wrong_body_names_every_fault_with_its_path() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let body = r#"{"config":{"nodes":[{"id":"a","type":"rank","config":{"colour":1}},{"id":5}]},
        "name":null}"#;
    let answer = world.post("/api/v1/decision-flows", body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.error("code"), "INVALID_ARGUMENT");
    assert_eq!(answer.error("reason"), "INVALID_FIELD");
    let paths: Vec<_> = answer.violations().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["config.nodes[0].config.colour", "config.nodes[1].id", "name"]);
    let message = answer.error("message");
    assert!(
        message.as_str().unwrap().starts_with("`config.nodes[0].config.colour` is not a field"),
        "{message}"
    );
    assert_eq!(stand_in.count(), 0, "a faulty request reached the service");
}

#[tokio::test]
async fn repeated_keys_and_broken_json_are_refused() {
    let world = World::start(&StandIn::default()).await;
    let twice = world.post(OFFERS, r#"{"name":"a","name":"b"}"#).await;
    assert_eq!(twice.violations(), [("name".to_owned(), "is given twice".to_owned())]);
    for body in ["{", "name=a&category=b", "{'name':'a'}", "[1,2", "nul", "{\"a\":1}}"] {
        let answer = world.post(OFFERS, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.violations()[0].0.as_str()),
            (400, "body"),
            "{body}"
        );
        assert!(
            answer.error("message").as_str().unwrap().contains("is not JSON at line 1, column"),
            "{body}"
        );
    }
    let answer = world.send(Method::POST, OFFERS, &[], vec![b'"', 0xff, b'"']).await;
    assert_eq!(
        (answer.status.as_u16(), answer.violations()[0].1.as_str()),
        (400, "is not UTF-8 at byte 1")
    );
}

#[tokio::test]
async fn faults_of_a_service_read_in_the_names_of_json() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let faults = [
        ("offer.qualification_rules[0].value".to_owned(), "must be text: `op` needs it".to_owned()),
        ("offer.business_value".to_owned(), "is 101; `business_value` is 0 to 100".to_owned()),
    ];
    stand_in.refuse("OfferService/CreateOffer", Problem::invalid_fields(faults));
    let answer = world.post(OFFERS, "{}").await;
    assert_eq!(answer.status, 400);
    let expected = [
        ("qualificationRules[0].value", "must be text: `op` needs it"),
        ("businessValue", "is 101; `businessValue` is 0 to 100"),
    ];
    assert_eq!(
        answer.violations(),
        expected.map(|(path, text)| (path.to_owned(), text.to_owned()))
    );
    assert_eq!(
        answer.error("message"),
        "`qualificationRules[0].value` must be text: `op` needs it; \
         `businessValue` is 101; `businessValue` is 0 to 100"
    );
}

#[tokio::test]
async fn the_envelope_carries_code_reason_details_and_request_id() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    stand_in.refuse("OfferService/GetOffer", Problem::not_found("offer", "off_9"));
    let answer =
        world.send(Method::GET, "/api/v1/offers/off_9", &[("x-request-id", "r-7")], "").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.json(),
        json!({"error": {
            "code": "NOT_FOUND",
            "reason": "NOT_FOUND",
            "message": "offer `off_9` not found",
            "details": [{
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "NOT_FOUND",
                "domain": "proffer",
                "metadata": {"id": "off_9", "kind": "offer"},
            }],
            "requestId": "r-7",
        }})
    );
    let other = world.get("/api/v1/offers/off_9").await;
    assert_eq!(other.error("requestId").as_str(), other.headers["x-request-id"].to_str().ok());
}

#[tokio::test]
async fn codes_become_their_http_status() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    for (code, status, name) in [
        (Code::AlreadyExists, 409, "ALREADY_EXISTS"),
        (Code::Aborted, 409, "ABORTED"),
        (Code::FailedPrecondition, 400, "FAILED_PRECONDITION"),
        (Code::PermissionDenied, 403, "PERMISSION_DENIED"),
        (Code::Unauthenticated, 401, "UNAUTHENTICATED"),
        (Code::ResourceExhausted, 429, "RESOURCE_EXHAUSTED"),
        (Code::Unimplemented, 501, "UNIMPLEMENTED"),
        (Code::DeadlineExceeded, 504, "DEADLINE_EXCEEDED"),
        (Code::Cancelled, 499, "CANCELLED"),
    ] {
        stand_in.refuse(
            "OutcomeService/Respond",
            Problem::new(code, ErrorReason::IdempotencyMismatch, "as told"),
        );
        let answer = world.post("/api/v1/respond", "{}").await;
        assert_eq!((answer.status.as_u16(), answer.error("code")), (status, json!(name)));
        assert_eq!(answer.error("reason"), "IDEMPOTENCY_MISMATCH");
    }
}

#[tokio::test]
async fn a_fault_of_ours_that_nobody_worded_says_nothing_about_our_insides() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    stand_in.refuse("OfferService/ListOffers", Status::internal("SELECT secret FROM table"));
    let answer = world.get(OFFERS).await;
    assert_eq!((answer.status.as_u16(), answer.error("reason")), (500, json!("INTERNAL")));
    assert!(answer.error("message").as_str().unwrap().starts_with("internal error; quote "));
}

#[tokio::test]
async fn a_delay_is_told_in_details_and_header() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let problem = Problem::new(Code::Unavailable, ErrorReason::SnapshotStale, "not there yet");
    stand_in.refuse("DecisionService/Recommend", problem.retry_after(Duration::from_millis(250)));
    let answer = world.post("/api/v1/recommend", "{}").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    assert_eq!(answer.error("details")[1]["retryDelay"], "0.25s");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let world = World::start(&StandIn::default()).await;
    for path in
        ["/", "/api/v1/", "/api/v1/nothing", "/api/v1/offers/", "/api/v2/offers", "/metrics"]
    {
        let answer = world.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error("reason")),
            (404, json!("ROUTE_NOT_FOUND")),
            "{path}"
        );
    }
    let answer = world.send(Method::PUT, OFFERS, &[], "{}").await;
    assert_eq!((answer.status.as_u16(), answer.error("reason")), (405, json!("ROUTE_NOT_FOUND")));
    assert_eq!(answer.headers["allow"], "GET, HEAD, OPTIONS, POST");
    let broken = world.get("/api/v1/offers/%zz").await;
    assert_eq!((broken.status.as_u16(), broken.violations()[0].0.as_str()), (400, "id"));
}

#[tokio::test]
async fn a_foreign_page_may_not_call() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    for origin in ["https://evil.example", "null"] {
        let answer = world.send(Method::POST, "/api/v1/respond", &[("origin", origin)], "{}").await;
        assert_eq!(
            (answer.status.as_u16(), answer.error("reason")),
            (403, json!("ORIGIN_FORBIDDEN"))
        );
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    assert_eq!(stand_in.count(), 0);
}

#[tokio::test]
async fn a_body_of_the_largest_size_is_read_and_one_byte_more_is_not() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let sized = |bytes: usize| format!("{{\"name\":\"\"}}{}", " ".repeat(bytes - 11));
    let (small, bulk) = (256 << 10, 4 << 20);
    assert_eq!(world.post(OFFERS, &sized(small)).await.status, 201);
    let answer = world.post(OFFERS, &sized(small + 1)).await;
    assert_eq!((answer.status.as_u16(), answer.error("reason")), (413, json!("LIMIT_EXCEEDED")));
    assert_eq!(
        answer.error("details")[0]["metadata"],
        json!({"limit": "262144", "value": "262145"})
    );
    let many = |bytes: usize| format!("{{\"outcomes\":[]}}{}", " ".repeat(bytes - 15));
    assert_eq!(world.post("/api/v1/respond/bulk", &many(bulk)).await.status, 200);
    assert_eq!(world.post("/api/v1/respond/bulk", &many(bulk + 1)).await.status, 413);
}

#[tokio::test]
async fn a_compressed_body_is_refused() {
    let world = World::start(&StandIn::default()).await;
    let answer = world.send(Method::POST, OFFERS, &[("content-encoding", "gzip")], "{}").await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn a_service_that_is_away_is_unavailable_with_a_delay() {
    let away = || Neighbour::remote("http://127.0.0.1:1").unwrap();
    let neighbours = ::gateway::Neighbours {
        catalog: away(),
        policy: away(),
        decision: away(),
        experiment: away(),
    };
    let world = World::start_with(Config::default(), neighbours).await;
    let answer = world.get(OFFERS).await;
    assert_eq!((answer.status.as_u16(), answer.error("reason")), (503, json!("UNAVAILABLE")));
    assert_eq!(answer.error("message"), "catalog-svc is unavailable; try again shortly");
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_not_waited_for_longer_than_the_deadline() {
    let config = Config { deadline: Duration::from_millis(50), ..Config::default() };
    let world = World::start_with(config, StandIn::silent().neighbours()).await;
    let answer = world.get(OFFERS).await;
    assert_eq!((answer.status.as_u16(), answer.error("code")), (504, json!("DEADLINE_EXCEEDED")));
}
