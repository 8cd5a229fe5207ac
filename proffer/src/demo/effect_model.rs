//! Learns from an experiment whom contact moves, or says why that cannot be learned.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{Api, read};

/// What was learned, or why nothing was.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Model {
    /// Id.
    pub id: String,
    /// The rows.
    pub training: Training,
    /// Absent when no model ranks.
    pub fit: Option<Fit>,
    /// Why there is none.
    pub why: Vec<String>,
    /// How far it can be believed.
    #[serde(skip)]
    pub card: Card,
}

/// What decisions use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fit {
    /// By predicted effect.
    pub bins: Vec<Bin>,
}

/// A bin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Bin {
    /// Its number; bin 10 has the largest predicted effects.
    pub bin: u32,
    /// 95 % interval of the mean effect.
    pub low: f64,
    /// Its other end.
    pub high: f64,
}

/// The rows that were learned from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Training {
    /// How many.
    pub rows: i64,
    /// Customers who are in no row, by reason.
    pub left_out: Vec<LeftOut>,
}

/// Customers who are in no row.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LeftOut {
    /// Why.
    pub reason: String,
    /// How many.
    pub rows: i64,
}

/// How far a model can be believed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Card {
    /// Area of the Qini curve per treated customer.
    pub qini: Figure,
    /// Slope of the best linear predictor.
    pub slope: Figure,
}

/// A figure with its standard error.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

impl Model {
    /// True when decisions can use it.
    pub fn is_learned(&self) -> bool {
        self.fit.is_some()
    }

    /// Its bins.
    pub fn bins(&self) -> &[Bin] {
        self.fit.as_ref().map_or(&[], |fit| &fit.bins)
    }
}

/// Learns from the experiment.
pub async fn learn(api: &Api, experiment: &str) -> anyhow::Result<Model> {
    let body = json!({"experimentId": experiment});
    let mut model: Model = read(&api.post("/api/v1/effect-models:train", &body).await?)?;
    if model.is_learned() {
        model.card = api.get(&format!("/api/v1/effect-models/{}/card", model.id)).await?;
    }
    Ok(model)
}

/// Lets decisions use a model; gives the configuration from which on they do.
pub async fn activate(api: &Api, id: &str) -> anyhow::Result<String> {
    let path = format!("/api/v1/effect-models/{id}");
    let stored: Value = read(&api.patch(&path, &json!({"status": "active"})).await?)?;
    let revision = stored.get("revision").context("the model has no revision")?;
    let revision = revision.as_str().map_or_else(|| revision.to_string(), str::to_owned);
    Ok(format!("experiment:{revision}"))
}

/// Deletes a model.
pub async fn forget(api: &Api, id: &str) -> anyhow::Result<()> {
    api.delete(&format!("/api/v1/effect-models/{id}")).await
}
