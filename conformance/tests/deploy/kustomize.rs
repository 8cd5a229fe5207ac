//! The Kustomize base has what the chart renders. The chart is the source; `cargo xtask bless`
//! writes the base from it.

use std::collections::BTreeMap;

use super::{
    chart,
    manifest::{parse, rendered, texts},
    tool::{command, file, output, root, text},
};

const BASE: &str = "deploy/kustomize/base";
/// Lines that name Helm; they would be wrong without it.
const OF_HELM: [&str; 2] = ["helm.sh/chart:", "app.kubernetes.io/managed-by:"];

/// What the chart renders with the base's values, by the name of the template.
fn of_the_chart() -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in rendered("deploy/kustomize/values.yaml").lines() {
        if let Some(source) = line.strip_prefix("# Source: proffer/templates/") {
            source.clone_into(&mut name);
            let text = files.entry(name.clone()).or_default();
            text.push_str("---\n");
            continue;
        }
        let is_kept = !OF_HELM.iter().any(|own| line.trim_start().starts_with(own));
        if is_kept && line != "---" && !line.trim().is_empty() {
            files.entry(name.clone()).or_default().extend([line, "\n"]);
        }
    }
    files
}

#[test]
fn the_kustomize_base_is_the_golden_of_the_chart() {
    let rendered = of_the_chart();
    for (name, text) in &rendered {
        testkit::golden(file(&format!("kustomize/base/{name}")), text);
    }
    let mut expected: Vec<_> = rendered.into_keys().collect();
    // Helm does not make the namespace it installs into.
    expected.push("namespace.yaml".to_owned());
    let listed = parse(&text("kustomize/base/kustomization.yaml")).remove(0);
    let mut listed = texts(&listed["resources"]);
    expected.sort();
    listed.sort();
    assert_eq!(listed, expected);
    let there = std::fs::read_dir(root().join(BASE)).unwrap().count();
    assert_eq!(there, expected.len() + 1, "a file of {BASE} is in no list");
}

#[test]
fn kubectl_builds_base_and_example_and_the_result_is_valid() {
    let built = |folder: &str| output(command("kubectl").args(["kustomize", folder]));
    let (base, example) = (built(BASE), built("deploy/kustomize/example"));
    chart::valid(&[("base".to_owned(), base.clone()), ("example".to_owned(), example.clone())]);
    let count: usize = of_the_chart().values().map(|text| parse(text).len()).sum();
    assert_eq!(parse(&base).len(), count + 1);
    assert!(!base.contains("helm.sh/"), "{base}");
    // The example is the base with another namespace and image.
    let example = parse(&example);
    assert_eq!(example.len(), count + 1);
    for resource in &example {
        let namespace = &resource["metadata"]["namespace"];
        assert!(resource["kind"] == "Namespace" || namespace == "offers", "{resource}");
    }
    let images = example.iter().filter_map(|one| {
        one["spec"]["template"]["spec"]["containers"][0]["image"].as_str().map(str::to_owned)
    });
    for image in images {
        assert_eq!(image, "registry.example.com/proffer:0.1.0");
    }
}
