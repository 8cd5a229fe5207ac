//! What the offers of a flow may cost together. A decision computes each formula and judges each
//! rule once, however many offers have it, so each is charged to the first offer that has it.
//!
//! The budget is one of steps, counted from the programs. The same flow and catalog leave out the
//! same offers everywhere and at any time.

use std::collections::HashSet;

use formula::{Steps, program::Register};

use super::{Program, Source, interner::Interner};

/// Steps of a decision at most: some seconds if every text is as long as can be and no regular
/// expression fits its memory, and some milliseconds otherwise.
pub const STEPS_MAX: u64 = 4_000_000_000;
/// Steps of an offer besides its rules and formulas: its place in the ranking.
const OFFER_STEPS: usize = 64;

/// What is spent of the budget.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: Steps,
    /// Rules and computed registers that are paid for.
    rules: HashSet<u32>,
    registers: HashSet<Register>,
}

impl Budget {
    /// The steps of all offers that were charged.
    pub fn spent(&self) -> Steps {
        self.spent
    }

    /// Takes what an offer costs; an error says how much that would be, and takes nothing.
    pub fn charge(&mut self, interner: &Interner<'_>, program: &Program) -> Result<(), u64> {
        let mut spent = self.spent;
        spent += Steps::fixed(OFFER_STEPS);
        let affinities = interner.affinities.all.get(program.affinities as usize);
        let rules = program.rules.iter().chain(&program.filters);
        let rules = rules.chain(affinities.into_iter().flatten()).copied();
        let rules: HashSet<u32> = rules.filter(|rule| !self.rules.contains(rule)).collect();
        let mut open: Vec<Register> = Vec::new();
        for rule in rules.iter().filter_map(|rule| interner.rules.get(*rule as usize)) {
            spent += rule.steps();
            open.extend(rule.reads());
        }
        let shown = interner.shown.all.get(program.shown as usize);
        open.extend(shown.into_iter().flatten().map(|shown| shown.register));
        open.extend(interner.score_inputs.all.get(program.inputs as usize).into_iter().flatten());
        // What a register needs was paid for with it.
        let mut registers = HashSet::new();
        while let Some(register) = open.pop() {
            if let Some(Source::Computed { program, .. }) = interner.sources.get(register as usize)
                && !self.registers.contains(&register)
                && registers.insert(register)
            {
                spent += program.steps();
                open.extend(program.reads());
            }
        }
        if spent.most() > STEPS_MAX {
            return Err(spent.most().saturating_sub(self.spent.most()));
        }
        self.spent = spent;
        self.rules.extend(rules);
        self.registers.extend(registers);
        Ok(())
    }
}
