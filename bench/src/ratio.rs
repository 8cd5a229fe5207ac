//! Terms, medians and ratios.

/// A/A pairs that differ by more make the run void.
const SWAY_MAX: f64 = 1.10;

/// The middle value; of an even number the upper one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A measured quantity, by round.
#[derive(Clone, Debug)]
pub struct Term {
    /// What it is, with its unit.
    pub name: String,
    /// One value per round.
    pub rounds: Vec<f64>,
}

impl Term {
    /// No rounds yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), rounds: Vec::new() }
    }

    fn middle(&self) -> f64 {
        median(self.rounds.clone())
    }
}

/// What a ratio should come to.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Whatever it comes to.
    None,
}

/// Prints both terms, the A/A pair of the denominator and the ratio. `again` is the same as
/// `below`, measured beside it.
pub fn print(name: &str, above: &Term, below: &Term, again: &Term, goal: Goal) {
    let ratio = above.middle() / below.middle();
    let (is_met, wanted) = match goal {
        Goal::AtLeast(least) => (ratio >= least, format!("wanted ≥ {least}: ")),
        Goal::AtMost(most) => (ratio <= most, format!("wanted ≤ {most}: ")),
        Goal::None => (true, String::new()),
    };
    let sway = again.middle() / below.middle();
    let is_void = !(1.0 / SWAY_MAX..=SWAY_MAX).contains(&sway);
    let verdict = match (is_void, is_met) {
        (true, _) => "void: the A/A pair differs by more than 10 %",
        (false, true) => {
            if wanted.is_empty() {
                "told only"
            } else {
                "met"
            }
        }
        (false, false) => "missed",
    };
    println!("{name}");
    [above, below].into_iter().for_each(print_term);
    println!("  {:<58} {sway:>12.3}", "A/A");
    println!("  {:<58} {ratio:>12.2}   {wanted}{verdict}", "ratio");
}

/// Prints a term by itself.
pub fn print_term(term: &Term) {
    // Milliseconds need their digits.
    let digits = if term.middle() < 100.0 { 2 } else { 1 };
    let rounds: Vec<_> = term.rounds.iter().map(|value| format!("{value:.digits$}")).collect();
    println!("  {:<58} {:>12.digits$}   rounds {}", term.name, term.middle(), rounds.join(" "));
}
