//! Whatever is sent, the door answers, and the fault is never ours.

use std::sync::LazyLock;

use ::gateway::{Config, Gateway};
use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tower::ServiceExt as _;

use super::{seeds, world::StandIn};

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});
static DOOR: LazyLock<axum::Router> = LazyLock::new(|| {
    let gateway = Gateway::build(Config::default(), StandIn::default().neighbours()).unwrap();
    gateway.router(&serve::Readiness::default()).unwrap()
});

/// Sends a request; the answer must be JSON and no fault of ours.
fn check(method: &str, uri: &str, body: Vec<u8>) {
    let Ok(request) = Request::builder()
        .method(method)
        .uri(uri)
        .header(header::HOST, "localhost")
        .header(header::USER_AGENT, "fuzz")
        .body(Body::from(body))
    else {
        return;
    };
    RUNTIME.block_on(async {
        let response = DOOR.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(
            !status.is_server_error(),
            "{method} {uri}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        if !body.is_empty() {
            serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        }
    });
}

/// One change of a text: bytes cut out, written over, doubled, or put in from a list of unpleasant
/// ones.
fn mutate(text: &str, changes: &[(usize, u8, u8)]) -> Vec<u8> {
    const PUT_IN: [&str; 16] = [
        "null",
        "{}",
        "[]",
        "\"\"",
        "1e999",
        "-0",
        "{\"a\":1}",
        ",",
        ":",
        "\\u0000",
        "true",
        "99999999999999999999999",
        "[[[[[[[[",
        "\"name\":1,",
        "\u{feff}",
        "0.1",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for (at, kind, byte) in changes {
        let at = at % (bytes.len() + 1);
        match kind % 4 {
            0 => drop(bytes.drain(at..(at + usize::from(byte % 8)).min(bytes.len()))),
            1 => bytes.insert(at, *byte),
            2 => {
                let tail = bytes[at..].to_vec();
                bytes.extend(tail);
            }
            _ => {
                let put_in = PUT_IN[usize::from(byte % 16)].bytes();
                drop(bytes.splice(at..at, put_in));
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn mutated_calls_of_the_seeds_are_answered(
        call in 0..seeds::calls().len(),
        changes in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..6),
        method in prop::sample::select(vec!["POST", "POST", "POST", "PATCH", "PUT"]),
    ) {
        let (path, body) = seeds::calls()[call];
        let path = if method == "POST" { path.to_owned() } else { format!("{path}/x") };
        check(method, &path, mutate(body, &changes));
    }

    #[test]
    fn random_bytes_are_answered(
        call in 0..seeds::calls().len(),
        body in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        check("POST", seeds::calls()[call].0, body);
    }

    #[test]
    fn records_of_any_shape_are_answered(
        body in "[\\[\\]{}:,\"a-e0-9 .e\\-\\\\u]{0,60}",
        id in "[a-z%/0-9.]{1,12}"
    ) {
        check("PUT", &format!("/api/v1/schemas/Customer/records/{id}"), body.clone().into_bytes());
        let records = format!("{{\"records\":[{body}]}}");
        check("POST", "/api/v1/schemas/Customer/records", records.into_bytes());
    }

    #[test]
    fn random_paths_and_queries_are_answered(
        path in "/(api/v1/)?[a-z%/{}?&=+.0-9]{0,30}",
        query in "[a-zA-Z%&=+,.0-9]{0,30}"
    ) {
        check("GET", &path, Vec::new());
        check("GET", &format!("/api/v1/decisions?{query}"), Vec::new());
        let masked = format!("/api/v1/channels/c?updateMask={query}");
        check("PATCH", &masked, b"{\"name\":\"n\"}".to_vec());
    }
}
