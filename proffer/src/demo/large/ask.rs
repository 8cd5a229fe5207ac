//! Asks about every customer, and about some of them once more when a model is active.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, Customer, configuration::FLOW};
use crate::demo::{
    effect_model::{Bin, Model},
    http::read,
    progress,
};

/// Questions per call.
const QUESTIONS: usize = 100;
/// Customers who are asked about again, at most.
const AGAIN_MAX: usize = 5_000;

/// A decision that contacted a customer; none for one who was held out.
pub type Contacted = Option<String>;

/// A customer, and what the model says.
#[derive(Clone, Debug)]
pub struct Scored<'a> {
    /// The customer.
    pub customer: &'a Customer,
    /// What the model says.
    pub trace: Trace,
    /// The bin of the customer.
    pub bin: &'a Bin,
}

/// What the trace of an offer says about effects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trace {
    /// Change of the conversion probability by contact.
    pub cate: Option<f64>,
    /// The word for it.
    pub uplift_segment: String,
    /// The model that says so.
    pub effect_model: Used,
}

/// What the model says of the bin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Used {
    /// 95 % interval of the mean effect of the bin.
    pub ci95: Vec<f64>,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<One>,
}

/// A decision, or why there is none.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct One {
    decision_id: Option<String>,
    decisions: Vec<Offered>,
    error: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Offered {
    trace: Trace,
}

/// Decides about every customer, in their order.
pub async fn everyone(api: &Api, customers: &[Customer]) -> anyhow::Result<Vec<Contacted>> {
    let bar = progress::bar("deciding", customers.len());
    let mut contacted = Vec::with_capacity(customers.len());
    for some in customers.chunks(QUESTIONS) {
        let question = |it: &Customer| json!({"customerId": it.id, "channel": "web", "flow": FLOW});
        for decision in decisions(api, some.iter().map(question)).await? {
            let is_offered = !decision.decisions.is_empty();
            contacted.push(decision.decision_id.filter(|_| is_offered));
        }
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(contacted)
}

/// Asks about the first customers without contacting them, with the configuration of `revision`.
/// Who is held out has no offer, and is left out.
pub async fn again<'a>(
    api: &Api,
    customers: &'a [Customer],
    (model, revision): (&'a Model, &str),
) -> anyhow::Result<Vec<Scored<'a>>> {
    let customers = customers.get(..AGAIN_MAX).unwrap_or(customers);
    let mut scored = Vec::with_capacity(customers.len());
    for some in customers.chunks(QUESTIONS) {
        let question = |it: &Customer| {
            json!({"customerId": it.id, "channel": "web", "flow": FLOW, "dryRun": true,
                "contact": false, "minRevision": [revision]})
        };
        let decided = decisions(api, some.iter().map(question)).await?;
        for (customer, decision) in some.iter().zip(decided) {
            let Some(Offered { trace }) = decision.decisions.into_iter().next() else { continue };
            let of_bin = |bin: &&Bin| trace.effect_model.ci95 == [bin.low, bin.high];
            let bin = model.bins().iter().find(of_bin);
            let bin = bin.with_context(|| format!("{} is in no bin", customer.id))?;
            scored.push(Scored { customer, trace, bin });
        }
    }
    Ok(scored)
}

async fn decisions(api: &Api, questions: impl Iterator<Item = Value>) -> anyhow::Result<Vec<One>> {
    let body = json!({"requests": questions.collect::<Vec<_>>()});
    let answer: Answer = read(&api.post("/api/v1/recommend/batch", &body).await?)?;
    let refused = answer.results.iter().find_map(|one| one.error.as_ref());
    anyhow::ensure!(refused.is_none(), "a question was refused: {refused:?}");
    Ok(answer.results)
}
