//! The method of a `score` node.

use formula::Formula;
use proffer_proto::{decision::v1 as proto, values::v1::Reference};
use wire::{named::MODEL, reference::meant};

use super::{Fault, fault};
use crate::domain::{
    score::{NamedModel, ScoreMethod},
    step::Score,
};

/// The node, or its first fault.
pub(super) fn parse(found: &proto::ScoreNode, known: &[Reference]) -> Result<Score, Fault> {
    let Ok(named) = proto::ScoreMethod::try_from(found.method) else {
        let message = "must be one of propensity, priority, formula, model";
        return Err(fault("config.method", message));
    };
    let method = match named {
        proto::ScoreMethod::Unspecified | proto::ScoreMethod::Propensity => ScoreMethod::Propensity,
        proto::ScoreMethod::Priority => ScoreMethod::Priority,
        proto::ScoreMethod::Formula => formula(found)?,
        proto::ScoreMethod::Model => model(found, known)?,
    };
    let settings = [
        ("config.formula", &found.formula, "formula", proto::ScoreMethod::Formula),
        ("config.model", &found.model, "model", proto::ScoreMethod::Model),
    ];
    for (field, text, of_method, owner) in settings {
        if owner != named && !text.trim().is_empty() {
            let message = format!("is for method `{of_method}` alone; leave it out");
            return Err(fault(field, message));
        }
    }
    Ok(Score { method })
}

fn formula(found: &proto::ScoreNode) -> Result<ScoreMethod, Fault> {
    if found.formula.trim().is_empty() {
        return Err(fault("config.formula", "is required with method `formula`"));
    }
    Formula::names(&found.formula).map_err(|error| fault("config.formula", error.to_string()))?;
    // The text is kept as it was written, and so are the positions in later faults.
    Ok(ScoreMethod::Formula(found.formula.clone()))
}

fn model(found: &proto::ScoreNode, known: &[Reference]) -> Result<ScoreMethod, Fault> {
    if found.model.trim().is_empty() {
        let message = "is required with method `model`: id or name of a model";
        return Err(fault("config.model", message));
    }
    Ok(ScoreMethod::Model(NamedModel { reference: meant(known, MODEL, &found.model), found: None }))
}
