//! The method and the gate of a `score` node.

use std::ops::RangeInclusive;

use formula::Formula;
use proffer_proto::{decision::v1 as proto, values::v1::Reference};
use wire::{
    amount::{self, PARTS},
    named::MODEL,
    reference::meant,
};

use super::{Fault, fault};
use crate::domain::{
    min_uplift::MinUplift,
    score::{NamedModel, ScoreMethod},
    step::Score,
};

/// Bounds of what an outcome is worth, in 1/10,000 of the currency.
const VALUE: RangeInclusive<i64> = 1..=1_000_000_000 * PARTS;

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
    let min_uplift = found.min_uplift.as_ref().map(min_uplift).transpose()?;
    Ok(Score { method, min_uplift })
}

fn min_uplift(found: &proto::MinUplift) -> Result<MinUplift, Fault> {
    let value_e4 = found.value.as_ref().map(|value| amount::read(value, VALUE)).transpose();
    let value_e4 = value_e4.map_err(|fault_of| {
        let help = "what one more positive outcome is worth; leave it out to compare with the \
                    effect in money of a model of revenue";
        fault("config.min_uplift.value", format!("{fault_of}: {help}"))
    })?;
    Ok(MinUplift { value_e4: value_e4.flatten() })
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
