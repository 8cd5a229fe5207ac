//! Why there is no model: what there is, and what is needed.

use std::fmt;

use super::{Card, Figure, Q_ERRORS_MIN, Row, SLOPE_P_MAX, Settings, slope::Slope};
use crate::{BINS, FOLDS, encode::NUMBER_MAX};

/// Largest magnitude of a number of a vector: encoded ones are at most 10, and the solver needs
/// columns of about one size.
const VECTOR_MAX: f64 = 1e3;

/// Why there is no model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    /// There is too little of something.
    TooFew {
        /// Of what, in words.
        what: &'static str,
        /// How many there are.
        have: u64,
        /// How many are needed.
        need: u64,
    },
    /// The slope of the best linear predictor is not above 0; none when predictions do not differ.
    NotReal(Option<Slope>),
    /// The ranking earns nothing.
    DoesNotRank(Figure),
    /// A number of a row is not finite or too large, a probability is not between 0 and 1, or
    /// vectors have different widths.
    NotUsable {
        /// How many rows have one.
        rows: u64,
    },
    /// The regression found no solution.
    NotSolved,
    /// A figure would not be finite: the numbers are too large.
    NotFinite,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew { what, have, need } => write!(f, "{what}: have {have}, need {need}"),
            Self::NotReal(None) => {
                write!(f, "the model predicts the same effect for everyone: it cannot rank")
            }
            Self::NotReal(Some(Slope { value, error, p })) => write!(
                f,
                "the predicted differences between effects may be noise: have slope {value:.3} \
                 (standard error {error:.3}, one-sided p {p:.3}), need one above 0 at p < \
                 {SLOPE_P_MAX}"
            ),
            Self::DoesNotRank(Figure { value, error }) => write!(
                f,
                "the effect model ranks no better than chance: have Q {value:.6} (standard error \
                 {error:.6}), need at least {Q_ERRORS_MIN} standard errors above 0"
            ),
            Self::NotUsable { rows } => write!(
                f,
                "rows with a number that is not finite or too large, a probability that is not \
                 between 0 and 1, or another number of features: have {rows}, need 0"
            ),
            Self::NotSolved => write!(f, "the regression found no solution"),
            Self::NotFinite => write!(f, "the numbers are too large to compute with"),
        }
    }
}

/// What there is too little of to begin with.
pub(super) fn too_few(rows: &[Row], settings: Settings) -> Vec<Why> {
    let width = rows.first().map_or(0, |row| row.vector.len());
    let is_usable = |row: &&Row| row.vector.len() == width && is_usable(row);
    let unusable = rows.iter().filter(|row| !is_usable(row)).count() as u64;
    if unusable > 0 {
        return vec![Why::NotUsable { rows: unusable }];
    }
    let count = |is_treated: bool, is_event: bool| {
        let is_counted = |row: &&Row| {
            let event = if settings.in_money { row.value != 0.0 } else { row.is_positive };
            row.is_treated == is_treated && (!is_event || event)
        };
        rows.iter().filter(is_counted).count() as u64
    };
    let fold = |fold: usize| rows.iter().filter(|row| row.fold == fold).count() as u64;
    let smallest = (0..FOLDS).map(fold).min().unwrap_or(0);
    // A bin needs two of each fold for an error.
    let fold_min = 2 * BINS as u64;
    let events_min = settings.events_min.max(1);
    [
        ("customers of the smallest fold", smallest, fold_min),
        ("treated customers", count(true, false), FOLDS as u64),
        ("customers held out", count(false, false), FOLDS as u64),
        ("treated customers with the outcome", count(true, true), events_min),
        ("customers held out with the outcome", count(false, true), events_min),
    ]
    .into_iter()
    .filter(|(_, have, need)| have < need)
    .map(|(what, have, need)| Why::TooFew { what, have, need })
    .collect()
}

fn is_usable(row: &Row) -> bool {
    let is_probability = row.probability > 0.0 && row.probability < 1.0;
    let is_selected = row.selection > 0.0 && row.selection <= 1.0;
    let is_small = |number: &f64| number.abs() <= VECTOR_MAX;
    is_probability
        && is_selected
        && row.value.abs() <= NUMBER_MAX
        && row.vector.iter().all(is_small)
}

/// Why the model does not rank, if it does not.
pub fn does_not_rank(card: &Card) -> Vec<Why> {
    let is_real = card.slope.is_some_and(|slope| slope.p < SLOPE_P_MAX);
    let ranks = card.qini.value >= Q_ERRORS_MIN * card.qini.error && card.qini.value > 0.0;
    let ranks = (!ranks).then_some(Why::DoesNotRank(card.qini));
    let is_real = (!is_real).then_some(Why::NotReal(card.slope));
    ranks.into_iter().chain(is_real).collect()
}
