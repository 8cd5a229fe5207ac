//! Counts what became of the offers and finds the best of them. Where scores are known beforehand,
//! groups are merged in their prepared order and counted as a whole; where they are not, every
//! offer of a group that qualifies is met.

use super::{Case, Tally};
use crate::domain::{
    candidate::Candidate,
    compile::{CompiledFlow, Place, Program},
    rank::Factors,
    score::{Estimate, PROPENSITY_PRIOR},
    scratch::{Ahead, Aside, Best, Scratch, way_aside},
};

impl CompiledFlow {
    /// The best offers, best first, go into the scratch: the mandatory ones, then the others by
    /// score.
    pub(super) fn pick(&self, best_max: usize, case: &Case<'_>, scratch: &mut Scratch) -> Tally {
        let mut tally = self.tally(case, scratch);
        self.pick_mandatory(best_max, case, scratch);
        let best_max = best_max - scratch.best.len();
        match scratch.passing.as_slice() {
            [] => return tally,
            [only] if !self.is_walked => {
                let Scratch { best, aside, .. } = scratch;
                let of_group = |place: &Place| Best {
                    place: *place,
                    holding: only.holding,
                    is_mandatory: false,
                };
                let ranking = self.orders.between(only.order);
                if aside.is_empty() {
                    best.extend(ranking.get(..best_max).unwrap_or(ranking).iter().map(of_group));
                } else {
                    let is_wanted = |place: &&Place| way_aside(aside, place.offer).is_none();
                    best.extend(ranking.iter().filter(is_wanted).take(best_max).map(of_group));
                }
                return tally;
            }
            _ if self.is_walked => self.walk(best_max, case, &mut tally, scratch),
            _ => self.merge(best_max, scratch),
        }
        let Scratch { best, ahead, .. } = scratch;
        let first = best.len();
        best.extend(ahead.drain().map(|Ahead { place, holding }| Best {
            place,
            holding,
            is_mandatory: false,
        }));
        if let Some(others) = best.get_mut(first..) {
            others.sort_unstable_by(|a, b| a.place.cmp(&b.place));
        }
        tally
    }

    fn tally(&self, case: &Case<'_>, scratch: &mut Scratch) -> Tally {
        let mut tally = Tally { invalid: self.invalid, ..Tally::default() };
        for passing in &scratch.passing {
            let size = passing.size as usize;
            tally.qualified += size;
            tally.filtered += if passing.is_filtered { size } else { 0 };
            tally.ranked +=
                if self.is_walked { 0 } else { (passing.order.1 - passing.order.0) as usize };
        }
        self.tally_aside(case, &mut tally, scratch);
        tally.not_qualified =
            self.offers.len() - tally.excluded - tally.closed - tally.invalid - tally.qualified;
        tally
    }

    /// Counts anew the offers that do not go the way of their group.
    fn tally_aside(&self, case: &Case<'_>, tally: &mut Tally, scratch: &mut Scratch) {
        if scratch.aside.is_empty() {
            return;
        }
        let aside = std::mem::take(&mut scratch.aside);
        for (number, why) in &aside {
            let Some(offer) = self.offers.get(*number as usize) else { continue };
            match &offer.program {
                Err(_) => tally.invalid -= 1,
                Ok(program) => match self.qualifies(program, scratch) {
                    None => {}
                    Some(false) => {
                        tally.qualified -= 1;
                        tally.filtered -= 1;
                    }
                    Some(true) => {
                        tally.qualified -= 1;
                        let was_ranked = !self.is_walked
                            && self.place(*number, program, case, scratch).is_some();
                        tally.ranked -= usize::from(was_ranked);
                    }
                },
            }
            match why {
                Aside::Excluded => tally.excluded += 1,
                Aside::Closed => tally.closed += 1,
                Aside::Mandatory => tally.ranked += 1,
                Aside::MandatoryFiltered => tally.filtered += 1,
                Aside::MandatoryWithoutCreative => tally.without_creative += 1,
            }
            tally.qualified += usize::from(!matches!(why, Aside::Excluded | Aside::Closed));
        }
        scratch.aside = aside;
    }

    fn pick_mandatory(&self, best_max: usize, case: &Case<'_>, scratch: &mut Scratch) {
        for (offer, _) in &self.mandates {
            if scratch.best.len() >= best_max {
                return;
            }
            if scratch.aside(*offer) != Some(Aside::Mandatory) {
                continue;
            }
            let Some(found) = self.offers.get(*offer as usize) else { continue };
            let Ok(program) = &found.program else { continue };
            let holding = self.holding(program.affinities, case, scratch);
            let place =
                Place { score: 1.0, priority: found.candidate.worth.priority, offer: *offer };
            scratch.best.push(Best { place, holding, is_mandatory: true });
        }
    }

    /// Takes the best of all groups, each in its prepared order.
    fn merge(&self, best_max: usize, scratch: &mut Scratch) {
        let Scratch { aside, ahead, passing, .. } = scratch;
        let is_wanted = |place: &&Place| way_aside(aside, place.offer).is_none();
        for group in passing {
            for place in self.orders.between(group.order).iter().filter(is_wanted) {
                let candidate = Ahead { place: *place, holding: group.holding };
                if ahead.len() < best_max {
                    ahead.push(candidate);
                } else if let Some(mut worst) = ahead.peek_mut()
                    && candidate < *worst
                {
                    *worst = candidate;
                } else {
                    // What follows in this group is worse still.
                    break;
                }
            }
        }
    }

    /// Meets every offer of the groups that qualify.
    fn walk(&self, best_max: usize, case: &Case<'_>, tally: &mut Tally, scratch: &mut Scratch) {
        for index in 0..scratch.passing.len() {
            let Some(passing) = scratch.passing.get(index).copied() else { continue };
            for member in self.orders.between(passing.order) {
                if scratch.aside(member.offer).is_some() {
                    continue;
                }
                if self.lacks_creative(member.offer, case) {
                    tally.without_creative += 1;
                    continue;
                }
                let program = self
                    .offers
                    .get(member.offer as usize)
                    .and_then(|offer| offer.program.as_ref().ok());
                let Some(place) =
                    program.and_then(|program| self.place(member.offer, program, case, scratch))
                else {
                    continue;
                };
                tally.ranked += 1;
                let candidate = Ahead { place, holding: passing.holding };
                if scratch.ahead.len() < best_max {
                    scratch.ahead.push(candidate);
                } else if let Some(mut worst) = scratch.ahead.peek_mut()
                    && candidate < *worst
                {
                    *worst = candidate;
                }
            }
        }
    }

    /// The place of a qualified offer in the ranking; none when it has no score.
    pub(in crate::domain) fn place(
        &self,
        offer: u32,
        program: &Program,
        case: &Case<'_>,
        scratch: &mut Scratch,
    ) -> Option<Place> {
        let candidate = &self.offers.get(offer as usize)?.candidate;
        let holding = self.holding(program.affinities, case, scratch);
        let estimate = self.estimate(candidate, program, case, scratch);
        let factors = self.factors(&estimate, candidate, program, holding);
        let score = factors.score(&self.scoring.weights)?;
        Some(Place { score, priority: candidate.worth.priority, offer })
    }

    /// What the flow's score says about an offer.
    #[inline]
    pub(in crate::domain) fn estimate(
        &self,
        candidate: &Candidate,
        program: &Program,
        case: &Case<'_>,
        scratch: &mut Scratch,
    ) -> Estimate<'_> {
        let inputs = self.inputs.get(program.inputs);
        let number = |index: usize| self.fill(*inputs.get(index)?, case, scratch).as_number();
        self.scoring.method.estimate(candidate, number)
    }

    /// The factors of an offer when so many of its affinities are true.
    #[inline]
    pub(in crate::domain) fn factors(
        &self,
        estimate: &Estimate<'_>,
        candidate: &Candidate,
        program: &Program,
        holding: u32,
    ) -> Factors {
        let count = self.affinities.get(program.affinities as usize).map_or(0, |rules| rules.len());
        self.scoring.factors(estimate, &candidate.worth, (holding as usize, count))
    }

    /// The factors of an offer that is ranked without regard to them.
    pub(in crate::domain) fn factors_of_mandatory(factors: Factors) -> Factors {
        let propensity =
            if factors.propensity.is_nan() { PROPENSITY_PRIOR } else { factors.propensity };
        Factors { propensity, ..factors }
    }
}
