//! Qualification rules: conditions on fields, nested by all, any and not. Three-valued: what is
//! missing is unknown, and unknown stays unknown under not, so absence never becomes eligibility.

mod compile;
mod evaluate;
pub(crate) mod pattern;
mod trace;

pub use compile::{CONDITIONS_MAX, CompiledRule, DEPTH_MAX, RuleError};
pub(crate) use compile::{Compiled, Condition, Test};
pub use evaluate::{Refusal, Verdict};
pub(crate) use pattern::is_too_long;
pub use pattern::{Pattern, REGEX_BYTES_MAX};
pub use trace::Trace;

use crate::{Exact, Number, Type};

/// A rule as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// One comparison.
    Condition {
        /// Name of the field.
        field: String,
        /// The comparison.
        op: Operator,
        /// What it is compared with.
        value: Literal,
    },
    /// True when all are.
    All(Vec<Rule>),
    /// True when at least one is.
    Any(Vec<Rule>),
    /// True when the rule is false.
    Not(Box<Rule>),
}

/// A value as written in a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// Text; also dates and timestamps.
    String(String),
    /// A number that is a double.
    Number(f64),
    /// A number that no double is.
    Exact(Exact),
    /// True or false.
    Boolean(bool),
    /// Several values.
    List(Vec<Literal>),
    /// None was given.
    None,
}

impl Literal {
    /// The type that a field compared with it has, where nothing declares that type.
    pub fn compared_type(&self) -> Type {
        match self {
            Self::Number(_) | Self::Exact(_) => Type::Number,
            Self::Boolean(_) => Type::Boolean,
            Self::List(items) => items.first().map_or(Type::String, Self::compared_type),
            Self::String(_) | Self::None => Type::String,
        }
    }
}

impl From<Number> for Literal {
    fn from(number: Number) -> Self {
        match number {
            Number::Double(double) => Self::Number(double),
            Number::Exact(exact) => Self::Exact(exact),
        }
    }
}

macro_rules! operators {
    ($($variant:ident $symbol:literal $word:literal),* $(,)?) => {
        /// Comparisons.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is its symbol")]
        pub enum Operator { $($variant),* }

        impl Operator {
            /// The symbol, as `>=` or `not_in`.
            pub fn symbol(self) -> &'static str {
                match self { $(Self::$variant => $symbol),* }
            }

            /// Reads a symbol or its word form, as `>=` or `gte`.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($symbol | $word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

operators! {
    Eq "==" "eq", Neq "!=" "neq",
    Gt ">" "gt", Gte ">=" "gte", Lt "<" "lt", Lte "<=" "lte",
    In "in" "one_of", NotIn "not_in" "none_of",
    Contains "contains" "has", NotContains "not_contains" "has_not",
    StartsWith "starts_with" "begins_with", EndsWith "ends_with" "finishes_with",
    Matches "matches" "regex",
    Exists "exists" "is_set", NotExists "not_exists" "is_not_set",
}
