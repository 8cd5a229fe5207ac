//! The same scenarios through every door, in one process and in five, on both stores.

use std::collections::BTreeSet;

use conformance::{
    admin,
    door::{Door, DoorKind},
    play::play,
    scenario,
    suite::{Shape, Store, Suite},
};

/// Everything that our own code logs; the libraries below it write what they send at `debug`.
const LOG: &str = "debug,h2=info,hyper=info,hyper_util=info,tower=info,tonic=info";

/// Lines have ids of calls and of decisions, and nothing of a customer, not even the id.
fn no_customer_is_logged(scenario: &str, suite: &Suite) {
    let customer = regex::Regex::new(r"\bcust_[a-z0-9_]+|@example\.").unwrap();
    let mut lines = 0;
    for log in suite.processes.iter().map(conformance::process::Process::whole_log) {
        for line in log.lines() {
            lines += 1;
            assert!(!customer.is_match(line), "{scenario}: {line}");
        }
    }
    assert!(lines > 10, "{scenario}: the log is empty");
}

/// Settings of the suites.
const SETTINGS: [(&str, &str); 2] = [("PROFFER_LOG", LOG), ("PROFFER_TENANT_METRICS", "2")];

/// Metrics that no scenario moves, and why.
const STILL: [(&str, &str); 21] = [
    ("proffer_accept_errors_total", "no file handles are missing"),
    ("proffer_bytes_refused_total", "no scenario holds that many bytes"),
    ("proffer_call_retries_total", "no service fails"),
    ("proffer_calls_refused_total", "no scenario overloads the gateway"),
    ("proffer_calls_waiting", "no scenario overloads the gateway"),
    ("proffer_connections_refused_total", "no scenario opens that many"),
    ("proffer_connections_stalled_total", "answers are read"),
    ("proffer_decisions_degraded_total", "no service is away"),
    ("proffer_decisions_long_total", "no flow costs that much"),
    ("proffer_experiment_sample_ratio_p", "it is counted once a minute"),
    ("proffer_import_rows_total", "no scenario imports a file"),
    ("proffer_outbox_parked_rows", "no service refuses a message"),
    ("proffer_panics_total", "no handler panics"),
    ("proffer_policy_budget_drift_total", "no budget drifts"),
    ("proffer_policy_lapsed_share", "no reservation lapses while a scenario is played"),
    ("proffer_propensity_learned_total", "no flow learns online"),
    ("proffer_propensity_left_out_total", "no flow learns online"),
    ("proffer_propensity_snapshots", "no flow learns online"),
    ("proffer_propensity_snapshots_size_bytes", "no flow learns online"),
    ("proffer_slots_lapsed_total", "no reservation lapses while a scenario is played"),
    ("proffer_store_connections_waiting", "few calls come at once"),
];

/// Names the metrics of the page that scenarios moved neither here nor by chance.
fn every_metric_moved(moved: &BTreeSet<String>) {
    let page = include_str!("../../../docs/telemetry.md");
    let name = regex::Regex::new("`(proffer_[a-z_]+)`").unwrap();
    let all: BTreeSet<_> = name.captures_iter(page).map(|found| found[1].to_owned()).collect();
    let may_stay: BTreeSet<_> = STILL
        .iter()
        .map(|(name, _)| *name)
        // Their values are read every few seconds, and are 0 most of the time.
        .chain(["proffer_outbox_rows", "proffer_outbox_oldest_age_seconds"])
        .chain(all.iter().map(String::as_str).filter(|name| name.contains("retention")))
        .collect();
    let stayed: Vec<_> = all
        .iter()
        .filter(|name| !moved.contains(*name) && !may_stay.contains(name.as_str()))
        .collect();
    assert!(stayed.is_empty(), "these metrics never moved: {stayed:?}; moved were {moved:?}");
}

/// Plays scenarios that begin alike on a fresh suite each; returns the metrics that moved.
async fn check(names: &[&str], kind: DoorKind, shape: Shape, store: Store) -> BTreeSet<String> {
    let mut moved = BTreeSet::new();
    for name in names {
        let mut suite = Suite::start_with(shape, store, &SETTINGS).await.unwrap();
        let door = Door::open(kind, &suite).unwrap();
        let played = play(&scenario::load(name).unwrap(), &door).await;
        suite.is_alive().unwrap();
        if let Err(error) = played {
            let logs: Vec<_> =
                suite.processes.iter().map(conformance::process::Process::log).collect();
            panic!("{name} by {kind:?}, {shape:?} on {store:?}: {error:?}\n{}", logs.join("\n"));
        }
        no_customer_is_logged(name, &suite);
        let mut reasons = BTreeSet::new();
        for admin in &suite.admins {
            moved.extend(admin::moved(admin).await.unwrap());
            reasons.extend(admin::reasons(admin).await.unwrap());
        }
        // One process is started without the address of metrics.
        if *name == "contact-where-it-pays" && !suite.admins.is_empty() {
            assert!(reasons.contains("not_worth_it"), "decisions are counted by {reasons:?}");
        }
    }
    moved
}

const ALL: &[&str] = &[
    "history-and-audit",
    "validate",
    "winback",
    "three-touches",
    "consent",
    "deciding",
    "flow-nodes",
    "explain",
    "batch",
    "experiment",
    "external-experiment",
    "training-rows",
    "effect-models",
    "propensity",
    "contact-where-it-pays",
    "configuration",
    "dates-and-numbers",
    "creatives-and-metrics-resources",
    "outcome-types",
    "budget",
    "contact-false",
    "response-is-contact",
    "lists-of-what-happened",
    "list-filters",
    "churn-prevention",
    "cross-sell",
    "onboarding",
    "forgotten-rules",
    "what-a-delete-breaks",
    "references",
    "a-rename-takes-nothing-away",
    "partial-writes",
    "reports",
];
const SEEDS: &[&str] = &["winback", "outcome-types"];

macro_rules! played {
    ($($test:ident: $scenarios:ident by $kind:ident, $shape:ident on $store:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let moved =
                    check($scenarios, DoorKind::$kind, Shape::$shape, Store::$store).await;
                if Shape::$shape == Shape::FiveProcesses && $scenarios == ALL {
                    every_metric_moved(&moved);
                }
            }
        )*
    };
}

played! {
    all_scenarios_by_curl_in_one_process_on_sqlite: ALL by Curl, AllInOne on Sqlite;
    all_scenarios_by_curl_in_one_process_on_postgres: ALL by Curl, AllInOne on Postgres;
    all_scenarios_by_grpc_in_one_process_on_sqlite: ALL by Grpc, AllInOne on Sqlite;
    all_scenarios_by_grpc_in_five_processes_on_postgres: ALL by Grpc, FiveProcesses on Postgres;
    all_scenarios_by_grpc_with_two_replicas_of_each_service: ALL by Grpc, TwoReplicas on Postgres;
    the_seeds_by_curl_in_five_processes_on_sqlite: SEEDS by Curl, FiveProcesses on Sqlite;
    the_seeds_by_grpc_in_five_processes_on_sqlite: SEEDS by Grpc, FiveProcesses on Sqlite;
    the_seeds_by_grpcurl_in_one_process_on_sqlite: SEEDS by Grpcurl, AllInOne on Sqlite;
}

/// A file that no list names would be checked by nobody.
#[test]
fn every_scenario_and_every_example_is_played() {
    let mut played: Vec<String> = ALL.iter().map(|name| (*name).to_owned()).collect();
    let mut bodies = Vec::new();
    for name in ALL {
        let scenario = scenario::load(name).unwrap();
        played.extend(scenario.after);
        bodies.extend(scenario.steps.into_iter().filter_map(|step| step.example));
    }
    for file in std::fs::read_dir(scenario::folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(played.contains(&name), "{name} is played by nobody");
    }
    for programme in ["churn-prevention", "cross-sell", "onboarding"] {
        for file in std::fs::read_dir(scenario::examples().join(programme)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let is_played = bodies.contains(&format!("{programme}/{name}"));
            assert!(
                is_played || !name.ends_with(".json"),
                "{programme}/{name} is posted by nobody"
            );
        }
    }
}
