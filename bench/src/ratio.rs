//! What every benchmark prints: its terms, their medians, the A/A pair and the ratio.

/// If the A/A pair differs by more than this factor, the run is void.
const SPREAD_MAX: f64 = 1.10;

/// The median. For an even count it is the upper of the two middle values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A measured quantity, by round.
#[derive(Clone, Debug)]
pub struct Term {
    /// What was measured, with its unit.
    pub name: String,
    /// One value per round.
    pub rounds: Vec<f64>,
}

impl Term {
    /// A term without rounds.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rounds: Vec::new() }
    }

    fn middle(&self) -> f64 {
        median(self.rounds.clone())
    }
}

/// The goal of a ratio.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// Met at this value or above.
    AtLeast(f64),
    /// Met at this value or below.
    AtMost(f64),
    /// Printed without a goal.
    None,
}

/// Prints both terms, the A/A pair and the ratio. `again` is a second measurement of `below` in the
/// same rounds.
pub fn print(name: &str, above: &Term, below: &Term, again: &Term, goal: Goal) {
    let ratio = above.middle() / below.middle();
    let (is_met, wanted) = match goal {
        Goal::AtLeast(least) => (ratio >= least, format!("goal ≥ {least}: ")),
        Goal::AtMost(most) => (ratio <= most, format!("goal ≤ {most}: ")),
        Goal::None => (true, String::new()),
    };
    let spread = again.middle() / below.middle();
    let is_void = !(1.0 / SPREAD_MAX..=SPREAD_MAX).contains(&spread);
    let verdict = match (is_void, is_met) {
        (true, _) => "void: the A/A pair differs by more than 10 %",
        (false, true) => {
            if wanted.is_empty() {
                "no goal"
            } else {
                "met"
            }
        }
        (false, false) => "missed",
    };
    println!("{name}");
    [above, below].into_iter().for_each(print_term);
    println!("  {:<58} {spread:>12.3}", "A/A");
    println!("  {:<58} {ratio:>12.2}   {wanted}{verdict}", "ratio");
}

/// Prints a term without a ratio.
pub fn print_term(term: &Term) {
    // Small values, such as milliseconds, need two digits.
    let digits = if term.middle() < 100.0 { 2 } else { 1 };
    let rounds: Vec<_> = term.rounds.iter().map(|value| format!("{value:.digits$}")).collect();
    println!("  {:<58} {:>12.digits$}   rounds {}", term.name, term.middle(), rounds.join(" "));
}
