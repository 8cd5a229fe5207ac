//! What an effect model says of a customer.

use std::sync::Arc;

use uplift::{Value, fold_of};

use super::Uplift;
use crate::domain::{
    effect::{EffectModel, Effects},
    scalar::{Fields, Scalar},
};

impl Effects {
    /// What each model says of a customer with these features, by index; nothing of those that are
    /// not asked.
    pub fn uplifts(
        &self,
        customer_id: &str,
        features: &Fields,
        is_asked: impl Fn(&EffectModel) -> bool,
    ) -> Vec<Option<Uplift>> {
        let fold = fold_of(customer_id);
        let of = |model: &Arc<EffectModel>| {
            is_asked(model).then(|| model.uplift(fold, features)).flatten()
        };
        self.models.iter().map(of).collect()
    }
}

impl EffectModel {
    /// What it says of a customer of this fold; none when nothing finite can be said.
    fn uplift(&self, fold: usize, features: &Fields) -> Option<Uplift> {
        let known = |column: &uplift::Column| features.get(&column.field.name).and_then(value);
        let values: Vec<Option<Value>> = self.encoding.columns.iter().map(known).collect();
        let found = self.model.predict(fold, &self.encoding.apply(&values))?;
        let [low, high] = found.bin.interval;
        Some(Uplift {
            effect: found.effect,
            interval: (low, high),
            helps: found.bin.helps,
            baseline: found.baseline,
            segment: found.segment,
            model_revision: self.revision,
        })
    }
}

/// A feature as models read it: a boolean is 0 or 1.
fn value(scalar: &Scalar) -> Option<Value> {
    Some(match scalar {
        Scalar::String(text) => Value::Text(text.clone()),
        Scalar::Boolean(is) => Value::Number(f64::from(u8::from(*is))),
        Scalar::Integer(_) | Scalar::Double(_) | Scalar::Decimal(_) => {
            Value::Number(scalar.number()?.to_double())
        }
        Scalar::List(_) => return None,
    })
}
