//! What the offers of a flow may cost together. A decision computes each formula and judges each
//! rule once, however many offers have it, so each is charged to the first offer that has it.
//!
//! The budget is one of steps, counted from the programs. The same flow and catalog leave out the
//! same offers everywhere and at any time.

use formula::{
    Steps,
    program::{Record, Register},
};

use super::{Program, Source, interner::Interner};

/// Steps of a decision at most: some seconds if every text is as long as can be and no regular
/// expression fits its memory, and some milliseconds otherwise.
pub const STEPS_MAX: u64 = 4_000_000_000;
/// Steps of an offer besides its rules and formulas: its place in the ranking.
const OFFER_STEPS: usize = 64;

/// What is left of the budget.
#[derive(Debug)]
pub(super) struct Budget {
    most: u64,
    spent: Steps,
    /// By number: rules and computed registers that are paid for.
    rules: Vec<bool>,
    registers: Vec<bool>,
}

impl Budget {
    /// All of it.
    pub fn new(most: u64) -> Self {
        Self { most, spent: Steps::default(), rules: Vec::new(), registers: Vec::new() }
    }

    /// The steps of all offers that were charged.
    pub fn spent(&self) -> Steps {
        self.spent
    }

    /// Takes what an offer costs; an error says how much that would be, and takes nothing.
    pub fn charge(&mut self, interner: &Interner<'_>, program: &Program) -> Result<(), u64> {
        let mut spent = self.spent;
        spent += Steps::fixed(OFFER_STEPS);
        let (mut rules, mut registers) = (Vec::new(), Vec::new());
        let lists = [&interner.affinities.all];
        let affinities = lists.into_iter().filter_map(|all| all.get(program.affinities as usize));
        let named = program.rules.iter().chain(&program.filters).chain(affinities.flatten());
        let mut open: Vec<Register> = Vec::new();
        for rule in named {
            let Some(found) = interner.rules.get(*rule as usize) else { continue };
            if take(&mut self.rules, *rule as usize, &mut rules) {
                spent += found.steps();
                open.extend(found.reads());
            }
        }
        let shown = interner.shown.all.get(program.shown as usize);
        open.extend(shown.into_iter().flatten().map(|shown| shown.register));
        open.extend(interner.score_inputs.all.get(program.inputs as usize).into_iter().flatten());
        while let Some(register) = open.pop() {
            if Record::field(register).is_some() {
                continue;
            }
            if let Some(Source::Computed { program, .. }) = interner.sources.get(register as usize)
                && take(&mut self.registers, register as usize, &mut registers)
            {
                spent += program.steps();
                open.extend(program.reads());
            }
        }
        if spent.most() <= self.most {
            self.spent = spent;
            return Ok(());
        }
        let give_back = |paid: &mut Vec<bool>, numbers: Vec<usize>| {
            for number in numbers {
                paid.get_mut(number).into_iter().for_each(|paid| *paid = false);
            }
        };
        give_back(&mut self.rules, rules);
        give_back(&mut self.registers, registers);
        Err(spent.most().saturating_sub(self.spent.most()))
    }
}

/// Marks a number as paid for, and remembers it; false when it was paid before.
fn take(paid: &mut Vec<bool>, number: usize, taken: &mut Vec<usize>) -> bool {
    if paid.len() <= number {
        paid.resize(number + 1, false);
    }
    match paid.get_mut(number) {
        Some(paid) if !*paid => {
            *paid = true;
            taken.push(number);
            true
        }
        _ => false,
    }
}
