//! Runs a compiled flow: which offers the customer qualifies for, and the best in order. The work
//! follows the offers that may match. Nothing is allocated once a scratch has grown.

mod exception;
mod learned;
mod pick;

use formula::program::{Inputs, Record, Register, Why, Word};

use crate::domain::{
    compile::{CompiledFlow, EMPTY, Source},
    facts::Facts,
    scalar::{Fields, Scalar},
    scratch::{Best, Passing, Room, Scratch},
    tally::Tally,
};

/// Fields of a record for each that a flow reads, or the other way round, up to which both are
/// walked together.
const WALKED_MAX: usize = 4;

/// The customer of an evaluation: the facts, and their record as the flow took it in.
#[derive(Clone, Copy, Debug)]
pub struct Customer<'a> {
    /// The facts.
    pub facts: &'a Facts<'a>,
    /// Their record.
    pub record: &'a Record,
}

impl CompiledFlow {
    /// Evaluates. The `best_max` best offers are in the scratch, best first.
    pub fn evaluate(
        &self,
        customer: &Customer<'_>,
        exclude_offers: &[String],
        best_max: usize,
        scratch: &mut Scratch,
    ) -> Tally {
        scratch.begin(self.room());
        for access in &self.accesses {
            let value = self.fill(access.register, customer, scratch);
            for group in access.groups(value) {
                self.visit(*group, customer, scratch);
            }
        }
        for group in &self.always {
            self.visit(*group, customer, scratch);
        }
        self.find_exceptions(customer, exclude_offers, scratch);
        self.pick(best_max, customer, scratch)
    }

    /// How much room an evaluation needs.
    pub(super) fn room(&self) -> Room {
        Room {
            registers: self.sources.len(),
            rules: self.rules.len(),
            sets: self.sets.len(),
            affinities: self.affinities.len(),
            groups: self.groups.len(),
        }
    }

    /// Takes in a customer's record: all that this flow reads of it.
    pub fn take_in(&self, fields: &Fields, record: &mut Record) {
        record.clear(self.fields.len());
        let key_of = |number: &usize| self.fields.get(*number).map(|field| field.key.as_str());
        if fields.len() > WALKED_MAX * self.fields.len() {
            for (number, field) in self.fields.iter().enumerate() {
                if let Some(value) = fields.get(&field.key) {
                    self.put(number, value, record);
                }
            }
        } else if self.fields.len() <= WALKED_MAX * fields.len() {
            // In one walk beside each other: to look each one up would compare more names.
            let mut theirs = fields.iter().peekable();
            for number in &self.fields_by_key {
                let wanted = key_of(number);
                while theirs.next_if(|(key, _)| Some(key.as_str()) < wanted).is_some() {}
                if let Some((_, value)) =
                    theirs.peek().filter(|(key, _)| Some(key.as_str()) == wanted)
                {
                    self.put(*number, value, record);
                }
            }
        } else {
            for (key, value) in fields {
                let wanted = Some(key.as_str());
                let from = self.fields_by_key.partition_point(|number| key_of(number) < wanted);
                let all = self
                    .fields_by_key
                    .iter()
                    .skip(from)
                    .take_while(|number| key_of(number) == wanted);
                all.for_each(|number| self.put(*number, value, record));
            }
        }
    }

    fn put(&self, number: usize, value: &Scalar, record: &mut Record) {
        let Some(field) = self.fields.get(number) else { return };
        let keep = |text: &str| self.constants.known(text).unwrap_or_else(|| record.text(text));
        let word = value.word(field.declared, Record::register(number), keep);
        record.put(number, word);
    }

    /// The value of a register, read or computed when it is the first time.
    #[inline]
    pub(super) fn fill(
        &self,
        register: Register,
        customer: &Customer<'_>,
        scratch: &mut Scratch,
    ) -> Word {
        let known = customer.record.word(register).or_else(|| scratch.registers.get(register));
        known.unwrap_or_else(|| self.fill_first(register, customer, scratch))
    }

    #[inline(never)]
    fn fill_first(
        &self,
        register: Register,
        customer: &Customer<'_>,
        scratch: &mut Scratch,
    ) -> Word {
        let Some(source) = self.sources.get(register as usize) else {
            return Word::null(Why::Register(register));
        };
        let word = match source {
            Source::Computed { program, output, needs } => {
                // In their order each comes after what it needs itself, so this goes no deeper.
                for needed in needs {
                    self.fill(*needed, customer, scratch);
                }
                let Scratch { registers, memory, .. } = scratch;
                let inputs = Inputs { record: customer.record, registers };
                let value = program.run(inputs, &self.constants, customer.facts.moment, memory);
                output.map_or(value, |output| output.convert(value, memory))
            }
            input => input.read(register, customer.facts, &self.constants, &mut scratch.memory),
        };
        scratch.registers.set(register, word);
        word
    }

    /// Whether a rule is true; tested once per evaluation.
    pub(super) fn is_true(
        &self,
        rule: u32,
        customer: &Customer<'_>,
        scratch: &mut Scratch,
    ) -> bool {
        if let Some(noted) = scratch.rules.get(rule, scratch.epoch()) {
            return noted == 1;
        }
        let Some(program) = self.rules.get(rule as usize) else { return false };
        for register in program.reads() {
            self.fill(*register, customer, scratch);
        }
        let texts = self.constants.texts(customer.record, &scratch.memory);
        let is_true = program.judge(scratch.inputs(customer.record), texts).is == Some(true);
        scratch.rules.note(rule, scratch.epoch(), u32::from(is_true));
        is_true
    }

    fn visit(&self, number: u32, customer: &Customer<'_>, scratch: &mut Scratch) {
        let Some(group) = self.groups.get(number as usize) else { return };
        if !self.all_true(group.set, customer, scratch) {
            return;
        }
        let is_filtered = !self.all_true(group.filters, customer, scratch);
        let matching =
            if is_filtered { 0 } else { self.matching(group.affinities, customer, scratch) };
        let order = group.order + if self.is_walked { 0 } else { matching };
        let order = if is_filtered { (0, 0) } else { self.orders.bounds(order) };
        scratch.groups.note(number, scratch.epoch(), u32::from(!is_filtered));
        scratch.passing.push(Passing { size: group.size, matching, order, is_filtered });
    }

    #[inline]
    fn all_true(&self, set: u32, customer: &Customer<'_>, scratch: &mut Scratch) -> bool {
        set == EMPTY || self.set_is_true(set, customer, scratch)
    }

    fn set_is_true(&self, set: u32, customer: &Customer<'_>, scratch: &mut Scratch) -> bool {
        if let Some(noted) = scratch.sets.get(set, scratch.epoch()) {
            return noted == 1;
        }
        let (checks, rules) = (self.checks.get(set), self.sets.get(set));
        let is_true =
            checks.iter().all(|check| check.is_true(self.fill(check.register, customer, scratch)))
                && rules.iter().all(|rule| self.is_true(*rule, customer, scratch));
        scratch.sets.note(set, scratch.epoch(), u32::from(is_true));
        is_true
    }

    /// How many affinities of a list are true.
    fn matching(&self, list: u32, customer: &Customer<'_>, scratch: &mut Scratch) -> u32 {
        if list == EMPTY {
            return 0;
        }
        if let Some(noted) = scratch.affinities.get(list, scratch.epoch()) {
            return noted;
        }
        let rules = self.affinities.get(list as usize).map(|rules| &**rules).unwrap_or_default();
        let matching =
            rules.iter().filter(|rule| self.is_true(**rule, customer, scratch)).count() as u32;
        scratch.affinities.note(list, scratch.epoch(), matching);
        matching
    }
}

impl Scratch {
    /// The best offers of the last evaluation, best first.
    pub fn best(&self) -> &[Best] {
        &self.best
    }
}
