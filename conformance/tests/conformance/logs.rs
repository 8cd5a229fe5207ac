//! What processes write in their logs: a line per call, found by its request id.

use conformance::{
    process::Process,
    suite::{Shape, Store, Suite},
};
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const GET_OFFER: &str = "proffer.catalog.v1.OfferService/GetOffer";

/// The lines of all processes about the call with this id, once there are so many.
async fn lines(suite: &Suite, request_id: &str, count: usize) -> Vec<Value> {
    for _ in 0..400 {
        let logs: Vec<_> = suite.processes.iter().map(Process::whole_log).collect();
        let lines = logs.iter().flat_map(|log| log.lines());
        let parsed = lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
        let about: Vec<_> =
            parsed.filter(|line| line["fields"]["request_id"] == request_id).collect();
        if about.len() >= count {
            return about;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("no {count} lines about {request_id}")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_id_of_an_error_is_found_in_the_log_of_each_process_it_went_through() {
    let environment = [("PROFFER_LOG", "warn"), ("PROFFER_LOG_JSON", "true")];
    let suite = Suite::start_with(Shape::FiveProcesses, Store::Sqlite, &environment).await.unwrap();
    let client = suite.client();
    let headers = [("traceparent", PARENT)];
    let answer = client.send_with(&headers, "GET", "/api/v1/offers/none", "").await.unwrap();
    assert_eq!(answer.status, 404);
    let request_id = answer.body["error"]["requestId"].as_str().unwrap();
    let lines = lines(&suite, request_id, 2).await;
    assert_eq!(lines.len(), 2, "of the gateway and of catalog-svc: {lines:?}");
    for line in lines {
        let fields = &line["fields"];
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["target"], "proffer::call");
        assert_eq!(fields["method"], GET_OFFER);
        assert_eq!(fields["code"], "NOT_FOUND");
        assert_eq!(fields["tenant"], "default");
        assert_eq!(fields["trace_id"], TRACE);
        assert!(fields["duration_ms"].as_f64().unwrap() > 0.0, "{fields}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_has_one_line_at_info_and_that_of_a_decision_names_it() {
    let environment = [("PROFFER_LOG", "info"), ("PROFFER_LOG_JSON", "true")];
    let suite = Suite::start_with(Shape::AllInOne, Store::Sqlite, &environment).await.unwrap();
    let client = suite.client();
    for (path, body) in [
        ("schemas", json!({"name": "Customer", "fields": [{"name": "visits", "type": "integer"}]})),
        ("channels", json!({"name": "web", "channelType": "web"})),
        (
            "decision-flows",
            json!({"name": "Any", "config": {"nodes": [{"id": "inv", "type": "inventory"},
            {"id": "enr", "type": "enrich", "config": {"schema": "Customer"}},
            {"id": "out", "type": "response"}]}}),
        ),
    ] {
        client.ok("POST", &format!("/api/v1/{path}"), &body).await.unwrap();
    }
    let record = "/api/v1/schemas/Customer/records/some_person";
    client.ok("PUT", record, &json!({"visits": 1})).await.unwrap();
    let asked = json!({"customerId": "some_person", "channel": "web", "flow": "Any"});
    let headers = [("x-request-id", "the-decision")];
    let answer =
        client.send_with(&headers, "POST", "/api/v1/recommend", asked.to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let lines = lines(&suite, "the-decision", 1).await;
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["fields"]["code"], "OK");
    assert_eq!(line["fields"]["decision_id"], answer.body["decisionId"]);
    assert!(answer.body["decisionId"].is_string(), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_log_in_a_file_has_no_color_codes() {
    let suite = Suite::start_with(Shape::AllInOne, Store::Sqlite, &[("PROFFER_LOG", "info")])
        .await
        .unwrap();
    suite.client().call("GET", "/api/v1/offers/none", &Value::Null).await.unwrap();
    let mut log = String::new();
    for _ in 0..400 {
        log = suite.processes.iter().map(Process::whole_log).collect();
        if log.contains(GET_OFFER) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert!(log.contains("code=\"NOT_FOUND\""), "{log}");
    assert!(!log.contains('\u{1b}'), "{log:?}");
}
