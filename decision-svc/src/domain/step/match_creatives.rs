//! `match_creatives`: chooses what each candidate says on the request's channel and placement, and
//! leaves out candidates without a creative where one is required.

use std::sync::Arc;

use super::{Ground, NodeType, Sieve, Sifts};
use crate::domain::{
    candidate::Candidate,
    creative::{self, PlacementMatch, ReadyCreative},
    facts::Facts,
    reason::Reason,
};

/// How creatives are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchCreatives {
    /// A candidate without one is refused.
    pub is_required: bool,
    /// Which placements fit.
    pub placement: PlacementMatch,
}

/// The node, compiled for the offers of a catalog.
#[derive(Debug)]
pub struct Creatives {
    settings: MatchCreatives,
    /// By number of the offer.
    of_offers: Vec<Vec<Arc<ReadyCreative>>>,
}

impl NodeType for MatchCreatives {
    fn order(&self) -> Option<u8> {
        Some(40)
    }

    fn is_sieve(&self) -> bool {
        true
    }

    fn sieve(&self, ground: &Ground<'_>) -> Option<Sieve> {
        let mut ready = creative::ready(ground.catalog);
        let of = |offer: &&Candidate| ready.remove(offer.offer_id.as_str()).unwrap_or_default();
        let of_offers = ground.offers.iter().map(of).collect();
        Some(Sieve::Creatives(Creatives { settings: *self, of_offers }))
    }
}

impl Sifts for Creatives {
    fn passes(&self, offer: u32, _: &Candidate, facts: &Facts<'_>) -> bool {
        !self.settings.is_required || self.creative(offer, facts).is_some()
    }

    fn refusal(&self, _: u32, _: &Candidate, facts: &Facts<'_>) -> String {
        no_creative(facts)
    }

    fn reason(&self) -> Reason {
        Reason::NoCreative
    }

    fn creative(&self, offer: u32, facts: &Facts<'_>) -> Option<&Arc<ReadyCreative>> {
        let creatives = self.of_offers.get(offer as usize)?;
        creative::chosen(creatives, self.settings.placement, facts.surface)
    }
}

/// Why an offer has nothing to say.
pub fn no_creative(facts: &Facts<'_>) -> String {
    let channel = facts
        .surface
        .channel
        .as_ref()
        .map_or("no channel".to_owned(), |(id, _)| format!("channel `{id}`"));
    match facts.surface.placement.as_str() {
        "" => format!("no active creative for {channel}"),
        placement => format!("no active creative for {channel}, placement `{placement}`"),
    }
}
