//! What every pod promises: no privileges, probes, limits, and time to end.

use std::time::Duration;

use serde_json::{Value, json};

use super::manifest::{Pod, pods, resources, sets};

/// Calls `check` with every pod of every set of values.
fn each_pod(check: impl Fn(&str, &Pod<'_>)) {
    let mut seen = 0;
    for set in sets() {
        let resources = resources(&set);
        for pod in pods(&resources) {
            check(&set, &pod);
            seen += 1;
        }
    }
    assert!(seen >= 14, "{seen}");
}

/// The restricted level of the Pod Security Standards, and a root that nothing writes to.
#[test]
fn pods_are_restricted_write_nowhere_and_have_no_token() {
    each_pod(|set, pod| {
        let place = format!("{set}: {}", pod.name);
        let security = &pod.spec["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{place}");
        assert_eq!(security["runAsUser"], 65532, "{place}");
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{place}");
        assert_eq!(pod.spec["automountServiceAccountToken"], false, "{place}");
        assert_eq!(pod.spec["enableServiceLinks"], false, "{place}");
        for host in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(pod.spec[host], Value::Null, "{place}");
        }
        let expected = json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(pod.container["securityContext"], expected, "{place}");
        let mounts = pod.container["volumeMounts"].as_array().into_iter().flatten();
        let writable: Vec<_> = mounts
            .filter(|mount| mount["readOnly"] != true)
            .map(|mount| mount["mountPath"].as_str().unwrap())
            .collect();
        let expected: &[&str] = if set == "sqlite" { &["/data", "/tmp"] } else { &[] };
        assert_eq!(writable, expected, "{place}");
    });
}

#[test]
fn every_container_has_requests_and_limits() {
    each_pod(|set, pod| {
        for kind in ["requests", "limits"] {
            for of in ["cpu", "memory"] {
                let found = &pod.container["resources"][kind][of];
                assert!(found.is_string(), "{set}: {} has no {kind} of {of}", pod.name);
            }
        }
    });
}

/// Liveness never depends on a store or neighbor: a restart would not bring it back.
#[test]
fn readiness_is_asked_over_grpc_and_liveness_at_the_admin_address() {
    each_pod(|set, pod| {
        if pod.name == "migrate" {
            return;
        }
        let (place, container) = (format!("{set}: {}", pod.name), pod.container);
        assert_eq!(container["readinessProbe"]["grpc"]["port"].as_u64(), pod.serving(), "{place}");
        let live = json!({"path": "/livez", "port": "admin"});
        assert_eq!(container["livenessProbe"]["httpGet"], live, "{place}");
        assert_eq!(container["startupProbe"]["httpGet"], live, "{place}");
        assert!(pod.port("admin").is_some(), "{place}");
    });
}

/// A pod serves through the drain delay and ends its calls within the drain timeout. Kubernetes
/// waits longer than both. The process itself waits, so no hook is needed before the stop.
#[test]
fn a_pod_has_time_to_drain_before_it_is_killed() {
    /// Time for background tasks and blocking threads after the listeners have ended.
    const LEAVE: Duration = Duration::from_secs(2);
    let drain = serve::Limits::default().drain_timeout;
    each_pod(|set, pod| {
        if pod.name == "migrate" {
            return;
        }
        let place = format!("{set}: {}", pod.name);
        let environment = pod.environment();
        let delay = environment.iter().find(|(name, _)| name == "PROFFER_DRAIN_DELAY_MS");
        let delay = Duration::from_millis(delay.expect(&place).1.parse().unwrap());
        assert!(delay >= Duration::from_secs(5), "{place}: {delay:?}");
        let grace = pod.spec["terminationGracePeriodSeconds"].as_u64().unwrap();
        let grace = Duration::from_secs(grace);
        assert!(grace >= delay + drain + LEAVE, "{place}: {grace:?} < {delay:?} + {drain:?}");
        assert_eq!(pod.container["lifecycle"], Value::Null, "{place}");
        // One more pod starts before an old one stops.
        let rolling = json!({"maxSurge": 1, "maxUnavailable": 0});
        let strategy = &pod.resource["spec"]["strategy"];
        if set == "sqlite" {
            assert_eq!(strategy["type"], "Recreate", "{place}");
        } else {
            assert_eq!(strategy["rollingUpdate"], rolling, "{place}");
        }
    });
}

#[test]
fn pods_spread_over_zones_and_nodes() {
    each_pod(|set, pod| {
        if pod.name == "migrate" {
            return;
        }
        let constraints = pod.spec["topologySpreadConstraints"].as_array().unwrap();
        let keys: Vec<_> = constraints.iter().map(|one| one["topologyKey"].clone()).collect();
        assert_eq!(keys, ["topology.kubernetes.io/zone", "kubernetes.io/hostname"], "{set}");
        let when = if set == "everything" { "DoNotSchedule" } else { "ScheduleAnyway" };
        assert!(constraints.iter().all(|one| one["whenUnsatisfiable"] == when), "{set}");
    });
}

/// The URL of the database has a password. It comes from a Secret that others made, as a file.
#[test]
fn secrets_are_references_and_no_resource_holds_one() {
    for set in sets() {
        let resources = resources(&set);
        assert!(resources.iter().all(|one| one["kind"] != "Secret"), "{set}");
        let text = serde_json::to_string(&resources).unwrap();
        assert!(!text.contains("postgres://"), "{set}");
    }
    let resources = resources("everything");
    let of = |name: &str| {
        let pods = pods(&resources);
        let pod = pods.iter().find(|pod| pod.name == name).unwrap();
        pod.spec["volumes"][0]["secret"].clone()
    };
    let secret = |name: &str, key: &str| {
        let items = json!([{"key": key, "path": "url"}]);
        json!({"secretName": name, "defaultMode": 288, "items": items})
    };
    assert_eq!(of("policy"), secret("proffer-database", "application"));
    assert_eq!(of("migrate"), secret("proffer-owner", "owner"));
    assert_eq!(of("gateway"), Value::Null);
}
