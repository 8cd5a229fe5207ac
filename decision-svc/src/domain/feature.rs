//! What a decision knew of its customer: the values of the flow's features. They follow from the
//! case alone, so both arms of an experiment have them alike, and replay finds the same.

use formula::{Moment, Value};

use crate::domain::{
    case::Case,
    compile::{CompiledFlow, Takes},
    effect::EffectModel,
    evaluate::Customer,
    facts::Facts,
    scalar::{Fields, Scalar},
    score::Uplift,
    scratch::Workspace,
    snapshot::Catalog,
};

/// Characters of a text; further ones are cut off.
const TEXT_MAX: usize = 100;
/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;

/// The features of a case as they may leave it: without what `catalog`, the newest there is, calls
/// private, though the flow was compiled for an older one.
pub fn sent(case: &Case, catalog: &Catalog) -> Fields {
    if case.obstacle().is_some() {
        return Fields::new();
    }
    let flow = &case.configuration.flow;
    let mut features = flow.features(&case.inputs(), &mut Workspace::default());
    let schema = catalog.schema(flow.flow.schema());
    let zone = case.facts.timezone_source.strip_prefix("customer.");
    let is_private = |field: &String| {
        zone == Some(field) || schema.is_some_and(|schema| schema.private.contains(field))
    };
    for feature in &flow.features {
        if feature.fields.iter().any(is_private) {
            features.remove(&feature.name);
        }
    }
    features
}

impl CompiledFlow {
    /// What each effect model of the flow says of a customer, by index. Those about money are asked
    /// only where the flow compares money.
    pub fn uplifts(
        &self,
        customer_id: &str,
        facts: &Facts<'_>,
        workspace: &mut Workspace,
    ) -> Vec<Option<Uplift>> {
        let compares_money = self.flow.min_uplift().is_some_and(|gate| gate.value_e4.is_none());
        let is_asked = |model: &EffectModel| compares_money || !model.model.in_money;
        if !self.effects.models.iter().any(|model| is_asked(model)) {
            return Vec::new();
        }
        self.effects.uplifts(customer_id, &self.features(facts, workspace), is_asked)
    }

    /// The features of these facts, by name; what is missing is left out. What an earlier
    /// evaluation left in the workspace has no effect.
    pub fn features(&self, facts: &Facts<'_>, workspace: &mut Workspace) -> Fields {
        let Workspace { record, scratch } = workspace;
        self.take_in(facts.record, record);
        let customer = Customer { facts, record };
        scratch.begin(self.room());
        let mut features = Fields::new();
        for feature in &self.features {
            let datum = self.fill(feature.register, &customer, scratch).datum();
            let texts = self.constants.texts(customer.record, &scratch.memory);
            let value = texts.value(datum, &|_| String::new());
            if let Some(value) = scalar(&value, feature.takes, facts.moment) {
                features.insert(feature.name.clone(), value);
            }
        }
        features
    }
}

/// A value as a feature: a date is the days from it to the decision.
fn scalar(value: &Value, takes: Takes, moment: &Moment) -> Option<Scalar> {
    match value {
        Value::Number(number) if !number.is_finite() => None,
        Value::Number(_) | Value::Exact(_) => Scalar::shown(value),
        Value::Null(_) => None,
        _ if takes == Takes::Numbers => None,
        Value::Boolean(is) => Some(Scalar::Boolean(*is)),
        Value::Date(date) => {
            let days = moment.today().signed_duration_since(*date).num_days();
            Some(Scalar::Integer(days))
        }
        Value::Timestamp(at) => {
            let passed = moment.now.signed_duration_since(*at).num_milliseconds();
            Some(Scalar::Double(passed as f64 / DAY_MS))
        }
        Value::String(_) if takes == Takes::NoText => None,
        Value::String(text) => Some(Scalar::String(text.chars().take(TEXT_MAX).collect())),
    }
}

#[cfg(test)]
mod tests;
