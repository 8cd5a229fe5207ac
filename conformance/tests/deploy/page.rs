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

/// The commands in text fences need Docker or a registry. Each is one of Docker's, and the files,
/// profiles and tags that they name exist.
#[test]
fn every_command_of_the_kubernetes_page_that_cannot_run_here_names_what_exists() {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let fences = page.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines: Vec<_> = fences.flat_map(str::lines).collect();
    assert!(lines.len() >= 3, "{lines:?}");
    let compose = std::fs::read_to_string(root().join("deploy/compose.yaml")).unwrap();
    let compose: serde_json::Value = serde_yaml_ng::from_str(&compose).unwrap();
    let profiles: Vec<_> = compose["services"].as_object().unwrap().values().collect();
    let mut built = None;
    for line in lines {
        let words: Vec<_> = line.split(' ').collect();
        assert_eq!(words[0], "docker", "`{line}` can run here: fence it as ```sh");
        for pair in words.windows(2) {
            match pair[0] {
                "-f" => assert!(root().join(pair[1]).exists(), "{line}: {}", pair[1]),
                "--profile" => {
                    let has = |service: &&&serde_json::Value| {
                        let own = service["profiles"].as_array();
                        own.is_some_and(|own| own.iter().any(|own| own == pair[1]))
                    };
                    assert!(profiles.iter().any(|it| has(&it)), "{line}: {}", pair[1]);
                }
                "-t" => built = Some(pair[1].to_owned()),
                "push" => assert_eq!(built.as_deref(), Some(pair[1]), "what was built is pushed"),
                _ => {}
            }
        }
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
