//! A real collector between the services and the receiver: it understands what they send.

use std::{
    collections::BTreeSet,
    fs,
    process::{Child, Command, Stdio},
};

use conformance::{
    campaign,
    cluster::free_addresses,
    collector::{Collector, hex},
    suite::{Shape, Store, Suite},
};
use serde_json::json;
use tempfile::TempDir;

use super::tool;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
/// Of one decision: the gateway, decision-svc and the two that it calls.
const SERVICES: [&str; 4] = ["catalog-svc", "decision-svc", "gateway", "policy-svc"];

/// A running rotel that passes everything on. It is killed when dropped.
struct Rotel {
    child: Child,
    /// For `--otlp-endpoint`.
    endpoint: String,
    folder: TempDir,
}

impl Rotel {
    fn start(next: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [grpc, http] = free_addresses(2).unwrap().try_into().unwrap();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new(tool::folder().join("rotel"));
        command
            .args(["start", "--pid-file", &file("pid"), "--log-file", &file("log")])
            .args(["--otlp-grpc-endpoint", &grpc, "--otlp-http-endpoint", &http])
            .args(["--exporter", "otlp", "--otlp-exporter-endpoint", next])
            .args(["--otlp-exporter-protocol", "grpc"])
            .args(["--batch-timeout", "100ms"])
            .stdout(fs::File::create(folder.path().join("said")).unwrap())
            .stderr(Stdio::inherit());
        let child = command.spawn().unwrap();
        Self { child, endpoint: format!("http://{grpc}"), folder }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_collector_passes_on_one_trace_of_five_processes_with_all_parents() {
    let receiver = Collector::start().await.unwrap();
    let rotel = Rotel::start(&receiver.endpoint);
    let environment = [
        ("PROFFER_OTLP_ENDPOINT", rotel.endpoint.as_str()),
        ("PROFFER_TRACE_RATIO", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
    ];
    let suite = Suite::start_with(Shape::FiveProcesses, Store::Postgres, &environment);
    let suite = suite.await.unwrap();
    campaign::configure(&suite.base).await.unwrap();
    let client = suite.client();
    client.ok("PUT", &campaign::record_path("ann"), &campaign::lapsed(3)).await.unwrap();
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let asked = json!({"customerId": "ann", "channel": "web", "flow": "Winback"}).to_string();
    let headers = [("traceparent", parent.as_str())];
    let answer = client.send_with(&headers, "POST", "/api/v1/recommend", asked).await.unwrap();
    assert_eq!(answer.body["decisions"].as_array().map(Vec::len), Some(1), "{}", answer.body);
    // Spans come service by service: the trace is whole once each parent is there.
    let whole = receiver.until(|receiver| {
        let spans = receiver.trace(TRACE);
        let services: BTreeSet<_> = spans.iter().map(|span| span.service.as_str()).collect();
        let ids: BTreeSet<_> = spans.iter().map(|span| hex(&span.span.span_id)).collect();
        let parents = spans.iter().map(|span| hex(&span.span.parent_span_id));
        let roots: Vec<_> = parents.filter(|parent| !ids.contains(parent)).collect();
        (services == SERVICES.into() && roots == [CALLER]).then_some(spans.len())
    });
    let spans = whole.await.unwrap_or_else(|error| panic!("{error}\n{}", rotel.said()));
    assert!(spans > SERVICES.len(), "{spans}");
    let wanted = SERVICES.into_iter().chain(["experiment-svc"]);
    let wanted: BTreeSet<_> = wanted.collect();
    let metrics = receiver.until(|receiver| {
        let metrics = receiver.metrics();
        let services: BTreeSet<_> = metrics.iter().map(|(service, _)| service.as_str()).collect();
        (services == wanted).then_some(())
    });
    metrics.await.unwrap_or_else(|error| panic!("{error}\n{}", rotel.said()));
}
