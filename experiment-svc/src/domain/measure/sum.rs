//! What is summed over a customer's outcomes.

/// Key of the system's outcome type for a sale or a goal reached.
pub const CONVERSION: &str = "conversion";

/// A sum over those outcomes of one customer that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sum {
    /// How many outcomes are of this type. Of `conversion` those with a value above 0 or without
    /// one: a refund is no conversion, and takes none back.
    Outcomes {
        /// Key of the outcome type.
        key: String,
    },
    /// The values of positive outcomes and every negative value, in 1/10,000.
    Revenue,
    /// How many positive outcomes have a value above 0.
    Purchases,
}

/// An outcome, as far as sums read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened<'a> {
    /// Key of the outcome type.
    pub key: &'a str,
    /// True when its type has the positive classification.
    pub is_positive: bool,
    /// Its value in 1/10,000; none without one.
    pub value_e4: Option<i64>,
}

impl Sum {
    /// What one outcome adds.
    pub fn of(&self, outcome: &Happened<'_>) -> i128 {
        let Happened { key, is_positive, value_e4 } = *outcome;
        match self {
            Self::Outcomes { key: counted } => i128::from(
                counted == key && (key != CONVERSION || value_e4.is_none_or(|value| value > 0)),
            ),
            Self::Revenue => {
                let value = value_e4.filter(|value| is_positive || *value < 0);
                value.map(i128::from).unwrap_or_default()
            }
            Self::Purchases => i128::from(is_positive && value_e4.is_some_and(|value| value > 0)),
        }
    }
}
