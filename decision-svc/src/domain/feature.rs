//! What a decision knew of its customer: the values of the flow's features. They follow from the
//! case alone, so both arms of an experiment have them alike, and replay finds the same.

use formula::{Moment, Value};

use crate::domain::{
    case::Case,
    compile::{CompiledFlow, Feature, Takes},
    effect::EffectModel,
    evaluate::Customer,
    facts::Facts,
    scalar::{Fields, Scalar},
    score::{OnlineInput, OnlineModel, OnlinePropensity, OnlineScorer, Uplift},
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
    let is_private = private(case, catalog);
    let mut features = flow.features(&case.inputs(), &mut Workspace::default());
    for feature in &flow.features {
        if feature.fields.iter().any(&is_private) {
            features.remove(&feature.name);
        }
    }
    features
}

/// What the online model learns of a case: without what `catalog`, the newest there is, calls
/// private.
pub fn online_input(case: &Case, catalog: &Catalog) -> OnlineInput {
    let is_private = private(case, catalog);
    let may_leave = |feature: &&Feature| !feature.fields.iter().any(&is_private);
    let names = case.configuration.flow.features.iter().filter(may_leave);
    OnlineInput::encode(names.map(|feature| feature.name.as_str()), &sent(case, catalog))
}

/// Says which fields of the record are private, or the customer's time zone.
fn private(case: &Case, catalog: &Catalog) -> impl Fn(&String) -> bool {
    let schema = catalog.schema(case.configuration.flow.flow.schema());
    let zone = case.facts.timezone_source.strip_prefix("customer.");
    move |field: &String| {
        zone == Some(field) || schema.is_some_and(|schema| schema.private.contains(field))
    }
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

    /// The online model with the features of these facts, where there is one.
    pub fn online_scorer(
        &self,
        model: Option<&OnlineModel>,
        facts: &Facts<'_>,
        workspace: &mut Workspace,
    ) -> Option<OnlineScorer> {
        let (model, online) = (model?, self.flow.learning.online_propensity);
        let features = self.features(facts, workspace);
        let names = self.features.iter().map(|feature| feature.name.as_str());
        let input = OnlineInput::encode(names, &features);
        Some(model.scorer(&input, online == OnlinePropensity::Active))
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
