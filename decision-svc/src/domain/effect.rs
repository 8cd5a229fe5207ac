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

#[cfg(test)]
impl EffectModel {
    /// An active model that says nothing, of a category or of all.
    pub fn silent(id: &str, category_id: &str, in_money: bool) -> Self {
        let model = Model {
            folds: Vec::new(),
            bins: Vec::new(),
            average_effect: 0.0,
            slope: 0.0,
            mean_raw_effect: 0.0,
            median_baseline: 0.0,
            in_money,
        };
        Self {
            id: id.to_owned(),
            version: 1,
            revision: 9,
            category_id: category_id.to_owned(),
            is_shadow: false,
            encoding: Encoding::default(),
            model,
        }
    }
}

impl Effects {
    /// Index of the model that scores offers of a category: its own, else the one for all. One
    /// about money scores nothing.
    pub fn of(&self, category_id: &str) -> Option<usize> {
        self.active(category_id, false)
    }

    /// Index of the model that says what contact with offers of a category earns: that of the
    /// category, else the one for all.
    pub fn of_money(&self, category_id: &str) -> Option<usize> {
        self.active(category_id, true)
    }

    /// True when a model scores offers.
    pub fn is_scoring(&self) -> bool {
        self.models.iter().any(|it| !it.is_shadow && !it.model.in_money)
    }

    fn active(&self, category_id: &str, in_money: bool) -> Option<usize> {
        let of = |category: &str| {
            let is_it = |it: &Arc<EffectModel>| {
                !it.is_shadow && it.model.in_money == in_money && it.category_id == category
            };
            self.models.iter().position(is_it)
        };
        of(category_id).or_else(|| of(""))
    }
}
