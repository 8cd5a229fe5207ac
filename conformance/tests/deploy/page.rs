//! The commands of the Kubernetes page. Those that need a cluster or a registry run as far as they
//! can without: an install as a dry run, an upgrade and an overlay as rendering.

use std::process::Command;

use super::tool::{output, root, with_tools};

const PAGE: &str = "docs/kubernetes.md";

/// The commands in shell fences. A command goes on after a backslash.
fn commands(page: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut is_shell, mut goes_on) = (false, false);
    for line in page.lines() {
        if line.starts_with("```") {
            is_shell = line == "```sh";
            goes_on = false;
        } else if is_shell && !line.trim().is_empty() && !line.starts_with('#') {
            match found.last_mut() {
                Some(last) if goes_on => last.extend(["\n", line]),
                _ => found.push(line.to_owned()),
            }
            goes_on = line.ends_with('\\');
        }
    }
    found
}

/// The command as it runs without a cluster, and the kind that it is.
fn without_cluster(shown: &str) -> (&'static str, String) {
    let with = |kind, after: &str| (kind, format!("{shown} {after}"));
    match shown.split_whitespace().take(2).collect::<Vec<_>>()[..] {
        ["helm", "install"] => with("helm install", "--dry-run=client"),
        ["helm", "upgrade"] => ("helm upgrade", shown.replacen("upgrade", "template", 1)),
        ["kubectl", "create"] => with("kubectl create", "--dry-run=client --output yaml"),
        ["kubectl", "apply"] => {
            ("kubectl apply", shown.replacen("kubectl apply -k", "kubectl kustomize", 1))
        }
        ["kubectl", "kustomize"] => with("kubectl kustomize", ""),
        ["helm", "lint"] => with("helm lint", ""),
        ["helm", "template"] => with("helm template", ""),
        ["promtool", "test"] => with("promtool test", ""),
        _ => panic!("{PAGE}: no test runs `{shown}`: fence it as ```text, and say why"),
    }
}

#[test]
fn every_command_of_the_kubernetes_page_that_can_run_here_runs() {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let commands = commands(&page);
    let mut kinds: Vec<_> = Vec::new();
    for shown in &commands {
        let (kind, line) = without_cluster(shown);
        let printed = output(with_tools(Command::new("bash")).args(["-euc", &line]));
        assert!(!printed.is_empty(), "{shown}");
        kinds.push(kind);
    }
    for kind in ["helm install", "helm upgrade", "kubectl create", "kubectl apply"] {
        assert!(kinds.contains(&kind), "{PAGE} shows no `{kind}`");
    }
}

/// A value that the page or a comment names exists.
#[test]
fn every_value_that_the_kubernetes_page_names_is_one_of_the_chart() {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let values = std::fs::read_to_string(root().join("deploy/helm/proffer/values.yaml")).unwrap();
    let values = super::manifest::parse(&values).remove(0);
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let mut count = 0;
    for name in rows.filter_map(|row| row.split('`').nth(1)) {
        let name = name.replace("services.<name>.", "defaults.");
        let pointer = format!("/{}", name.replace('.', "/"));
        assert!(values.pointer(&pointer).is_some(), "{PAGE}: `{name}` is no value of the chart");
        count += 1;
    }
    assert!(count >= 15, "{count}");
}
