//! How offers are scored: one file per method and per kind of model. A method lists its inputs as
//! formulas and makes an estimate from their numbers. It does not evaluate the formulas: the
//! compiled engine and the oracle each do that in their own way.

mod effect;
mod engagement;
mod formula;
mod logistic;
mod model;
mod online;
mod prior;
mod priority;
mod shrinkage;
mod thompson;
mod uplift;

pub use self::uplift::{Uplift, segment_of};
pub use ::uplift::Segment;
pub use engagement::{CUSTOMER_STRENGTH, Engagement};
pub use logistic::{COEFFICIENT_MAX, Logistic, TERMS_MAX, Term};
pub use model::{FoundModel, ModelKind, NamedModel};
pub use online::{
    OnlineEstimate, OnlineInput, OnlineModel, OnlinePropensity, OnlineScorer, SLOTS, log_odds,
    logistic,
};
pub use prior::PROPENSITY_PRIOR;
pub use shrinkage::{PropensitySource, STRENGTH, TENANT_STRENGTH};
pub use thompson::{Contender, DRAWS, Posterior, drawn, first_probability, seed_of};

use ::formula::Type;

use crate::domain::{
    candidate::Candidate,
    rank::{Factors, Worth},
};
use prior::Prior;
use priority::Priority;

/// How a flow scores.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreMethod {
    /// Learned response propensity; 0.5 without data.
    Propensity,
    /// The offer's priority.
    Priority,
    /// A formula over customer and offer.
    Formula(String),
    /// A model.
    Model(NamedModel),
}

/// A number that a method reads of a customer and an offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The formula that gives it; a name alone is one, too.
    pub formula: String,
    /// Types of the names that nothing else declares. A name that is not listed has the type of its
    /// value.
    pub types: Vec<(String, Type)>,
}

/// What a method says about an offer for a customer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate<'m> {
    /// Probability of a response. NaN when there is none: the offer is not ranked.
    pub propensity: f64,
    /// Where the propensity comes from, for the trace.
    pub source: &'m str,
    /// Effect of contact; `None` without an uplift model.
    pub uplift: Option<Uplift>,
}

/// What a method or a kind of model does.
trait Method {
    /// Where its propensity comes from, the same for all offers.
    fn source(&self) -> &str;

    /// The numbers it reads. Without any, offers are ranked before a customer is known.
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    /// Its estimate. `number` gives an input by its index; none where it is missing.
    fn estimate(&self, offer: &Candidate, number: impl FnMut(usize) -> Option<f64>)
    -> Estimate<'_>;
}

/// Evaluates an expression with the implementation of whichever method it is.
macro_rules! dispatch {
    ($method:expr, $it:ident => $call:expr) => {
        match $method {
            ScoreMethod::Propensity => {
                let $it = &Prior::NO_DATA;
                $call
            }
            ScoreMethod::Priority => {
                let $it = &Priority;
                $call
            }
            ScoreMethod::Formula($it) => $call,
            ScoreMethod::Model(NamedModel { found: Some($it), .. }) => $call,
            ScoreMethod::Model(NamedModel { found: None, .. }) => {
                let $it = &Prior::NO_MODEL;
                $call
            }
        }
    };
}

impl ScoreMethod {
    /// True when its propensities are learned from the responses of customers.
    pub fn learns(&self) -> bool {
        matches!(self, Self::Propensity)
    }

    /// Where its propensities come from, for the trace.
    pub fn source(&self) -> &str {
        dispatch!(self, method => method.source())
    }

    /// The numbers it reads of a customer and an offer.
    pub fn inputs(&self) -> Vec<Input> {
        dispatch!(self, method => method.inputs())
    }

    /// Its estimate of an offer. `number` gives an input by its index; none where it is missing.
    #[inline]
    pub fn estimate(
        &self,
        offer: &Candidate,
        number: impl FnMut(usize) -> Option<f64>,
    ) -> Estimate<'_> {
        dispatch!(self, method => method.estimate(offer, number))
    }
}

impl Input {
    /// The type of a name that nothing else declares.
    pub fn type_of(&self, name: &str) -> Type {
        let found = self.types.iter().find(|(known, _)| known == name);
        found.map_or(Type::Any, |(_, of_type)| *of_type)
    }
}

impl Estimate<'_> {
    /// The same with what an effect model says, if it says anything.
    #[inline]
    pub fn with_uplift(self, found: Option<&Option<Uplift>>) -> Self {
        Self { uplift: found.copied().flatten().or(self.uplift), ..self }
    }

    /// The factors of the rank, given what the offer says about itself.
    #[inline]
    pub fn factors(&self, worth: &Worth, relevance: f64) -> Factors {
        let helps = self.uplift.map(|uplift| uplift.helps);
        Factors::of(worth, self.propensity, relevance).with_uplift(helps)
    }
}
