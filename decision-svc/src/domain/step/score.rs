//! `score`: estimates how likely the customer responds to each candidate, and leaves out candidates
//! whose contact cannot earn what it costs.

use std::sync::Arc;

use super::{Ground, NodeType, Sieve, Sifts};
use crate::domain::{
    candidate::Candidate,
    effect::Effects,
    facts::Facts,
    min_uplift::{self, Gate, MinUplift},
    reason::Reason,
    score::{NamedModel, ScoreMethod},
};

/// How a flow scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The method; each has a file in `score/`.
    pub method: ScoreMethod,
    /// Leaves out candidates whose contact does not pay; none does not.
    pub min_uplift: Option<MinUplift>,
}

/// The gate, compiled for the offers of a catalog.
#[derive(Debug)]
pub struct Gates {
    settings: MinUplift,
    effects: Arc<Effects>,
    /// Index of the model by number of the offer; none where the offer always passes.
    of_offers: Vec<Option<usize>>,
}

impl NodeType for Score {
    fn order(&self) -> Option<u8> {
        Some(50)
    }

    fn missing(&self) -> Option<String> {
        match &self.method {
            ScoreMethod::Model(NamedModel { reference, found: None }) => {
                Some(format!("model `{reference}` does not exist or is not active: propensity 0.5"))
            }
            _ => None,
        }
    }

    fn is_sieve(&self) -> bool {
        self.min_uplift.is_some()
    }

    fn sieve(&self, ground: &Ground<'_>) -> Option<Sieve> {
        let settings = self.min_uplift?;
        let model = |offer: &&Candidate| {
            let costs = offer.cost_e4 > 0;
            settings.model(ground.effects, &offer.category_id).filter(|_| costs)
        };
        let of_offers: Vec<_> = ground.offers.iter().map(model).collect();
        // A flow without sieves is ranked beforehand, which is faster.
        let is_needed = of_offers.iter().any(Option::is_some);
        let effects = ground.effects.clone();
        is_needed.then_some(Sieve::Gates(Gates { settings, effects, of_offers }))
    }
}

impl Gates {
    fn judge(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> Gate {
        let Some(model) = self.model(offer) else { return Gate::Open };
        let found = facts.uplifts.get(model).and_then(Option::as_ref);
        self.settings.judge(candidate, found, facts)
    }

    fn model(&self, offer: u32) -> Option<usize> {
        self.of_offers.get(offer as usize).copied().flatten()
    }
}

impl Sifts for Gates {
    fn passes(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> bool {
        !matches!(self.judge(offer, candidate, facts), Gate::Shut(_))
    }

    fn refusal(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> String {
        let model = self.model(offer).and_then(|model| self.effects.models.get(model));
        match (self.judge(offer, candidate, facts), model) {
            (Gate::Shut(most), Some(model)) => min_uplift::refusal(most, candidate, model),
            _ => String::new(),
        }
    }

    fn reason(&self) -> Reason {
        Reason::NotWorthIt
    }

    fn probability(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> f64 {
        self.judge(offer, candidate, facts).probability()
    }
}
