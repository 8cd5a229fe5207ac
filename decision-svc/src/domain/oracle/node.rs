//! The oracle's own version of the nodes that leave out candidates: says why a node leaves an offer
//! out.

use std::sync::Arc;

use formula::{
    Value,
    rule::{Refusal, Verdict},
};

use crate::domain::{
    creative::{self, ReadyCreative},
    effect::{EffectModel, Effects},
    facts::Facts,
    min_uplift::{self, MinUplift},
    oracle::compile::{OracleOffer, OracleProgram, OracleRule},
    reason::Reason,
    score::Uplift,
    step::{MatchCreatives, Step, no_creative},
    trace::Refused,
};

/// An offer on its way through the nodes.
pub(super) struct Passage<'a> {
    pub offer: &'a OracleOffer,
    pub program: &'a OracleProgram,
    pub facts: &'a Facts<'a>,
    pub computed: &'a [Value],
    pub is_mandatory: bool,
    pub effects: &'a Effects,
}

/// True for nodes that may leave out candidates.
pub(super) fn is_leaving_out(step: &Step) -> bool {
    match step {
        Step::Score(score) => score.min_uplift.is_some(),
        Step::Qualify(_) | Step::Filter(_) | Step::MatchCreatives(_) | Step::Rank(_) => true,
        _ => false,
    }
}

/// Why a node leaves the offer out; none when it does not.
pub(super) fn refusal(step: &Step, passage: &Passage<'_>) -> Option<Refused> {
    match step {
        Step::Qualify(_) if !passage.is_mandatory => {
            passage.first_failure(Reason::NotQualified, &passage.program.rules)
        }
        Step::Filter(_) => passage.first_failure(Reason::Filtered, &passage.program.filters),
        Step::MatchCreatives(how) => passage.without_creative(how),
        Step::Score(score) => passage.not_worth_it(score.min_uplift?),
        _ => None,
    }
}

impl Passage<'_> {
    /// A refusal by one of these rules.
    fn first_failure(&self, code: Reason, rules: &[OracleRule]) -> Option<Refused> {
        let verdict = |rule: &OracleRule| match rule.evaluate(self.facts, self.computed) {
            Verdict::True => None,
            Verdict::False(refusal) | Verdict::Unknown(refusal) => Some(refusal),
        };
        let failed: Refusal = rules.iter().find_map(verdict)?;
        let offer = &self.offer.candidate;
        Some(Refused::failed(&offer.offer_id, &offer.name, code, failed))
    }

    fn without_creative(&self, how: &MatchCreatives) -> Option<Refused> {
        if !how.is_required || self.creative(Some(how)).is_some() {
            return None;
        }
        let (offer, why) = (&self.offer.candidate, no_creative(self.facts));
        Some(Refused::unranked(&offer.offer_id, &offer.name, Reason::NoCreative, why))
    }

    fn not_worth_it(&self, gate: MinUplift) -> Option<Refused> {
        let (most, model) = self.short_of(gate)?;
        let (offer, Facts { flow_id, customer_id, .. }) = (&self.offer.candidate, self.facts);
        if min_uplift::passes(flow_id, customer_id, &offer.offer_id) {
            return None;
        }
        let why = min_uplift::refusal(most, offer, model);
        Some(Refused::unranked(&offer.offer_id, &offer.name, Reason::NotWorthIt, why))
    }

    /// What contact earns at most, in 1/10,000 of the currency, and the model that says so; none
    /// when that may be what it costs.
    fn short_of(&self, gate: MinUplift) -> Option<(f64, &EffectModel)> {
        let cost_e4 = self.offer.candidate.cost_e4;
        let (model, found) = self.says(gate.value_e4.is_none())?;
        let upper = found?.interval.1;
        let most = match gate.value_e4 {
            Some(value_e4) => upper * value_e4 as f64,
            None => upper * 10_000.0,
        };
        let is_short = cost_e4 != 0 && !self.is_mandatory && most < cost_e4 as f64;
        is_short.then_some((most, model))
    }

    /// The probability with which customer and offer pass.
    pub fn gate_probability(&self, gate: Option<MinUplift>) -> f64 {
        if gate.and_then(|gate| self.short_of(gate)).is_some() { 0.05 } else { 1.0 }
    }

    /// The active model of the offer's category if there is one, else that of all offers, and what
    /// it says.
    pub fn says(&self, in_money: bool) -> Option<(&EffectModel, Option<Uplift>)> {
        let of = |category: &str| {
            let models = self.effects.models.iter().zip(self.facts.uplifts);
            let mut active =
                models.filter(|(it, _)| !it.is_shadow && it.model.in_money == in_money);
            let found = active.find(|(model, _)| model.category_id == category);
            found.map(|(model, found)| (&**model, *found))
        };
        of(&self.offer.candidate.category_id).or_else(|| of(""))
    }

    /// What the offer says, when the flow matches creatives.
    pub fn creative(&self, how: Option<&MatchCreatives>) -> Option<&Arc<ReadyCreative>> {
        creative::chosen(&self.offer.creatives, how?.placement, self.facts.surface)
    }
}
