//! Counts the offers and finds the best of them. If scores are known at compile time, groups are
//! merged in their prepared order and counted as a whole. Otherwise every offer of a qualifying
//! group is visited.

use super::Customer;
use crate::domain::{
    candidate::Candidate,
    compile::{CompiledFlow, Program},
    rank::{Factors, Place},
    reason::Reason,
    score::{Estimate, PROPENSITY_PRIOR},
    scratch::{Ahead, Best, Exception, Scratch, exception_of},
    tally::Tally,
};

impl CompiledFlow {
    /// The best offers, best first, go into the scratch: the mandatory ones, then the others by
    /// score.
    pub(super) fn pick(
        &self,
        best_max: usize,
        customer: &Customer<'_>,
        scratch: &mut Scratch,
    ) -> Tally {
        let mut tally = self.tally(customer, scratch);
        self.pick_mandatory(best_max, customer, scratch);
        let best_max = best_max - scratch.best.len();
        match scratch.passing.as_slice() {
            [] => return tally,
            [only] if !self.walks(customer) => {
                let Scratch { best, exceptions, .. } = scratch;
                let of_group = |place: &Place| Best {
                    place: *place,
                    matching: only.matching,
                    is_mandatory: false,
                };
                let ranking = self.orders.between(only.order);
                if exceptions.is_empty() {
                    best.extend(ranking.get(..best_max).unwrap_or(ranking).iter().map(of_group));
                } else {
                    let is_wanted =
                        |place: &&Place| exception_of(exceptions, place.offer).is_none();
                    best.extend(ranking.iter().filter(is_wanted).take(best_max).map(of_group));
                }
                return tally;
            }
            _ if self.walks(customer) => self.walk(best_max, customer, &mut tally, scratch),
            _ => self.merge(best_max, scratch),
        }
        let Scratch { best, ahead, .. } = scratch;
        let first = best.len();
        best.extend(ahead.drain().map(|Ahead { place, matching }| Best {
            place,
            matching,
            is_mandatory: false,
        }));
        if let Some(others) = best.get_mut(first..) {
            others.sort_unstable_by(|a, b| a.place.order(&b.place));
        }
        tally
    }

    fn tally(&self, customer: &Customer<'_>, scratch: &mut Scratch) -> Tally {
        let (offers, invalid, costly) = (self.offers.len(), self.invalid, self.costly);
        let walks = self.walks(customer);
        let mut tally = Tally { offers, invalid, costly, ..Tally::default() };
        for passing in &scratch.passing {
            let size = passing.size as usize;
            tally.qualified += size;
            tally.filtered += if passing.is_filtered { size } else { 0 };
            tally.ranked += if walks { 0 } else { (passing.order.1 - passing.order.0) as usize };
        }
        self.tally_exceptions(customer, &mut tally, scratch);
        let unfit = tally.invalid + tally.costly;
        tally.not_qualified =
            self.offers.len() - tally.excluded - tally.closed - unfit - tally.qualified;
        tally
    }

    /// Counts anew the offers that do not go the way of their group.
    fn tally_exceptions(&self, customer: &Customer<'_>, tally: &mut Tally, scratch: &mut Scratch) {
        if scratch.exceptions.is_empty() {
            return;
        }
        let exceptions = std::mem::take(&mut scratch.exceptions);
        for (number, why) in &exceptions {
            let Some(offer) = self.offers.get(*number as usize) else { continue };
            match &offer.program {
                Err(unfit) => match unfit.code {
                    Reason::RuleTooCostly => tally.costly -= 1,
                    _ => tally.invalid -= 1,
                },
                Ok(program) => match self.qualifies(program, scratch) {
                    None => {}
                    Some(false) => {
                        tally.qualified -= 1;
                        tally.filtered -= 1;
                    }
                    Some(true) => {
                        tally.qualified -= 1;
                        let was_ranked = !self.walks(customer)
                            && self.place(*number, program, customer, scratch).is_some();
                        tally.ranked -= usize::from(was_ranked);
                    }
                },
            }
            match why {
                Exception::Excluded => tally.excluded += 1,
                Exception::Closed => tally.closed += 1,
                Exception::Mandatory => tally.ranked += 1,
                Exception::MandatoryFiltered => tally.filtered += 1,
                Exception::MandatorySifted(sieve) => tally.sift(*sieve),
            }
            let is_qualified = !matches!(why, Exception::Excluded | Exception::Closed);
            tally.qualified += usize::from(is_qualified);
        }
        scratch.exceptions = exceptions;
    }

    fn pick_mandatory(&self, best_max: usize, customer: &Customer<'_>, scratch: &mut Scratch) {
        for (offer, _) in &self.mandates {
            if scratch.best.len() >= best_max {
                return;
            }
            if scratch.exception(*offer) != Some(Exception::Mandatory) {
                continue;
            }
            let Some(found) = self.offers.get(*offer as usize) else { continue };
            let Ok(program) = &found.program else { continue };
            let matching = self.matching(program.affinities, customer, scratch);
            let place =
                Place { score: 1.0, priority: found.candidate.worth.priority, offer: *offer };
            scratch.best.push(Best { place, matching, is_mandatory: true });
        }
    }

    /// Takes the best of all groups, each in its prepared order.
    fn merge(&self, best_max: usize, scratch: &mut Scratch) {
        let Scratch { exceptions, ahead, passing, .. } = scratch;
        let is_wanted = |place: &&Place| exception_of(exceptions, place.offer).is_none();
        for group in passing {
            for place in self.orders.between(group.order).iter().filter(is_wanted) {
                let candidate = Ahead { place: *place, matching: group.matching };
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
    fn walk(
        &self,
        best_max: usize,
        customer: &Customer<'_>,
        tally: &mut Tally,
        scratch: &mut Scratch,
    ) {
        for index in 0..scratch.passing.len() {
            let Some(passing) = scratch.passing.get(index).copied() else { continue };
            for member in self.orders.between(passing.order) {
                if scratch.exception(member.offer).is_some() {
                    continue;
                }
                if let Some(sieve) = self.sifted_by(member.offer, customer) {
                    tally.sift(sieve);
                    continue;
                }
                let program = self
                    .offers
                    .get(member.offer as usize)
                    .and_then(|offer| offer.program.as_ref().ok());
                let Some(place) = program
                    .and_then(|program| self.place(member.offer, program, customer, scratch))
                else {
                    continue;
                };
                tally.ranked += 1;
                let candidate = Ahead { place, matching: passing.matching };
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
        customer: &Customer<'_>,
        scratch: &mut Scratch,
    ) -> Option<Place> {
        let candidate = &self.offers.get(offer as usize)?.candidate;
        let matching = self.matching(program.affinities, customer, scratch);
        let estimate = self.estimate(candidate, program, customer, scratch);
        let factors = self.factors(&estimate, candidate, (program, matching), customer);
        let score = factors.score(&self.scoring.weights)?;
        Some(Place { score, priority: candidate.worth.priority, offer })
    }

    /// What the flow's score says about an offer.
    #[inline]
    pub(in crate::domain) fn estimate(
        &self,
        candidate: &Candidate,
        program: &Program,
        customer: &Customer<'_>,
        scratch: &mut Scratch,
    ) -> Estimate<'_> {
        let inputs = self.inputs.get(program.inputs);
        let number = |index: usize| self.fill(*inputs.get(index)?, customer, scratch).to_double();
        let mut estimate = self.scoring.method.estimate(candidate, number);
        if let Some(propensity) = self.learned(candidate, customer) {
            estimate.propensity = propensity;
        }
        match program.effect {
            Some(effect) => estimate.with_uplift(customer.facts.uplifts.get(effect)),
            None => estimate,
        }
    }

    /// The factors of an offer when so many of its affinities are true.
    #[inline]
    pub(in crate::domain) fn factors(
        &self,
        estimate: &Estimate<'_>,
        candidate: &Candidate,
        (program, matching): (&Program, u32),
        customer: &Customer<'_>,
    ) -> Factors {
        let count = self.affinities.get(program.affinities as usize).map_or(0, |rules| rules.len());
        let share = (matching as usize, count);
        self.scoring.factors(estimate, &candidate.worth, share, self.engagement(customer))
    }

    /// The factors of an offer that is ranked without regard to them.
    pub(in crate::domain) fn factors_of_mandatory(factors: Factors) -> Factors {
        let propensity =
            if factors.propensity.is_nan() { PROPENSITY_PRIOR } else { factors.propensity };
        Factors { propensity, ..factors }
    }
}
