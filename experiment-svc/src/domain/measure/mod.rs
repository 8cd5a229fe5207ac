//! Metrics: one figure per customer, by which an experiment is judged.
//!
//! A metric is one file in this folder: its name, the sums over a customer's outcomes that it
//! needs, and how those sums become the figure. [`KINDS`] is the only list of them.

mod conversion_rate;
mod count;
mod guardrail;
mod outcome;
mod rate;
mod revenue_per_customer;
mod sum;

pub use guardrail::{Guardrail, Harm};
pub use sum::{CONVERSION, Happened, Sum};

/// Every kind of metric; the first is the default.
const KINDS: [MetricKind; 5] =
    [conversion_rate::KIND, revenue_per_customer::KIND, outcome::KIND, count::KIND, rate::KIND];
/// Characters of a wrong name that its fault repeats.
const SHOWN_MAX: usize = 60;
/// Longest key of an outcome type, in bytes.
const KEY_MAX: usize = 63;

/// A figure per customer, and what the analysis needs to know about it.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name, as callers write it.
    pub name: String,
    /// What is summed over a customer's outcomes.
    pub sums: Vec<Sum>,
    /// Makes one customer's figure of those sums, which come in the order of `sums`. The figure is
    /// a whole number of 1/`units`.
    pub figure: fn(&[i128]) -> i128,
    /// How many of these whole numbers make 1.
    pub units: f64,
    /// Which methods compare the arms.
    pub scale: Scale,
    /// What a verdict needs enough of.
    pub guard: Guard,
    /// Those customers, in words.
    pub events: &'static str,
}

/// What kind of number a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// 0 or 1 per customer; the mean is a rate.
    Rate,
    /// Any number, often 0 for most customers and large for a few.
    Amount,
    /// Two numbers per customer. The arms compare the ratio of their totals; the second sum is the
    /// denominator.
    Ratio,
}

/// Which customers a verdict needs in each arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// At least 10 whose figure is not zero.
    Events,
    /// At least 100 whose figure is not zero.
    ManyEvents,
    /// At least 100 with a positive outcome whose value is above 0.
    Buyers,
}

impl Guard {
    /// Fewest of these customers in each arm. Below 10 the normal tail of a rate is off; below 100
    /// one big spender decides about a mean.
    pub fn min(self) -> u64 {
        match self {
            Self::Events => 10,
            Self::ManyEvents | Self::Buyers => 100,
        }
    }
}

/// How one file of this folder takes part.
struct MetricKind {
    /// The name or the form of names, as faults list it.
    form: &'static str,
    /// Reads a name; none when it is not of this form. A fault says what is wrong with it.
    parse: fn(&str) -> Option<Result<Metric, String>>,
}

impl Metric {
    /// The metric of an experiment that names none.
    pub const DEFAULT: &str = conversion_rate::KIND.form;

    /// The metric of this name; a fault lists the known ones, or says what would be right.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some(parsed) = KINDS.iter().find_map(|kind| (kind.parse)(name)) {
            return parsed;
        }
        let [others @ .., last] = KINDS.map(|kind| kind.form);
        Err(format!(
            "`{}` is not a metric; known are {} and {last}",
            shown(name),
            others.join(", ")
        ))
    }

    /// One customer's figure, in whole numbers of 1/`units`.
    pub fn figure_of(&self, sums: &[i128]) -> i128 {
        (self.figure)(sums)
    }

    /// One customer's second figure: the denominator of a ratio, else the covariate.
    pub fn paired_of(&self, sums: &[i128], covariate: i128) -> i128 {
        match self.scale {
            Scale::Ratio => sums.get(1).copied().unwrap_or_default(),
            Scale::Rate | Scale::Amount => covariate,
        }
    }
}

/// A name says everything about a metric.
impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Metric {}

/// The key of an outcome type; a fault names the metric and what a key is.
fn key(metric: &str, text: &str) -> Result<String, String> {
    let mut bytes = text.bytes();
    let is_key = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && text.len() <= KEY_MAX;
    if is_key {
        return Ok(text.to_owned());
    }
    Err(format!(
        "`{}` has `{}` where the key of an outcome type belongs: [a-z][a-z0-9_]{{0,62}}",
        shown(metric),
        shown(text)
    ))
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests;
