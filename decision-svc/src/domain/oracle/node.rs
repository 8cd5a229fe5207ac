//! The oracle's own version of the nodes that leave out candidates: says why a node leaves an offer
//! out.

use std::sync::Arc;

use formula::{
    Value,
    rule::{Refusal, Verdict},
};

use crate::domain::{
    creative::{self, ReadyCreative},
    facts::Facts,
    oracle::compile::{OracleOffer, OracleProgram, OracleRule},
    reason::Reason,
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
}

/// True for nodes that may leave out candidates.
pub(super) fn is_leaving_out(step: &Step) -> bool {
    matches!(step, Step::Qualify(_) | Step::Filter(_) | Step::MatchCreatives(_) | Step::Rank(_))
}

/// Why a node leaves the offer out; none when it does not.
pub(super) fn refusal(step: &Step, passage: &Passage<'_>) -> Option<Refused> {
    match step {
        Step::Qualify(_) if !passage.is_mandatory => {
            passage.first_failure(Reason::NotQualified, &passage.program.rules)
        }
        Step::Filter(_) => passage.first_failure(Reason::Filtered, &passage.program.filters),
        Step::MatchCreatives(how) => passage.without_creative(how),
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

    /// What the offer says, when the flow matches creatives.
    pub fn creative(&self, how: Option<&MatchCreatives>) -> Option<&Arc<ReadyCreative>> {
        creative::chosen(&self.offer.creatives, how?.placement, self.facts.surface)
    }
}
