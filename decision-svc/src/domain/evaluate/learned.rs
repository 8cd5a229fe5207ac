//! What is known of the responses to offers, where the flow's propensities are learned from it.
//! Counts change with every report, so offers are then scored one by one: a prepared ranking would
//! be outdated at once.

use super::Customer;
use crate::domain::{
    candidate::Candidate,
    compile::CompiledFlow,
    responses::{Evidence, Responses},
    scratch::{Exception, Scratch},
};

impl CompiledFlow {
    /// The responses that the flow's propensities are learned from, when there are any.
    #[inline]
    fn responses<'a>(&self, customer: &Customer<'a>) -> Option<&'a Responses> {
        customer.facts.responses.filter(|responses| self.learns() && !responses.is_empty())
    }

    /// True when offers are scored, or sifted, one by one.
    #[inline]
    pub(super) fn walks(&self, customer: &Customer<'_>) -> bool {
        self.is_walked || self.responses(customer).is_some()
    }

    /// What is known of an offer, where the flow learns from it.
    #[inline]
    pub(in crate::domain) fn evidence(
        &self,
        candidate: &Candidate,
        customer: &Customer<'_>,
    ) -> Option<Evidence> {
        self.responses(customer)?.evidence(&candidate.subject)
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
