//! One request is one trace, in one process and in five, seen by a collector.

use std::collections::{BTreeMap, BTreeSet};

use conformance::{
    campaign,
    collector::{Collector, Exported, hex, text},
    suite::{Shape, Store, Suite},
};
use serde_json::{Value, json};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
/// A customer that no text but the request may hold.
const CUSTOMER: &str = "canary_customer_7351";

/// A suite that exports to a collector, with the winback campaign and a customer who gets an offer.
async fn world(shape: Shape, store: Store, ratio: &str) -> (Suite, Collector) {
    let collector = Collector::start().await.unwrap();
    let environment = [
        ("PROFFER_OTLP_ENDPOINT", collector.endpoint.as_str()),
        ("PROFFER_TRACE_RATIO", ratio),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
    ];
    let suite = Suite::start_with(shape, store, &environment).await.unwrap();
    campaign::configure(&suite.base).await.unwrap();
    let path = campaign::record_path(CUSTOMER);
    suite.client().ok("PUT", &path, &campaign::lapsed(3)).await.unwrap();
    (suite, collector)
}

async fn recommend(suite: &Suite, trace_id: &str, flags: &str) -> Value {
    let body = json!({"customerId": CUSTOMER, "channel": "web", "flow": "Winback"});
    let parent = format!("00-{trace_id}-{CALLER}-{flags}");
    let headers = [("traceparent", parent.as_str())];
    let client = suite.client();
    let answer =
        client.send_with(&headers, "POST", "/api/v1/recommend", body.to_string()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// The spans of the trace, once `names` are among them; all parents are there, and only the first
/// span has the caller as its parent.
async fn whole_trace(collector: &Collector, names: &[&str]) -> Vec<Exported> {
    let is_whole = |collector: &Collector| {
        let spans = collector.trace(TRACE);
        let has = |name: &&str| spans.iter().any(|exported| exported.span.name.starts_with(*name));
        let ids: BTreeSet<_> = spans.iter().map(|exported| hex(&exported.span.span_id)).collect();
        let roots = spans
            .iter()
            .filter(|exported| !ids.contains(&hex(&exported.span.parent_span_id)))
            .collect::<Vec<_>>();
        let is_rooted =
            matches!(roots.as_slice(), [root] if hex(&root.span.parent_span_id) == CALLER);
        (names.iter().all(has) && is_rooted).then_some(spans)
    };
    collector.until(is_whole).await.unwrap()
}

/// The name of each span's parent, by its own name.
fn parents(spans: &[Exported]) -> BTreeMap<String, BTreeSet<String>> {
    let name_of: BTreeMap<_, _> = spans
        .iter()
        .map(|exported| (exported.span.span_id.clone(), exported.span.name.clone()))
        .collect();
    let mut parents = BTreeMap::<String, BTreeSet<String>>::new();
    for Exported { span, .. } in spans {
        let parent = name_of.get(&span.parent_span_id).cloned().unwrap_or_default();
        parents.entry(span.name.clone()).or_default().insert(parent);
    }
    parents
}

const RECOMMEND: &str = "proffer.decision.v1.DecisionService/Recommend";
const LOOKUP: &str = "proffer.internal.catalog.v1.LookupService/LookupCustomer";
const RESERVE: &str = "proffer.internal.policy.v1.ContactGateService/Reserve";
const STAGES: [&str; 5] = ["fetch", "plan", "reserve", "conclude", "write"];

async fn check_a_decision(shape: Shape, store: Store, services: &[&str]) {
    let (suite, collector) = world(shape, store, "0").await;
    let decision = recommend(&suite, TRACE, "01").await;
    assert_eq!(decision["decisions"].as_array().unwrap().len(), 1, "{decision}");
    let names = [&STAGES[..], &[RECOMMEND, LOOKUP, RESERVE, "insert into decision", "select"]];
    let spans = whole_trace(&collector, &names.concat()).await;
    let found: BTreeSet<_> = spans.iter().map(|exported| exported.service.as_str()).collect();
    assert_eq!(found, services.iter().copied().collect(), "{found:?}");
    let root = spans.iter().find(|exported| hex(&exported.span.parent_span_id) == CALLER);
    assert_eq!(root.unwrap().span.name, RECOMMEND);
    let parents = parents(&spans);
    for stage in STAGES {
        assert_eq!(parents[stage], BTreeSet::from([RECOMMEND.to_owned()]), "{stage}");
    }
    assert!(parents[LOOKUP].contains("fetch"), "{:?}", parents[LOOKUP]);
    assert!(parents[RESERVE].contains("reserve"), "{:?}", parents[RESERVE]);
    // Statements have their texts and no values.
    for Exported { span, .. } in &spans {
        let statement = text(&span.attributes, "db.query.text").unwrap_or_default();
        assert!(!format!("{span:?}").contains(CUSTOMER), "{span:?}");
        assert!(!statement.contains("apparel"), "{statement}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_one_trace_through_its_processes() {
    let services = ["gateway", "decision-svc", "catalog-svc", "policy-svc"];
    check_a_decision(Shape::FiveProcesses, Store::Postgres, &services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_one_trace_in_one_process() {
    check_a_decision(Shape::AllInOne, Store::Sqlite, &["proffer"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_answers_within_the_trace_of_its_caller_and_sends_its_metrics() {
    let (suite, collector) = world(Shape::FiveProcesses, Store::Sqlite, "0").await;
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", parent.as_str())];
    for path in ["offers", "channels", "decision-flows", "experiments"] {
        let path = format!("/api/v1/{path}");
        let answer = suite.client().send_with(&headers, "GET", &path, "").await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let all = ["gateway", "catalog-svc", "policy-svc", "decision-svc", "experiment-svc"];
    let services = |collector: &Collector| {
        let spans = collector.trace(TRACE);
        let found: BTreeSet<_> = spans.into_iter().map(|exported| exported.service).collect();
        all.iter().all(|service| found.contains(*service)).then_some(())
    };
    collector.until(services).await.unwrap();
    let metrics = |collector: &Collector| {
        let found = collector.metrics();
        let has = |service: &&str| {
            found.contains(&((*service).to_owned(), "proffer.call.duration".to_owned()))
        };
        all.iter().all(has).then_some(())
    };
    collector.until(metrics).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_its_caller_does_not_sample_is_not_exported() {
    let (suite, collector) = world(Shape::FiveProcesses, Store::Sqlite, "1").await;
    recommend(&suite, "11111111111111111111111111111111", "00").await;
    // Exported later than the one before would have been.
    recommend(&suite, TRACE, "01").await;
    whole_trace(&collector, &[RECOMMEND, "write"]).await;
    assert_eq!(collector.trace("11111111111111111111111111111111").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ratio_holds_for_traces_that_begin_here() {
    let (suite, collector) = world(Shape::AllInOne, Store::Sqlite, "1").await;
    let began = |collector: &Collector| {
        let is_root = |exported: &Exported| {
            exported.span.name == RECOMMEND && exported.span.parent_span_id.is_empty()
        };
        collector.spans().iter().any(is_root).then_some(())
    };
    let body = json!({"customerId": CUSTOMER, "channel": "web", "flow": "Winback"});
    suite.client().ok("POST", "/api/v1/recommend", &body).await.unwrap();
    collector.until(began).await.unwrap();

    let (suite, collector) = world(Shape::AllInOne, Store::Sqlite, "0").await;
    suite.client().ok("POST", "/api/v1/recommend", &body).await.unwrap();
    recommend(&suite, TRACE, "01").await;
    whole_trace(&collector, &[RECOMMEND, "write"]).await;
    let others = collector.spans().into_iter().filter(|it| hex(&it.span.trace_id) != TRACE);
    assert_eq!(others.count(), 0);
}

/// A caller reports an outcome within its trace. The outbox delivers it later: in traces of their
/// own, which link to the caller's and reach both services.
async fn check_a_delivery(shape: Shape, store: Store, receivers: [&str; 2]) {
    let (suite, collector) = world(shape, store, "0").await;
    let decision = recommend(&suite, TRACE, "01").await;
    let body = json!({"customerId": CUSTOMER, "decisionId": decision["decisionId"],
        "outcome": "impression", "rank": 1});
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", parent.as_str())];
    let client = suite.client();
    let answer = client.send_with(&headers, "POST", "/api/v1/respond", body.to_string()).await;
    let answer = answer.unwrap();
    assert!(answer.status < 300, "{}", answer.body);
    let deliver = [
        "proffer.internal.policy.v1.ContactGateService/DeliverOutcomes",
        "proffer.internal.experiment.v1.LedgerService/DeliverEntries",
    ];
    let relayed = |collector: &Collector| {
        let spans = collector.spans();
        let of_name = |name: &str| {
            spans.iter().filter(|it| it.span.name == name).cloned().collect::<Vec<_>>()
        };
        let is_served = |(method, service): (&str, &str)| {
            of_name(method).iter().any(|it| it.service == service && it.span.kind == SERVER)
        };
        let is_received = deliver.into_iter().zip(receivers).all(is_served);
        let relays = of_name("relay");
        (is_received && relays.len() >= 2).then_some((relays, spans.clone()))
    };
    let (relays, spans) = collector.until(relayed).await.unwrap();
    let reports: BTreeSet<_> =
        collector.trace(TRACE).into_iter().map(|it| it.span.span_id).collect();
    for relay in &relays {
        let links: Vec<_> = relay.span.links.iter().collect();
        assert!(!links.is_empty() && relay.span.parent_span_id.is_empty(), "{relay:?}");
        for link in links {
            assert_eq!(hex(&link.trace_id), TRACE);
            assert!(reports.contains(&link.span_id), "{link:?}");
        }
    }
    let roots: BTreeSet<_> = relays.iter().map(|it| it.span.trace_id.clone()).collect();
    assert!(!roots.iter().any(|trace| hex(trace) == TRACE));
    for method in deliver {
        let mut served = spans.iter().filter(|it| it.span.name == method);
        assert!(served.all(|it| roots.contains(&it.span.trace_id)), "{method}");
    }
}

/// `SPAN_KIND_SERVER`.
const SERVER: i32 = 2;

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_the_outbox_link_to_the_traces_that_caused_them() {
    let receivers = ["policy-svc", "experiment-svc"];
    check_a_delivery(Shape::FiveProcesses, Store::Postgres, receivers).await;
}
