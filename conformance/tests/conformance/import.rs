//! Files of customer records, as a body by curl and as a stream by gRPC, through the gateway.

use std::fmt::Write as _;

use conformance::{
    door::run,
    seed,
    suite::{Shape, Store, Suite},
};
use proffer_proto::catalog::v1::{
    ImportFormat, ImportHeader, ImportRecordsRequest, import_records_request::Part,
    record_service_client::RecordServiceClient,
};
use serde_json::{Value, json};
use tokio::process::Command;
use tonic::transport::Channel;

/// Posts a file; status and body.
async fn post(suite: &Suite, query: &str, kind: &str, file: &str) -> (u16, Value) {
    let mut curl = Command::new("curl");
    let url = format!("{}/api/v1/schemas/Customer/records:import{query}", suite.base);
    curl.args(["-sS", "-X", "POST", &url, "-H", &format!("Content-Type: {kind}")]);
    curl.args(["--data-binary", "@-", "-w", "\n%{http_code}"]);
    let (code, output, errors) = run(curl, file).await.unwrap();
    assert_eq!(code, Some(0), "{errors}");
    let (body, status) = output.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}

async fn check(shape: Shape, store: Store) {
    let suite = Suite::start(shape, store).await.unwrap();
    let schema = seed::call("winback-tutorial", 1).unwrap();
    suite.client().ok("POST", "/api/v1/schemas", &schema.body.unwrap()).await.unwrap();
    good_rows_are_kept(&suite).await;
    all_or_nothing_keeps_none(&suite).await;
    malformed_quotes_mix_no_customers(&suite).await;
    wrong_requests_name_their_faults(&suite).await;
    a_compressed_file_is_refused_as_other_calls_refuse_it(&suite).await;
    a_stream_is_taken_in(&suite).await;
}

async fn record(suite: &Suite, customer: &str) -> Value {
    let path = format!("/api/v1/schemas/Customer/records/{customer}");
    suite.client().ok("GET", &path, &json!(null)).await.unwrap()
}

async fn good_rows_are_kept(suite: &Suite) {
    let mut file = String::from(
        "customerId,lastPurchaseDate,lifetimePurchases,lifetimeRevenue,primaryCategory\n",
    );
    for number in 0..20_000 {
        let _ = writeln!(file, "c{number:05},2026-07-03,{number},{number}.50,home");
    }
    file.push_str("wrong,2026-7-3,x,1e,home\n");
    let (status, answer) = post(suite, "", "text/csv; charset=utf-8", &file).await;
    assert_eq!(
        (status, &answer["accepted"], &answer["refused"]),
        (200, &json!(20_000), &json!(1)),
        "{answer}"
    );
    let faults: Vec<_> =
        answer["faults"].as_array().unwrap().iter().map(|fault| fault["field"].clone()).collect();
    assert_eq!(faults, ["lastPurchaseDate", "lifetimePurchases", "lifetimeRevenue"]);
    assert_eq!(
        (&answer["faults"][0]["row"], &answer["faults"][0]["line"]),
        (&json!(20_001), &json!(20_002))
    );
    assert_eq!(answer["faults"][0]["customerId"], "wrong");
    let last = record(suite, "c19999").await;
    assert_eq!(
        (&last["lifetimePurchases"], &last["lifetimeRevenue"]),
        (&json!(19_999), &json!(19_999.5))
    );
}

/// A quote that does not fit refuses its own lines; no customer gets the cells of another.
async fn malformed_quotes_mix_no_customers(suite: &Suite) {
    let file = "customerId,primaryCategory,preferredChannel\n\
                hans,\"home,email\nida,\"apparel,sms\njan,home,email\n";
    let open = "customerId,primaryCategory\nkai,\"home\nlea,home\nmia,home\n";
    let lines = |answer: &Value| -> Vec<_> {
        let faults = answer["faults"].as_array().unwrap().iter();
        faults.map(|fault| (fault["row"].clone(), fault["line"].clone())).collect()
    };
    for (query, accepted, refused) in [("?allOrNothing=true", 0, 3), ("", 1, 2)] {
        let (status, answer) = post(suite, query, "text/csv", file).await;
        assert_eq!(
            (status, &answer["accepted"], &answer["refused"]),
            (200, &json!(accepted), &json!(refused)),
            "{answer}"
        );
        assert_eq!(lines(&answer), [(json!(1), json!(2)), (json!(2), json!(3))]);
        assert_eq!(answer["separator"], "comma");
        let (_, answer) = post(suite, query, "text/csv", open).await;
        assert_eq!(
            (&answer["accepted"], &answer["refused"], lines(&answer).len()),
            (&json!(0), &json!(3), 3),
            "{answer}"
        );
    }
    assert_eq!(record(suite, "jan").await["preferredChannel"], "email");
    for missing in ["hans", "ida", "kai", "lea"] {
        let path = format!("/api/v1/schemas/Customer/records/{missing}");
        assert!(suite.client().ok("GET", &path, &json!(null)).await.is_err(), "{missing}");
    }
}

async fn a_compressed_file_is_refused_as_other_calls_refuse_it(suite: &Suite) {
    let mut curl = Command::new("curl");
    let url = format!("{}/api/v1/schemas/Customer/records:import", suite.base);
    curl.args(["-sS", "-X", "POST", &url, "-H", "Content-Type: text/csv"]);
    curl.args(["-H", "Content-Encoding: gzip", "--data-binary", "x", "-o", "/dev/null"]);
    curl.args(["-w", "%{http_code}"]);
    assert_eq!(run(curl, "").await.unwrap().1, "415");
}

async fn all_or_nothing_keeps_none(suite: &Suite) {
    let lines = "{\"customerId\":\"d1\",\"lifetimePurchases\":1}\n\
                 {\"customerId\":\"d2\",\"lifetimePurchases\":\"2\"}\n";
    for (query, accepted, refused) in [("?allOrNothing=true", 0, 2), ("?allOrNothing=false", 1, 1)]
    {
        let (status, answer) = post(suite, query, "application/x-ndjson", lines).await;
        assert_eq!(
            (status, &answer["accepted"], &answer["refused"]),
            (200, &json!(accepted), &json!(refused)),
            "{answer}"
        );
    }
}

async fn wrong_requests_name_their_faults(suite: &Suite) {
    for (query, kind, file, fields) in [
        (
            "?size=red&allOrNothing=yes&separator=pipe",
            "text/plain",
            "",
            vec!["size", "allOrNothing", "separator", "Content-Type"],
        ),
        (
            "?allOrNothing=true&allOrNothing=false",
            "text/csv",
            "customerId\nf1\n",
            vec!["allOrNothing"],
        ),
        ("?separator=comma&separator=comma", "text/csv", "customerId\nf1\n", vec!["separator"]),
        ("?separator=tab", "application/x-ndjson", "", vec!["header.separator"]),
        ("", "text/csv", "customerId,primaryCategory\rf1,home\r", vec!["file"]),
        ("", "text/csv", "customerId,visit\n", vec!["file"]),
        ("", "text/csv", "", vec!["file"]),
    ] {
        let (status, answer) = post(suite, query, kind, file).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("INVALID_ARGUMENT")),
            "{answer}"
        );
        let fault = conformance::Fault::in_json(&answer).unwrap();
        assert_eq!(fault.fields.unwrap(), fields, "{answer}");
    }
}

async fn a_stream_is_taken_in(suite: &Suite) {
    let header = ImportHeader {
        schema: "Customer".to_owned(),
        format: ImportFormat::JsonLines.into(),
        all_or_nothing: false,
        separator: 0,
    };
    let lines: String =
        (0..5_000).map(|number| format!("{{\"customerId\":\"e{number}\"}}\n")).collect();
    let mut parts = vec![ImportRecordsRequest { part: Some(Part::Header(header)) }];
    let piece = |piece: &[u8]| ImportRecordsRequest { part: Some(Part::Piece(piece.to_vec())) };
    parts.extend(lines.as_bytes().chunks(1_000).map(piece));
    let channel = Channel::from_shared(suite.base.clone()).unwrap().connect().await.unwrap();
    let answer = RecordServiceClient::new(channel)
        .import_records(futures::stream::iter(parts))
        .await
        .unwrap();
    assert_eq!(answer.into_inner().accepted, 5_000);
    record(suite, "e4999").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_in_by_either_door_in_one_process_on_sqlite() {
    check(Shape::AllInOne, Store::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_in_by_either_door_in_five_processes_on_postgres() {
    check(Shape::FiveProcesses, Store::Postgres).await;
}
