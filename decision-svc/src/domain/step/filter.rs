//! `filter`: leaves out candidates of which one of the flow's own rules is not true. The rules are
//! tested once per group of offers (`compile/group.rs`).

use formula::rule::Rule;

use super::{Need, NodeType};
use crate::domain::tally::Tally;

/// Most rules of a filter.
pub const FILTERS_MAX: usize = 100;

/// The flow's own rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// All must be true.
    pub rules: Vec<Rule>,
}

impl NodeType for Filter {
    fn order(&self) -> Option<u8> {
        Some(30)
    }

    fn needs(&self) -> Option<Need> {
        Some(Need::Before("enrich"))
    }

    fn left(&self, _: usize, tally: &Tally) -> usize {
        tally.let_through()
    }
}
