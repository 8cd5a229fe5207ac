//! Runs a compiled flow: who qualifies, and the best in order. Work follows the offers that may match; nothing is
//! allocated once a scratch has grown.

use formula::program::{Datum, Register};

use crate::domain::{
    compile::{CompiledFlow, Facts, Place, Program, Source},
    scratch::{Ahead, Best, Passing, Scratch},
};

/// How many offers went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Excluded by the request.
    pub excluded: usize,
    /// Their rules cannot be applied.
    pub invalid: usize,
    /// All rules hold.
    pub qualified: usize,
    /// A rule does not hold.
    pub not_qualified: usize,
    /// Qualified, and with a score.
    pub ranked: usize,
}

impl CompiledFlow {
    /// Evaluates. The `best_max` best offers are in the scratch, best first; it must be one of this flow or new.
    pub fn evaluate(
        &self,
        facts: &Facts<'_>,
        exclude_offers: &[String],
        best_max: usize,
        scratch: &mut Scratch,
    ) -> Tally {
        scratch.begin(self);
        for access in &self.accesses {
            let value = self.fill(access.register, facts, scratch);
            for group in access.groups(value, self.constants.texts(&scratch.memory)) {
                self.visit(*group, facts, scratch);
            }
        }
        for group in &self.always {
            self.visit(*group, facts, scratch);
        }
        self.exclude(exclude_offers, scratch);
        let tally = self.tally(scratch);
        self.pick(best_max, scratch);
        tally
    }

    /// The value of a register, read or computed when it is the first time.
    pub(super) fn fill(&self, register: Register, facts: &Facts<'_>, scratch: &mut Scratch) -> Datum {
        if !scratch.is_filled(register) {
            if let Some(Source::Computed { needs, .. }) = self.sources.get(register as usize) {
                for needed in needs {
                    self.fill_one(*needed, facts, scratch);
                }
            }
            self.fill_one(register, facts, scratch);
        }
        scratch.registers.get(register as usize).copied().unwrap_or(Datum::Boolean(false))
    }

    /// Fills a register of which all it needs is filled.
    fn fill_one(&self, register: Register, facts: &Facts<'_>, scratch: &mut Scratch) {
        if scratch.is_filled(register) {
            return;
        }
        let Some(source) = self.sources.get(register as usize) else { return };
        let value = match source {
            Source::Computed { program, output, .. } => {
                let Scratch { registers, memory, .. } = scratch;
                let value = program.run(registers, &self.constants, facts.moment, memory);
                output.map_or(value, |output| output.convert(value, &self.constants, memory))
            }
            input => input.read(register, facts, &mut scratch.memory).unwrap_or(Datum::Boolean(false)),
        };
        scratch.set(register, value);
    }

    /// Whether a rule holds; tested once.
    pub(super) fn holds(&self, rule: u32, facts: &Facts<'_>, scratch: &mut Scratch) -> bool {
        if let Some(noted) = scratch.rules.get(rule, scratch.epoch()) {
            return noted == 1;
        }
        let Some(program) = self.rules.get(rule as usize) else { return false };
        for register in program.reads() {
            self.fill(*register, facts, scratch);
        }
        let holds = program.judge(&scratch.registers, self.constants.texts(&scratch.memory)).is == Some(true);
        scratch.rules.note(rule, scratch.epoch(), u32::from(holds));
        holds
    }

    fn visit(&self, number: u32, facts: &Facts<'_>, scratch: &mut Scratch) {
        let Some(group) = self.groups.get(number as usize) else { return };
        if !self.all_hold(group.set, facts, scratch) {
            return;
        }
        let holding = self.holding(group.affinities, facts, scratch);
        scratch.groups.note(number, scratch.epoch(), 1);
        scratch.passing.push(Passing { group: number, holding });
    }

    fn all_hold(&self, set: u32, facts: &Facts<'_>, scratch: &mut Scratch) -> bool {
        if let Some(noted) = scratch.sets.get(set, scratch.epoch()) {
            return noted == 1;
        }
        let holds = self.sets.get(set).iter().all(|rule| self.holds(*rule, facts, scratch));
        scratch.sets.note(set, scratch.epoch(), u32::from(holds));
        holds
    }

    /// How many affinities of a list hold.
    fn holding(&self, list: u32, facts: &Facts<'_>, scratch: &mut Scratch) -> u32 {
        if let Some(noted) = scratch.affinities.get(list, scratch.epoch()) {
            return noted;
        }
        let rules = self.affinities.get(list as usize).map(|rules| &**rules).unwrap_or_default();
        let holding = rules.iter().filter(|rule| self.holds(**rule, facts, scratch)).count() as u32;
        scratch.affinities.note(list, scratch.epoch(), holding);
        holding
    }

    fn exclude(&self, exclude_offers: &[String], scratch: &mut Scratch) {
        for id in exclude_offers {
            let found = self.offers.binary_search_by(|offer| offer.candidate.offer_id.as_str().cmp(id));
            scratch.excluded.extend(found.ok().map(|index| index as u32));
        }
        scratch.excluded.sort_unstable();
        scratch.excluded.dedup();
    }

    fn tally(&self, scratch: &Scratch) -> Tally {
        let mut tally = Tally { excluded: scratch.excluded.len(), invalid: self.invalid, ..Tally::default() };
        for passing in &scratch.passing {
            if let Some(group) = self.groups.get(passing.group as usize) {
                tally.qualified += group.size as usize;
                tally.ranked += self.orders.get(group.order + passing.holding).len();
            }
        }
        for excluded in &scratch.excluded {
            let Some(offer) = self.offers.get(*excluded as usize) else { continue };
            match &offer.program {
                Err(_) => tally.invalid -= 1,
                Ok(program) if self.qualifies(program, scratch) => {
                    tally.qualified -= 1;
                    let place = self.place(*excluded, program, scratch);
                    tally.ranked -= usize::from(place.is_some());
                }
                Ok(_) => {}
            }
        }
        tally.not_qualified = self.offers.len() - tally.excluded - tally.invalid - tally.qualified;
        tally
    }

    /// Whether the offer of a program qualified in the evaluation of this scratch.
    pub(super) fn qualifies(&self, program: &Program, scratch: &Scratch) -> bool {
        program.group.is_some_and(|group| scratch.groups.get(group, scratch.epoch()).is_some())
    }

    /// The place of a qualified offer; none when it has no score.
    pub(super) fn place(&self, offer: u32, program: &Program, scratch: &Scratch) -> Option<Place> {
        let group = self.groups.get(program.group? as usize)?;
        let holding = scratch.affinities.get(group.affinities, scratch.epoch())?;
        let worth = &self.offers.get(offer as usize)?.candidate.worth;
        let count = self.affinities.get(group.affinities as usize).map_or(0, |rules| rules.len());
        let score = self.scoring.factors(worth, holding as usize, count).score(&self.scoring.weights)?;
        Some(Place { score, priority: worth.priority, offer })
    }

    /// Finds the best of all groups that qualify.
    fn pick(&self, best_max: usize, scratch: &mut Scratch) {
        let Scratch { best, excluded, ahead, passing, .. } = scratch;
        let is_wanted = |place: &&Place| excluded.binary_search(&place.offer).is_err();
        if let [only] = passing.as_slice() {
            let wanted = self.ranking(*only).iter().filter(is_wanted).take(best_max);
            best.extend(wanted.map(|place| Best { place: *place, holding: only.holding }));
            return;
        }
        for group in passing {
            for place in self.ranking(*group).iter().filter(is_wanted) {
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
        best.extend(ahead.drain().map(|Ahead { place, holding }| Best { place, holding }));
        best.sort_unstable_by(|a, b| a.place.cmp(&b.place));
    }

    /// The offers of a group that qualifies, best first.
    fn ranking(&self, passing: Passing) -> &[Place] {
        self.groups.get(passing.group as usize).map_or(&[], |group| self.orders.get(group.order + passing.holding))
    }
}

impl Scratch {
    /// The best offers of the last evaluation, best first.
    pub fn best(&self) -> &[Best] {
        &self.best
    }
}
