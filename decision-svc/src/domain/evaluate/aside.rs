//! Offers that do not go the way of their group: excluded by the request, outside their schedule,
//! mandatory.

use super::Case;
use crate::domain::{
    compile::{CompiledFlow, Program},
    creative::{self, ReadyCreative},
    scratch::{Aside, Scratch},
};

impl CompiledFlow {
    /// Notes them, by number.
    pub(super) fn set_aside(
        &self,
        case: &Case<'_>,
        exclude_offers: &[String],
        scratch: &mut Scratch,
    ) {
        for id in exclude_offers {
            let found =
                self.offers.binary_search_by(|offer| offer.candidate.offer_id.as_str().cmp(id));
            scratch.aside.extend(found.ok().map(|index| (index as u32, Aside::Excluded)));
        }
        let closed =
            self.scheduled.iter().filter(|(_, schedule)| !schedule.is_open(case.facts.moment.now));
        scratch.aside.extend(closed.map(|(offer, _)| (*offer, Aside::Closed)));
        for (offer, expires_at) in &self.mandates {
            if case.facts.moment.now < *expires_at {
                let way = self.way_of_mandatory(*offer, case, scratch);
                scratch.aside.push((*offer, way));
            }
        }
        if scratch.aside.len() > 1 {
            scratch.aside.sort_unstable();
            scratch.aside.dedup_by_key(|(offer, _)| *offer);
        }
    }

    fn way_of_mandatory(&self, offer: u32, case: &Case<'_>, scratch: &mut Scratch) -> Aside {
        let program = self.offers.get(offer as usize).and_then(|offer| offer.program.as_ref().ok());
        let filters = program.map(|program| &*program.filters).unwrap_or_default();
        if !filters.iter().all(|rule| self.holds(*rule, case, scratch)) {
            return Aside::MandatoryFiltered;
        }
        if self.lacks_creative(offer, case) {
            Aside::MandatoryWithoutCreative
        } else {
            Aside::Mandatory
        }
    }

    /// Whether the flow requires a creative and the offer has none for the surface.
    pub(in crate::domain) fn lacks_creative(&self, offer: u32, case: &Case<'_>) -> bool {
        self.flow.creative_match().is_some_and(|how| how.is_required)
            && self.creative(offer, case).is_none()
    }

    /// What an offer says on the surface, when the flow matches creatives.
    pub(in crate::domain) fn creative(
        &self,
        offer: u32,
        case: &Case<'_>,
    ) -> Option<&std::sync::Arc<ReadyCreative>> {
        creative::chosen(
            self.creatives.get(offer as usize)?,
            self.flow.creative_match()?,
            case.facts.surface,
        )
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
