//! A real Prometheus that scrapes all services while scenarios run: no query of the dashboard and
//! no alert reads something that does not exist.

use std::{fs, process::Stdio, time::Duration};

use conformance::{
    cluster::{Cluster, free_addresses},
    door::{Door, DoorKind, run},
    http::Client,
    play::play,
    scenario,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{alert, dashboard, tool};

/// How often, and how many times, Prometheus is asked again.
const POLL: Duration = Duration::from_millis(500);
const POLLS_MAX: usize = 240;
/// Scenarios that cannot share a suite. Together they decide, reserve, commit, test and refuse.
const SCENARIOS: [&str; 4] = ["winback", "experiment", "budget", "three-touches"];

/// A Prometheus of its own; killed when dropped.
struct Prometheus {
    client: Client,
    folder: TempDir,
    _child: Child,
}

impl Prometheus {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let configuration = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n\
            scrape_configs:\n  - job_name: proffer\n    file_sd_configs:\n      \
            - {files: [targets.json], refresh_interval: 1s}\n";
        fs::write(folder.path().join("prometheus.yml"), configuration).unwrap();
        let [address] = free_addresses(1).unwrap().try_into().unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(tool::folder().join("prometheus"));
        command.arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
        command.arg(format!("--web.listen-address={address}"));
        command.current_dir(folder.path()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let child = command.spawn().unwrap();
        let client = Client::new(&format!("http://{address}"));
        let prometheus = Self { client, folder, _child: child };
        for _ in 0..POLLS_MAX {
            if prometheus.query("vector(1)").await.is_some() {
                return prometheus;
            }
            tokio::time::sleep(POLL).await;
        }
        let log = fs::read_to_string(prometheus.folder.path().join("log")).unwrap();
        panic!("prometheus does not answer\n{log}");
    }

    /// Scrapes these clusters from now on.
    fn scrape(&self, clusters: &[(Cluster, TempDir)]) {
        let members = clusters.iter().flat_map(|(cluster, _)| &cluster.members);
        let targets: Vec<_> = members
            .map(|member| {
                json!({"targets": [member.admin], "labels": {"component": member.service}})
            })
            .collect();
        let place = self.folder.path().join("targets.json");
        let next = self.folder.path().join("next");
        fs::write(&next, serde_json::to_string(&targets).unwrap()).unwrap();
        // Prometheus never reads half a file.
        fs::rename(next, place).unwrap();
    }

    /// The values of a query; `None` while Prometheus does not answer.
    async fn query(&self, expression: &str) -> Option<Vec<f64>> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.client.send("GET", &format!("/api/v1/query?query={encoded}"), "").await;
        let body = answer.ok()?.body;
        assert_eq!(body["status"], "success", "{expression}: {body}");
        let results = body["data"]["result"].as_array().unwrap();
        let value = |result: &Value| result["value"][1].as_str().unwrap().parse().unwrap();
        Some(results.iter().map(value).collect())
    }
}

/// Starts all services, so many replicas of each, plays a scenario and keeps the cluster.
async fn played(name: &str, replicas: usize) -> (Cluster, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = testkit::fresh_database_url().await;
    let place = ["--database-url".to_owned(), url];
    let mut cluster = Cluster::new((replicas, 1), &place, &[]).unwrap();
    cluster.start().await.unwrap();
    let door = Door::at(DoorKind::Grpc, &cluster.doors()[0], folder.path()).unwrap();
    play(&scenario::load(name).unwrap(), &door).await.unwrap();
    (cluster, folder)
}

/// A decision, a dry run, a response and an import.
async fn work(client: &Client, base: &str, number: usize) {
    let request = json!({"customerId": "cust_lapsed_1", "channel": "email", "flow": "Winback"});
    let mut dry = request.clone();
    dry["dryRun"] = json!(true);
    // A killed replica may be the one that answers; the next round asks again.
    for body in [&request, &dry] {
        drop(client.call("POST", "/api/v1/recommend", body).await);
    }
    let rows = format!("customerId,lifetimePurchases\nrow{number},1\nwrong{number},x\n");
    let mut curl = Command::new("curl");
    let url = format!("{base}/api/v1/schemas/Customer/records:import");
    curl.args(["-sS", "--max-time", "5", "-X", "POST", &url, "-H", "Content-Type: text/csv"]);
    curl.args(["--data-binary", "@-"]);
    drop(run(curl, &rows).await);
}

/// Decides while experiment-svc is away, until a decision says that it is degraded.
async fn decide_without_experiments(cluster: &mut Cluster, client: &Client) {
    let replicas: Vec<_> = cluster.of("experiment").collect();
    for replica in &replicas {
        cluster.kill(*replica).unwrap();
    }
    let request = json!({"customerId": "cust_lapsed_1", "channel": "email", "flow": "Winback"});
    let mut is_degraded = false;
    for _ in 0..POLLS_MAX {
        let answer = client.call("POST", "/api/v1/recommend", &request).await.unwrap();
        is_degraded = answer.body["degraded"].as_array().is_some_and(|reasons| !reasons.is_empty());
        if is_degraded {
            break;
        }
        tokio::time::sleep(POLL).await;
    }
    assert!(is_degraded, "experiment-svc is away and no decision says so");
    for replica in replicas {
        cluster.launch(replica).unwrap();
        cluster.ready(replica).await.unwrap();
    }
}

/// The queries of dashboard and alerts, each once, with the place of one.
fn queries() -> Vec<(String, String)> {
    let panels = dashboard::queries().into_iter().map(|query| (query.place, query.expression));
    let alerts = alert::alerts().into_iter().map(|alert| (alert.name, alert.query));
    panels.chain(alerts).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_dashboard_and_alerts_returns_data_after_the_scenarios() {
    let prometheus = Prometheus::start().await;
    let mut clusters = Vec::new();
    for name in SCENARIOS {
        // Replicas of the first are killed while others serve.
        let replicas = if clusters.is_empty() { 2 } else { 1 };
        clusters.push(played(name, replicas).await);
        prometheus.scrape(&clusters);
    }
    let winback = &mut clusters[0].0;
    let base = winback.doors()[0].clone();
    let client = Client::new(&base);
    // A replica that ends makes its callers retry; one that starts reports what it finds.
    for service in ["decision", "policy"] {
        let first = winback.of(service).next().unwrap();
        winback.kill(first).unwrap();
        work(&client, &base, 0).await;
        winback.launch(first).unwrap();
        winback.ready(first).await.unwrap();
    }
    decide_without_experiments(winback, &client).await;
    let mut missing = queries();
    for number in 1..=POLLS_MAX {
        work(&client, &base, number).await;
        let mut left = Vec::new();
        for (place, expression) in missing {
            let values = prometheus.query(&expression).await.unwrap_or_default();
            if !values.iter().any(|value| value.is_finite()) {
                left.push((place, expression));
            }
        }
        missing = left;
        if missing.is_empty() {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("these queries return nothing:\n{}", listed(&missing));
}

fn listed(queries: &[(String, String)]) -> String {
    queries.iter().map(|(place, expression)| format!("{place}: {expression}\n")).collect()
}

/// A wrong name in the files is found: the test above fails for a query that nothing answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_metric_that_does_not_exist_has_no_data() {
    let prometheus = Prometheus::start().await;
    assert_eq!(prometheus.query("sum(rate(proffer_no_such_metric[1m]))").await, Some(Vec::new()));
}
