//! Kubernetes resources as the chart renders them.

use serde::Deserialize as _;
use serde_json::Value;

use super::tool;

/// The chart's folder below the root.
pub const CHART: &str = "deploy/helm/proffer";

/// The resources of a text with several documents.
pub fn parse(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let values = documents.map(|document| Value::deserialize(document).unwrap());
    values.filter(|value| !value.is_null()).collect()
}

/// The text that the chart renders with this file of values.
pub fn rendered(values: &str) -> String {
    let mut helm = tool::command("helm");
    helm.args(["template", "proffer", CHART, "--namespace", "proffer", "--values"]).arg(values);
    tool::output(&mut helm)
}

/// The resources that the chart renders with one of the sets of values in `ci/`.
pub fn resources(set: &str) -> Vec<Value> {
    parse(&rendered(&format!("{CHART}/ci/{set}.yaml")))
}

/// The files of a folder of the chart, by name.
pub fn files(folder: &str) -> Vec<String> {
    let folder = format!("{CHART}/{folder}");
    let entries = std::fs::read_dir(tool::root().join(&folder)).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap())
    };
    let mut files: Vec<_> = entries.map(name).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

/// The sets of values in `ci/`.
pub fn sets() -> Vec<String> {
    let name = |file: String| {
        file.trim_end_matches(".yaml").rsplit('/').next().unwrap_or_default().to_owned()
    };
    files("ci").into_iter().map(name).collect()
}

/// The resources of a kind.
pub fn of<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    resources.iter().filter(|resource| resource["kind"] == kind).collect()
}

/// The resource of this kind and name.
#[track_caller]
pub fn named<'a>(resources: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = of(resources, kind).into_iter().find(|one| name_of(one) == name);
    found.unwrap_or_else(|| panic!("no {kind} `{name}`"))
}

/// `metadata.name`.
pub fn name_of(resource: &Value) -> &str {
    resource["metadata"]["name"].as_str().unwrap_or_default()
}

/// A process of the release: its Deployment, or the Job that migrates.
#[derive(Debug)]
pub struct Pod<'a> {
    /// Name of its container: `gateway`, `policy`, `migrate`.
    pub name: &'a str,
    /// The whole resource.
    pub resource: &'a Value,
    /// Labels of the pod.
    pub labels: &'a Value,
    /// Its specification.
    pub spec: &'a Value,
    /// Its one container.
    pub container: &'a Value,
}

impl Pod<'_> {
    /// The variables with a value.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variables = self.container["env"].as_array().into_iter().flatten();
        let pair = |one: &Value| {
            let (name, value) = (one["name"].as_str()?, one["value"].as_str()?);
            Some((name.to_owned(), value.to_owned()))
        };
        variables.filter_map(pair).collect()
    }

    /// The named port of the container.
    pub fn port(&self, name: &str) -> Option<u64> {
        let ports = self.container["ports"].as_array()?;
        ports.iter().find(|port| port["name"] == name)?["containerPort"].as_u64()
    }

    /// The port at which it serves: `http` of the process that callers reach, `grpc` of the others.
    pub fn serving(&self) -> Option<u64> {
        self.port("http").or_else(|| self.port("grpc"))
    }
}

/// Every pod that the resources start.
pub fn pods(resources: &[Value]) -> Vec<Pod<'_>> {
    let owners = resources.iter().filter(|one| one["spec"]["template"].is_object());
    owners
        .map(|resource| {
            let template = &resource["spec"]["template"];
            let containers = template["spec"]["containers"].as_array().unwrap();
            assert_eq!(containers.len(), 1, "{resource}");
            let container = &containers[0];
            Pod {
                name: container["name"].as_str().unwrap(),
                resource,
                labels: &template["metadata"]["labels"],
                spec: &template["spec"],
                container,
            }
        })
        .collect()
}

/// True when `labels` have all of `selector`.
pub fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().unwrap();
    !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// The texts of a list.
pub fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
}
