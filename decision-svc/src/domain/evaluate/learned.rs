//! What is known of the responses to offers, where the flow's propensities are learned from it.
//! Counts change with every report, so offers are then scored one by one: a prepared ranking would
//! be outdated at once. The same holds where propensities are drawn.

use super::Customer;
use crate::domain::{
    candidate::Candidate,
    compile::CompiledFlow,
    responses::{Evidence, Responses},
    score::{Engagement, OnlineEstimate, OnlineScorer, PropensitySource, drawn},
    scratch::{Exception, Scratch},
};

impl CompiledFlow {
    /// The responses that the flow's propensities are learned from, when there are any.
    #[inline]
    fn responses<'a>(&self, customer: &Customer<'a>) -> Option<&'a Responses> {
        customer.facts.responses.filter(|responses| self.learns() && !responses.is_empty())
    }

    /// What propensities are drawn by, where they are.
    #[inline]
    fn seed(&self, customer: &Customer<'_>) -> Option<u64> {
        customer.facts.seed.filter(|_| self.explores() && self.learns())
    }

    /// How the customer responds on the channel, where the flow learns from it.
    #[inline]
    pub(super) fn engagement<'a>(&self, customer: &Customer<'a>) -> Option<&'a Engagement> {
        customer.facts.engagement.as_ref().filter(|_| self.learns_relevance())
    }

    /// The online model, where it gives the propensity.
    #[inline]
    fn online(&self, customer: &Customer<'_>) -> Option<OnlineScorer> {
        customer.facts.online.filter(|online| online.is_used && self.learns())
    }

    /// What the online model says of an offer, where the flow learns one.
    pub(in crate::domain) fn online_estimate(
        &self,
        candidate: &Candidate,
        customer: &Customer<'_>,
    ) -> Option<OnlineEstimate> {
        if !self.learns_online() {
            return None;
        }
        let evidence = customer.facts.responses.and_then(|it| it.evidence(&candidate.subject));
        let shrunk = evidence.unwrap_or_default().propensity();
        let nothing = OnlineEstimate { shrunk, found: None, is_used: false };
        Some(customer.facts.online.map_or(nothing, |online| online.estimate(shrunk)))
    }

    /// True when offers are scored, or sifted, one by one.
    #[inline]
    pub(super) fn walks(&self, customer: &Customer<'_>) -> bool {
        self.is_walked
            || self.responses(customer).is_some()
            || self.seed(customer).is_some()
            || self.engagement(customer).is_some()
            || self.online(customer).is_some()
    }

    /// What is known of an offer, where the flow learns from it or draws.
    #[inline]
    fn evidence(&self, candidate: &Candidate, customer: &Customer<'_>) -> Option<Evidence> {
        let known = self.responses(customer).and_then(|it| it.evidence(&candidate.subject));
        known.or_else(|| self.seed(customer).map(|_| Evidence::default()))
    }

    /// The learned propensity of an offer, drawn where the flow draws; none where nothing is known.
    #[inline]
    pub(super) fn learned(&self, candidate: &Candidate, customer: &Customer<'_>) -> Option<f64> {
        let evidence = self.evidence(candidate, customer);
        if let Some(online) = self.online(customer) {
            return Some(online.propensity(evidence.unwrap_or_default().propensity()));
        }
        let evidence = evidence?;
        Some(match self.seed(customer) {
            Some(seed) => drawn(seed, &candidate.offer_id, evidence.posterior()),
            None => evidence.propensity(),
        })
    }

    /// Where the propensity of an offer comes from.
    pub(in crate::domain) fn propensity_source(
        &self,
        candidate: &Candidate,
        customer: &Customer<'_>,
    ) -> PropensitySource {
        if let Some(online) = self.online(customer) {
            let evidence = self.evidence(candidate, customer).unwrap_or_default();
            return PropensitySource::Online(online.version, evidence);
        }
        match (self.evidence(candidate, customer), self.seed(customer)) {
            (None, _) => PropensitySource::Named(self.scoring.source.clone()),
            (Some(evidence), None) => PropensitySource::Counted(evidence),
            (Some(evidence), Some(_)) => PropensitySource::Drawn(evidence),
        }
    }

    /// Numbers of the offers whose learned propensity the last evaluation used, in their order.
    pub(in crate::domain) fn learned_offers(
        &self,
        customer: &Customer<'_>,
        scratch: &Scratch,
    ) -> Vec<u32> {
        if self.responses(customer).is_none() {
            return Vec::new();
        }
        let groups = scratch.passing.iter().flat_map(|group| self.orders.between(group.order));
        let mandatory = scratch.exceptions.iter().filter(|(_, why)| *why == Exception::Mandatory);
        let mut offers: Vec<u32> = groups.map(|place| place.offer).collect();
        offers.extend(mandatory.map(|(offer, _)| *offer));
        offers.sort_unstable();
        offers.dedup();
        offers
    }
}
