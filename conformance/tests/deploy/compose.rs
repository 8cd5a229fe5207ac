//! The compose file: valid by the schema of its specification, and consistent.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    manifest::texts,
    tool::{command, file, output, text},
};

/// The file with its YAML anchors resolved.
pub fn composed() -> Value {
    let mut value: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text("compose.yaml")).unwrap();
    value.apply_merge().unwrap();
    serde_json::to_value(value).unwrap()
}

/// The services that run a program of Proffer, by name.
pub fn programs(composed: &Value) -> Vec<(&str, &Value)> {
    let services = composed["services"].as_object().unwrap();
    let own = services.iter().filter(|(_, service)| service["image"] == "proffer:local");
    own.map(|(name, service)| (name.as_str(), service)).collect()
}

/// The variables of a service.
pub fn variables(service: &Value) -> Vec<(String, String)> {
    let variables = service["environment"].as_object().unwrap().iter();
    variables.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

#[test]
fn the_compose_file_is_valid_by_the_schema_of_its_specification() {
    let mut validator = command("check-jsonschema");
    validator.args(["--builtin-schema", "vendor.compose-spec"]).arg(file("compose.yaml"));
    output(&mut validator);
}

#[test]
fn prometheus_accepts_its_configuration_and_scrapes_every_process() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("prometheus.yaml");
    std::fs::copy(file("compose/prometheus.yaml"), &place).unwrap();
    std::fs::copy(file("prometheus/rules.yaml"), folder.path().join("rules.yaml")).unwrap();
    output(command("promtool").args(["check", "config"]).arg(&place));
    let configuration: Value = serde_yaml_ng::from_str(&text("compose/prometheus.yaml")).unwrap();
    let sources = configuration["scrape_configs"][0]["dns_sd_configs"].as_array().unwrap();
    let scraped: BTreeSet<_> = sources
        .iter()
        .flat_map(|source| {
            let port = source["port"].as_u64().unwrap();
            texts(&source["names"]).into_iter().map(move |name| format!("{name}:{port}"))
        })
        .collect();
    let composed = composed();
    let served: BTreeSet<_> = programs(&composed)
        .into_iter()
        .filter_map(|(name, service)| {
            let variables = variables(service);
            let (_, address) = variables.iter().find(|(name, _)| name.ends_with("ADMIN_LISTEN"))?;
            Some(address.replace("0.0.0.0", name))
        })
        .collect();
    assert_eq!(scraped, served);
}

#[test]
fn every_url_of_the_compose_file_leads_to_a_service_that_runs_beside_it() {
    let composed = composed();
    let services = composed["services"].as_object().unwrap();
    for (name, service) in programs(&composed) {
        for (variable, value) in variables(service) {
            let Some(address) = value.strip_prefix("http://") else { continue };
            let (host, port) = address.split_once(':').unwrap();
            let other = services.get(host).unwrap_or_else(|| panic!("{name}: {variable}"));
            // Without a profile a service always runs.
            let runs = other["profiles"].is_null() || other["profiles"] == service["profiles"];
            assert!(runs, "{name}: {variable}: {host} does not run beside it");
            let listens = if host == "collector" {
                text("compose/collector.yaml").contains(&format!("\"0.0.0.0:{port}\""))
            } else {
                variables(other).iter().any(|(name, value)| {
                    name.ends_with("_LISTEN") && *value == format!("0.0.0.0:{port}")
                })
            };
            assert!(listens, "{name}: {variable}: {host} does not listen on {port}");
        }
    }
}

/// Callers are not authenticated, so only this machine reaches what is published.
#[test]
fn the_compose_file_publishes_on_loopback_and_runs_programs_without_privileges() {
    let composed = composed();
    for (name, service) in composed["services"].as_object().unwrap() {
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        let image = service["image"].as_str().unwrap();
        assert!(image.contains(':') && !image.ends_with(":latest"), "{name}: {image}");
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            let is_there = !source.starts_with('.') || file(source).exists();
            assert!(is_there, "{name}: {source} is not in deploy/");
        }
    }
    for (name, service) in programs(&composed) {
        assert_eq!(service["user"], "65532:65532", "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        let grace = service["stop_grace_period"].as_str().unwrap().trim_end_matches('s');
        let drain = serve::Limits::default().drain_timeout.as_secs();
        assert!(grace.parse::<u64>().unwrap() >= drain + 2, "{name}: {grace}");
    }
    for secret in composed["secrets"].as_object().unwrap().values() {
        assert!(file(secret["file"].as_str().unwrap()).exists(), "{secret}");
    }
}

/// The address of the database is that of the service, with its user, password and database.
#[test]
fn the_database_url_of_the_compose_file_is_that_of_its_postgres() {
    let composed = composed();
    let variables = &composed["services"]["postgres"]["environment"];
    let expected = format!(
        "postgres://{}:{}@postgres:5432/{}",
        variables["POSTGRES_USER"].as_str().unwrap(),
        text("compose/postgres-password"),
        variables["POSTGRES_DB"].as_str().unwrap()
    );
    assert_eq!(text("compose/database-url"), expected);
}
