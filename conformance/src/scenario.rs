//! Scenario files.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

/// A list of calls and their answers, played on a fresh suite.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows.
    pub about: String,
    /// Another scenario whose steps come first.
    pub after: Option<String>,
    /// Variables, in order.
    #[serde(default)]
    pub variables: Vec<BTreeMap<String, Value>>,
    /// What is called and what must come back.
    pub steps: Vec<Step>,
}

/// One call, or a variable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it shows, for the report of a failure.
    pub name: Option<String>,
    /// `POST /api/v1/offers`.
    pub call: Option<String>,
    /// A call of a seed file instead: `winback-tutorial 3`.
    pub seed: Option<String>,
    /// JSON body.
    pub body: Option<Value>,
    /// The body is this file of `examples/` instead: `onboarding/01-schema.json`.
    pub example: Option<String>,
    /// HTTP status; 200 when left out.
    pub status: Option<u16>,
    /// What the body must look like.
    pub expect: Option<Value>,
    /// What the error must say.
    pub error: Option<ExpectedError>,
    /// Variables taken from the answer: name → dotted path.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// Variables set before the call.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Repeats the step with a variable counting from the first to the second number.
    pub each: Option<BTreeMap<String, [i64; 2]>>,
    /// Only when this is true.
    pub when: Option<String>,
    /// Only when this is false.
    pub unless: Option<String>,
    /// The step is taken once the clock has reached this instant.
    pub after_instant: Option<String>,
    /// Asked again until it is so, for what arrives by the outbox.
    #[serde(default)]
    pub eventually: bool,
    /// Only through these doors: a fault of the JSON text itself does not exist in gRPC.
    pub doors: Option<Vec<crate::door::DoorKind>>,
}

/// What an error must say. What a door cannot show is not compared.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    /// `INVALID_ARGUMENT` and so on.
    pub code: String,
    /// Reason of `google.rpc.ErrorInfo`.
    pub reason: Option<String>,
    /// Paths of wrong fields as REST writes them; each must be among the faults.
    #[serde(default)]
    pub fields: Vec<String>,
    /// A text the message must contain.
    pub message: Option<String>,
}

/// The folder of scenario files.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))
}

/// The folder of programmes as configuration.
pub fn examples() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"))
}

/// The body that `examples/` keeps under `file`.
pub fn example(file: &str) -> anyhow::Result<Value> {
    let path = examples().join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.to_owned())
}

/// Reads a scenario, with the steps that come first.
pub fn load(name: &str) -> anyhow::Result<Scenario> {
    let path = folder().join(format!("{name}.yaml"));
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut scenario: Scenario =
        serde_yaml_ng::from_str(&text).with_context(|| format!("{name}.yaml"))?;
    if let Some(first) = &scenario.after {
        let first = load(first)?;
        scenario.variables.splice(0..0, first.variables);
        scenario.steps.splice(0..0, first.steps);
    }
    Ok(scenario)
}
