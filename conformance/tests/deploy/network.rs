//! Who may reach whom: settings, Services and network policies agree.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::manifest::{Pod, name_of, named, of, pods, resources, selects};

/// A call between two processes, and the port of the one that answers.
type Call = (String, String, u64);

/// The calls that the settings name: each URL leads to a Service, the Service to a pod and a port
/// of its container.
fn calls_of_settings(resources: &[Value]) -> BTreeSet<Call> {
    let pods = pods(resources);
    let mut calls = BTreeSet::new();
    for pod in &pods {
        for (name, url) in pod.environment().iter().filter(|(name, _)| name.ends_with("_URL")) {
            let host = url.strip_prefix("http://").unwrap();
            let (host, port) = host.split_once(':').unwrap();
            let service = named(resources, "Service", host);
            let port: u64 = port.parse().unwrap();
            let ports = service["spec"]["ports"].as_array().unwrap();
            let target = ports.iter().find(|one| one["port"] == port);
            let target = target.unwrap_or_else(|| panic!("{name}: {host} has no port {port}"));
            let target = target["targetPort"].as_str().unwrap();
            let behind = |one: &&Pod<'_>| selects(&service["spec"]["selector"], one.labels);
            let callee = pods.iter().find(behind).unwrap();
            let port = callee.port(target).unwrap();
            // PROFFER_GATEWAY_POLICY_URL is the address of `policy`.
            let named = name.trim_end_matches("_URL").rsplit('_').next().unwrap().to_lowercase();
            assert_eq!(named, callee.name, "{name}");
            calls.insert((pod.name.to_owned(), callee.name.to_owned(), port));
        }
    }
    calls
}

/// The calls that the policies of one direction allow.
fn calls_of_policies(resources: &[Value], direction: &str, peers: &str) -> BTreeSet<Call> {
    let pods = pods(resources);
    let named = |selector: &Value| -> Vec<&str> {
        let is_meant = |pod: &&Pod<'_>| selects(&selector["matchLabels"], pod.labels);
        pods.iter().filter(is_meant).map(|pod| pod.name).collect()
    };
    let mut calls = BTreeSet::new();
    for policy in of(resources, "NetworkPolicy") {
        let own = named(&policy["spec"]["podSelector"]);
        for rule in policy["spec"][direction].as_array().into_iter().flatten() {
            let ports: Vec<_> = rule["ports"].as_array().unwrap().iter().collect();
            let inside = |peer: &&Value| {
                peer.get("namespaceSelector").is_none() && peer.get("podSelector").is_some()
            };
            let rule = rule[peers].as_array().into_iter().flatten().filter(inside);
            let others: Vec<_> = rule.flat_map(|peer| named(&peer["podSelector"])).collect();
            for (own, other) in own.iter().flat_map(|own| others.iter().map(move |it| (own, it))) {
                let (from, to) = if direction == "egress" { (own, other) } else { (other, own) };
                let to_port = |port: &&Value| {
                    ((*from).to_owned(), (*to).to_owned(), port["port"].as_u64().unwrap())
                };
                calls.extend(ports.iter().map(to_port));
            }
        }
    }
    calls
}

#[test]
fn the_network_policies_allow_the_calls_that_the_settings_name_and_no_others() {
    for set in ["five-services", "everything"] {
        let resources = resources(set);
        let named = calls_of_settings(&resources);
        assert_eq!(named.len(), 11, "{named:?}");
        assert_eq!(calls_of_policies(&resources, "ingress", "from"), named, "{set}");
        assert_eq!(calls_of_policies(&resources, "egress", "to"), named, "{set}");
    }
}

/// Everything is denied that no policy allows.
#[test]
fn every_pod_is_denied_what_no_policy_allows() {
    for set in ["five-services", "everything", "all-in-one"] {
        let resources = resources(set);
        let deny = named(&resources, "NetworkPolicy", "proffer-deny");
        assert_eq!(deny["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        assert_eq!(
            (&deny["spec"]["ingress"], &deny["spec"]["egress"]),
            (&Value::Null, &Value::Null)
        );
        for pod in pods(&resources) {
            let selector = &deny["spec"]["podSelector"]["matchLabels"];
            assert!(selects(selector, pod.labels), "{set}: {}", pod.name);
            let own = format!("proffer-{}", pod.name);
            let own = named(&resources, "NetworkPolicy", &own);
            assert_eq!(own["spec"]["policyTypes"], json!(["Ingress", "Egress"]), "{set}");
        }
    }
}

/// The ports beyond the neighbors: DNS for all, PostgreSQL for those with a store, the collector
/// for those that are to send traces.
#[test]
fn pods_reach_dns_and_what_their_settings_need_outside() {
    for (set, database, collector) in [
        ("five-services", 5432, None),
        ("everything", 6432, Some(4318)),
        ("all-in-one", 5432, None),
    ] {
        let resources = resources(set);
        let neighbors = calls_of_policies(&resources, "egress", "to");
        for pod in pods(&resources) {
            let policy = named(&resources, "NetworkPolicy", &format!("proffer-{}", pod.name));
            let rules = policy["spec"]["egress"].as_array().unwrap();
            let ports = rules.iter().flat_map(|rule| rule["ports"].as_array().unwrap());
            let mut found: BTreeSet<_> = ports.map(|port| port["port"].as_u64().unwrap()).collect();
            for (_, _, port) in neighbors.iter().filter(|(caller, _, _)| caller == pod.name) {
                found.remove(port);
            }
            let has = |name: &str| pod.environment().iter().any(|(own, _)| own == name);
            let mut expected = BTreeSet::from([53]);
            expected.extend(has("PROFFER_DATABASE_URL_FILE").then_some(database));
            expected.extend(collector.filter(|_| has("PROFFER_OTLP_ENDPOINT")));
            assert_eq!(found, expected, "{set}: {}", pod.name);
        }
    }
}

#[test]
fn callers_reach_the_gateway_alone_and_prometheus_the_admin_ports() {
    let resources = resources("everything");
    for pod in pods(&resources) {
        let policy = named(&resources, "NetworkPolicy", &format!("proffer-{}", pod.name));
        let outside = |place: &str| {
            let label = json!({"matchLabels": {"kubernetes.io/metadata.name": place}});
            let rules = policy["spec"]["ingress"].as_array().into_iter().flatten();
            let from = rules.filter(|rule| rule["from"][0]["namespaceSelector"] == label);
            from.map(|rule| rule["ports"][0]["port"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        let is_door = pod.name == "gateway";
        let expected: Vec<_> = pod.serving().filter(|_| is_door).into_iter().collect();
        assert_eq!(outside("ingress"), expected, "{}", pod.name);
        let admin: Vec<_> = pod.port("admin").into_iter().collect();
        assert_eq!(outside("monitoring"), admin, "{}", pod.name);
    }
}

/// REST is refused under a name that is not listed, so the names of the Service are.
#[test]
fn the_gateway_may_be_called_by_every_name_of_its_service() {
    for (set, door) in [("five-services", "gateway"), ("all-in-one", "proffer")] {
        let resources = resources(set);
        let pods = pods(&resources);
        let pod = pods.iter().find(|pod| pod.name == door).unwrap();
        let service = name_of(named(&resources, "Service", name_of(pod.resource)));
        let environment = pod.environment();
        let listed = environment.iter().find(|(name, _)| name == "PROFFER_ALLOWED_HOSTS").unwrap();
        let hosts = serve::Hosts::new(listed.1.split(',').map(str::to_owned));
        for end in ["", ".proffer", ".proffer.svc", ".proffer.svc.cluster.local"] {
            assert!(hosts.knows(&format!("{service}{end}:8080")), "{service}{end}");
        }
    }
}
