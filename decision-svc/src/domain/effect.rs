//! Effect models: what contact changes, learned by experiment-svc from an experiment on the flow.

use std::sync::Arc;

use uplift::{Encoding, Model};

/// A model as experiment-svc published it.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectModel {
    /// Its id.
    pub id: String,
    /// Its version among those of its experiment and metric.
    pub version: i32,
    /// Revision of experiment-svc's log that wrote it.
    pub revision: i64,
    /// The category whose offers it scores; empty for all.
    pub category_id: String,
    /// True when its scores are recorded and not used.
    pub is_shadow: bool,
    /// How features become numbers.
    pub encoding: Encoding,
    /// What was learned.
    pub model: Model,
}

/// The effect models of a flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Revision of experiment-svc's log that last changed one of them; 0 when there is none.
    pub revision: i64,
    /// Active ones and those in the shadow.
    pub models: Vec<Arc<EffectModel>>,
}

impl Effects {
    /// Index of the model that scores offers of a category: its own, else the one for all.
    pub fn of(&self, category_id: &str) -> Option<usize> {
        let scores = |category: &str| {
            let is_it = |it: &Arc<EffectModel>| !it.is_shadow && it.category_id == category;
            self.models.iter().position(is_it)
        };
        scores(category_id).or_else(|| scores(""))
    }
}
