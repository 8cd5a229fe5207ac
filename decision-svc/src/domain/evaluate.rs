//! Runs a compiled flow: who qualifies, and the best in order. Work follows the offers that may match; nothing is
//! allocated once a scratch has grown.

mod aside;
mod pick;

use formula::program::{Register, Why, Word};

use crate::domain::{
    compile::{CompiledFlow, EMPTY, Facts, Field, Source},
    scalar::{Fields, Scalar},
    scratch::{Best, Passing, Scratch},
};

/// Fields a flow reads for each field of a record, up to which both are walked together.
const WALKED_MAX: usize = 4;

/// How many offers went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Excluded by the request.
    pub excluded: usize,
    /// Outside their schedule.
    pub closed: usize,
    /// Their rules cannot be applied.
    pub invalid: usize,
    /// All rules hold, or need not since the offer is mandatory.
    pub qualified: usize,
    /// A rule does not hold.
    pub not_qualified: usize,
    /// Qualified, and left out by the flow's own rules.
    pub filtered: usize,
    /// Let through, and without a creative where one is required.
    pub without_creative: usize,
    /// What remains, and has a score.
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
        self.take_in(facts.record, scratch);
        self.judge(facts, exclude_offers, best_max, scratch)
    }

    /// Evaluates with the record that the scratch took in last, which must be that of the facts.
    pub fn judge(&self, facts: &Facts<'_>, exclude_offers: &[String], best_max: usize, scratch: &mut Scratch) -> Tally {
        scratch.begin();
        for access in &self.accesses {
            let value = self.fill(access.register, facts, scratch);
            for group in access.groups(value) {
                self.visit(*group, facts, scratch);
            }
        }
        for group in &self.always {
            self.visit(*group, facts, scratch);
        }
        self.set_aside(facts, exclude_offers, scratch);
        self.pick(best_max, facts, scratch)
    }

    /// Takes in a customer's record: the registers of its fields are filled until the next is taken in.
    pub fn take_in(&self, record: &Fields, scratch: &mut Scratch) {
        scratch.begin_record(self);
        let Scratch { registers, memory, .. } = scratch;
        let missing = |field: &Field| Word::null(Why::Register(field.register));
        let mut word =
            |field: &Field, value: &Scalar| value.word(field.declared, field.register, &self.constants, memory);
        if self.fields.len() <= WALKED_MAX * record.len() {
            // In one walk beside the fields: to look each one up would compare more names.
            let mut record = record.iter().peekable();
            for field in &self.fields {
                while record.next_if(|(name, _)| **name < field.name).is_some() {}
                let found = record.peek().filter(|(name, _)| **name == field.name);
                registers.keep(field.register, found.map_or(missing(field), |(_, value)| word(field, value)));
            }
        } else {
            self.fields.iter().for_each(|field| registers.keep(field.register, missing(field)));
            for (name, value) in record {
                let from = self.fields.partition_point(|field| field.name < *name);
                for field in self.fields.iter().skip(from).take_while(|field| field.name == *name) {
                    registers.keep(field.register, word(field, value));
                }
            }
        }
        memory.keep();
    }

    /// The value of a register, read or computed when it is the first time.
    #[inline]
    pub(super) fn fill(&self, register: Register, facts: &Facts<'_>, scratch: &mut Scratch) -> Word {
        scratch.registers.get(register).unwrap_or_else(|| self.fill_first(register, facts, scratch))
    }

    #[inline(never)]
    fn fill_first(&self, register: Register, facts: &Facts<'_>, scratch: &mut Scratch) -> Word {
        let Some(source) = self.sources.get(register as usize) else { return Word::null(Why::Register(register)) };
        let word = match source {
            Source::Computed { program, output, needs } => {
                // In their order each comes after what it needs itself, so this goes no deeper.
                for needed in needs {
                    self.fill(*needed, facts, scratch);
                }
                let Scratch { registers, memory, .. } = scratch;
                let value = program.run(registers, &self.constants, facts.moment, memory);
                output.map_or(value, |output| output.convert(value, &self.constants, memory))
            }
            input => input.read(register, facts, &self.constants, &mut scratch.memory),
        };
        scratch.registers.set(register, word);
        word
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
        let is_filtered = !self.all_hold(group.filters, facts, scratch);
        let holding = if is_filtered { 0 } else { self.holding(group.affinities, facts, scratch) };
        let order = group.order + if self.is_walked { 0 } else { holding };
        let order = if is_filtered { (0, 0) } else { self.orders.bounds(order) };
        scratch.groups.note(number, scratch.epoch(), u32::from(!is_filtered));
        scratch.passing.push(Passing { size: group.size, holding, order, is_filtered });
    }

    #[inline]
    fn all_hold(&self, set: u32, facts: &Facts<'_>, scratch: &mut Scratch) -> bool {
        set == EMPTY || self.all_of_set_hold(set, facts, scratch)
    }

    fn all_of_set_hold(&self, set: u32, facts: &Facts<'_>, scratch: &mut Scratch) -> bool {
        if let Some(noted) = scratch.sets.get(set, scratch.epoch()) {
            return noted == 1;
        }
        let (checks, rules) = (self.checks.get(set), self.sets.get(set));
        let holds = checks.iter().all(|check| check.holds(self.fill(check.register, facts, scratch)))
            && rules.iter().all(|rule| self.holds(*rule, facts, scratch));
        scratch.sets.note(set, scratch.epoch(), u32::from(holds));
        holds
    }

    /// How many affinities of a list hold.
    fn holding(&self, list: u32, facts: &Facts<'_>, scratch: &mut Scratch) -> u32 {
        if list == EMPTY {
            return 0;
        }
        if let Some(noted) = scratch.affinities.get(list, scratch.epoch()) {
            return noted;
        }
        let rules = self.affinities.get(list as usize).map(|rules| &**rules).unwrap_or_default();
        let holding = rules.iter().filter(|rule| self.holds(**rule, facts, scratch)).count() as u32;
        scratch.affinities.note(list, scratch.epoch(), holding);
        holding
    }
}

impl Scratch {
    /// The best offers of the last evaluation, best first.
    pub fn best(&self) -> &[Best] {
        &self.best
    }
}
