//! The chart as a whole: the linter, the schemas of Kubernetes, values that cannot work, and how
//! its resources refer to each other.

use serde_json::{Value, json};

use super::{
    manifest::{
        CHART, Pod, files, name_of, named, of, parse, pods, rendered, resources, selects, sets,
    },
    tool::{command, output, root, run},
};

/// The versions of Kubernetes between which the chart works: that of `kubeVersion` in Chart.yaml,
/// and the newest whose schemas the validator has.
const KUBERNETES: [&str; 2] = ["1.27", "1.37"];
/// Resources of the Prometheus operator; the validator has no schemas for them.
const WITHOUT_SCHEMA: &str = "monitoring.coreos.com/v1";

#[test]
fn every_set_of_values_passes_the_linter() {
    for file in files("ci") {
        let mut helm = command("helm");
        let linted = output(helm.args(["lint", "--strict", CHART, "--values", &file]));
        assert!(linted.contains("0 chart(s) failed"), "{file}: {linted}");
    }
}

/// Strict: a field that Kubernetes does not know is a fault.
#[track_caller]
pub fn valid(texts: &[(String, String)]) {
    let folder = tempfile::tempdir().unwrap();
    let mut validator = command("kubernetes-validate");
    validator.args(["--strict"]);
    for version in KUBERNETES {
        validator.args(["--kubernetes-version", version]);
    }
    for (name, text) in texts {
        let path = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&path, text).unwrap();
        validator.arg(path);
    }
    let done = run(&mut validator);
    let said = format!("{}{}", done.output, done.errors);
    let is_fault = |line: &&str| !line.starts_with("INFO") && !line.contains(WITHOUT_SCHEMA);
    let faults: Vec<_> = said.lines().filter(is_fault).collect();
    assert!(done.is_right && faults.is_empty(), "{faults:#?}");
    let checked = said.lines().filter(|line| line.starts_with("INFO")).count();
    assert!(checked >= texts.len() * KUBERNETES.len(), "{said}");
}

#[test]
fn what_the_chart_renders_is_valid_for_the_oldest_and_the_newest_kubernetes() {
    let chart = std::fs::read_to_string(root().join(CHART).join("Chart.yaml")).unwrap();
    assert!(chart.contains(&format!("kubeVersion: \">={}.0-0\"", KUBERNETES[0])), "{chart}");
    let texts: Vec<_> =
        files("ci").iter().zip(sets()).map(|(file, set)| (set, rendered(file))).collect();
    valid(&texts);
}

#[test]
fn values_that_cannot_work_are_refused_with_what_to_do() {
    for file in files("refused") {
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# expect: "));
        let expected = expected.unwrap_or_else(|| panic!("{file} has no `# expect: ` line"));
        let mut helm = command("helm");
        let done = run(helm.args(["template", "proffer", CHART, "--values", &file]));
        assert!(!done.is_right, "{file} is accepted");
        assert!(done.errors.contains(expected), "{file}: {}", done.errors);
    }
}

#[test]
fn every_value_is_described_by_the_schema_and_has_a_default() {
    let schema = std::fs::read_to_string(root().join(CHART).join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let values = std::fs::read_to_string(root().join(CHART).join("values.yaml")).unwrap();
    let values = parse(&values).remove(0);
    let (described, given) = (&schema["properties"], values.as_object().unwrap());
    // Helm itself gives `global`.
    let names = described.as_object().unwrap().keys().filter(|name| *name != "global");
    assert_eq!(names.collect::<Vec<_>>(), given.keys().collect::<Vec<_>>());
    let process = schema["$defs"]["process"]["properties"].as_object().unwrap();
    let defaults = values["defaults"].as_object().unwrap();
    let sorted = |keys: Vec<&String>| {
        let mut keys = keys.clone();
        keys.sort();
        keys.into_iter().cloned().collect::<Vec<_>>()
    };
    assert_eq!(sorted(process.keys().collect()), sorted(defaults.keys().collect()));
}

/// Labels, selectors and names agree, so that nothing selects another process or nothing.
#[test]
fn every_selector_selects_exactly_its_own_process() {
    for set in sets() {
        let resources = resources(&set);
        let pods = pods(&resources);
        let selected = |selector: &Value| -> Vec<&str> {
            pods.iter().filter(|pod| selects(selector, pod.labels)).map(|pod| pod.name).collect()
        };
        for deployment in of(&resources, "Deployment") {
            let own = name_of(deployment).trim_start_matches("proffer-");
            assert_eq!(selected(&deployment["spec"]["selector"]["matchLabels"]), [own], "{set}");
            let service = named(&resources, "Service", name_of(deployment));
            assert_eq!(selected(&service["spec"]["selector"]), [own], "{set}");
            for spread in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
                .as_array()
                .unwrap()
            {
                assert_eq!(selected(&spread["labelSelector"]["matchLabels"]), [own], "{set}");
            }
        }
        for budget in of(&resources, "PodDisruptionBudget") {
            let own = name_of(budget).trim_start_matches("proffer-");
            assert_eq!(selected(&budget["spec"]["selector"]["matchLabels"]), [own], "{set}");
            assert_eq!(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow", "{set}");
        }
        for monitor in of(&resources, "PodMonitor") {
            let scraped = selected(&monitor["spec"]["selector"]["matchLabels"]);
            let port = &monitor["spec"]["podMetricsEndpoints"][0]["port"];
            let with_port = |pod: &&Pod<'_>| pod.port(port.as_str().unwrap()).is_some();
            let expected: Vec<_> = pods.iter().filter(with_port).map(|pod| pod.name).collect();
            assert!(expected.iter().all(|name| scraped.contains(name)), "{set}: {scraped:?}");
        }
    }
}

#[test]
fn services_between_replicas_are_headless_and_publish_addresses_that_are_not_ready() {
    let resources = resources("five-services");
    for service in of(&resources, "Service") {
        let spec = &service["spec"];
        if name_of(service) == "proffer-gateway" {
            assert_eq!(spec["type"], "ClusterIP");
            assert_eq!(spec["publishNotReadyAddresses"], Value::Null);
            continue;
        }
        assert_eq!(spec["clusterIP"], "None", "{}", name_of(service));
        assert_eq!(spec["publishNotReadyAddresses"], true, "{}", name_of(service));
    }
    assert_eq!(of(&resources, "Service").len(), 5);
}

/// With an autoscaler the Deployment has no number of replicas: an upgrade would reset it.
#[test]
fn an_autoscaler_scales_on_processor_time_and_where_asked_on_calls_in_flight() {
    let plain = resources("five-services");
    let everything = resources("everything");
    for resources in [&plain, &everything] {
        for deployment in of(resources, "Deployment") {
            let name = name_of(deployment);
            let scalers = of(resources, "HorizontalPodAutoscaler");
            let scaler = scalers.iter().find(|one| one["spec"]["scaleTargetRef"]["name"] == name);
            assert_eq!(deployment["spec"]["replicas"].is_null(), scaler.is_some(), "{name}");
            let Some(scaler) = scaler else { continue };
            assert_eq!(scaler["apiVersion"], "autoscaling/v2");
            assert_eq!(scaler["spec"]["metrics"][0]["resource"]["name"], "cpu", "{name}");
            assert!(scaler["spec"]["minReplicas"].as_u64() >= Some(2), "{name}");
        }
    }
    let in_flight = |resources: &[Value], name: &str| {
        let scaler = named(resources, "HorizontalPodAutoscaler", name);
        scaler["spec"]["metrics"].get(1).map(|metric| metric["pods"].clone())
    };
    assert_eq!(in_flight(&plain, "proffer-gateway"), None);
    let expected = json!({
        "metric": {"name": "proffer_calls_in_flight"},
        "target": {"type": "AverageValue", "averageValue": "10"},
    });
    assert_eq!(in_flight(&everything, "proffer-gateway"), Some(expected));
}

#[test]
fn what_is_overridden_for_one_service_leaves_the_others_alone() {
    let resources = resources("everything");
    let memory = |name: &str| {
        let deployment = named(&resources, "Deployment", name);
        deployment["spec"]["template"]["spec"]["containers"][0]["resources"].clone()
    };
    let limits = json!({"cpu": "2", "memory": "1Gi"});
    let own = json!({"requests": {"cpu": "1", "memory": "512Mi"}, "limits": limits});
    let others = json!({"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": limits});
    assert_eq!(memory("proffer-decision"), own);
    assert_eq!(memory("proffer-policy"), others);
}

/// The Job runs first: as a hook in Helm, and the services refuse to start before it is done.
#[test]
fn tables_are_migrated_before_the_services_change_and_by_the_job_alone() {
    for set in ["five-services", "everything", "all-in-one"] {
        let resources = resources(set);
        let job = named(&resources, "Job", "proffer-migrate");
        assert_eq!(job["metadata"]["annotations"]["helm.sh/hook"], "pre-install,pre-upgrade");
        let command = &job["spec"]["template"]["spec"]["containers"][0]["command"];
        assert_eq!(*command, json!(["proffer", "migrate"]));
        for pod in pods(&resources) {
            let environment = pod.environment();
            let value = |name: &str| {
                environment.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
            };
            let has_store = value("PROFFER_DATABASE_URL_FILE").is_some();
            let expected = (has_store && pod.name != "migrate").then_some("off");
            assert_eq!(value("PROFFER_MIGRATE"), expected, "{set}: {}", pod.name);
            let role = (set == "everything" && pod.name == "migrate").then_some("proffer_app");
            assert_eq!(value("PROFFER_APP_ROLE"), role, "{set}: {}", pod.name);
        }
    }
    assert!(of(&resources("sqlite"), "Job").is_empty());
}

/// Extra labels and annotations reach every resource and pod.
#[test]
fn labels_and_annotations_of_the_values_are_on_every_resource() {
    for resource in resources("everything") {
        let metadata = &resource["metadata"];
        assert_eq!(metadata["labels"]["example.com/team"], "offers", "{metadata}");
        assert_eq!(metadata["annotations"]["example.com/contact"], "offers@example.com");
        assert_eq!(metadata["namespace"], "proffer", "{metadata}");
    }
    for pod in pods(&resources("everything")) {
        assert_eq!(pod.labels["example.com/cost"], "17", "{}", pod.name);
        let annotations = &pod.resource["spec"]["template"]["metadata"]["annotations"];
        assert_eq!(annotations["example.com/scan"], "true", "{}", pod.name);
    }
}

#[test]
fn the_rules_and_the_dashboard_of_the_chart_are_those_of_the_folder() {
    let resources = resources("everything");
    let rules = &named(&resources, "PrometheusRule", "proffer")["spec"];
    assert_eq!(*rules, parse(&super::tool::text("prometheus/rules.yaml"))[0]);
    let map = named(&resources, "ConfigMap", "proffer-dashboard");
    let dashboard: Value =
        serde_json::from_str(map["data"]["proffer.json"].as_str().unwrap()).unwrap();
    let own: Value = serde_json::from_str(&super::tool::text("grafana/proffer.json")).unwrap();
    assert_eq!(dashboard, own);
}
