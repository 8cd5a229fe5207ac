//! Offers that are handled apart from their group: excluded by the request, outside their schedule,
//! or mandatory.

use std::sync::Arc;

use super::Customer;
use crate::domain::{
    compile::{CompiledFlow, Program},
    creative::ReadyCreative,
    scratch::{Exception, Scratch},
    step::Sieve,
};

impl CompiledFlow {
    /// Notes them, by number.
    pub(super) fn find_exceptions(
        &self,
        customer: &Customer<'_>,
        exclude_offers: &[String],
        scratch: &mut Scratch,
    ) {
        for id in exclude_offers {
            let found =
                self.offers.binary_search_by(|offer| offer.candidate.offer_id.as_str().cmp(id));
            scratch.exceptions.extend(found.ok().map(|index| (index as u32, Exception::Excluded)));
        }
        let closed = self
            .scheduled
            .iter()
            .filter(|(_, schedule)| !schedule.is_open(customer.facts.moment.now));
        scratch.exceptions.extend(closed.map(|(offer, _)| (*offer, Exception::Closed)));
        for (offer, expires_at) in &self.mandates {
            if customer.facts.moment.now < *expires_at {
                let exception = self.exception_of_mandatory(*offer, customer, scratch);
                scratch.exceptions.push((*offer, exception));
            }
        }
        if scratch.exceptions.len() > 1 {
            scratch.exceptions.sort_unstable();
            scratch.exceptions.dedup_by_key(|(offer, _)| *offer);
        }
    }

    fn exception_of_mandatory(
        &self,
        offer: u32,
        customer: &Customer<'_>,
        scratch: &mut Scratch,
    ) -> Exception {
        let program = self.offers.get(offer as usize).and_then(|offer| offer.program.as_ref().ok());
        let filters = program.map(|program| &*program.filters).unwrap_or_default();
        if !filters.iter().all(|rule| self.is_true(*rule, customer, scratch)) {
            return Exception::MandatoryFiltered;
        }
        self.sifted_by(offer, customer).map_or(Exception::Mandatory, Exception::MandatorySifted)
    }

    /// The number of the first sieve that leaves the offer out; none when all let it pass.
    #[inline]
    pub(in crate::domain) fn sifted_by(
        &self,
        offer: u32,
        customer: &Customer<'_>,
    ) -> Option<usize> {
        if self.sieves.is_empty() {
            return None;
        }
        let candidate = &self.offers.get(offer as usize)?.candidate;
        self.sieves.iter().position(|sieve| !sieve.passes(offer, candidate, customer.facts))
    }

    /// The probability with which customer and offer pass the sieves.
    pub(in crate::domain) fn gate_probability(&self, offer: u32, customer: &Customer<'_>) -> f64 {
        let Some(found) = self.offers.get(offer as usize) else { return 1.0 };
        let of = |sieve: &Sieve| sieve.probability(offer, &found.candidate, customer.facts);
        self.sieves.iter().map(of).product()
    }

    /// What an offer says on the surface, when the flow matches creatives.
    pub(in crate::domain) fn creative(
        &self,
        offer: u32,
        customer: &Customer<'_>,
    ) -> Option<&Arc<ReadyCreative>> {
        self.sieves.iter().find_map(|sieve| sieve.creative(offer, customer.facts))
    }

    /// Whether the offer of a program went as far as the flow's own rules, and whether these let it
    /// through.
    pub(in crate::domain) fn qualifies(
        &self,
        program: &Program,
        scratch: &Scratch,
    ) -> Option<bool> {
        let noted = scratch.groups.get(program.group?, scratch.epoch())?;
        Some(noted == 1)
    }
}
