//! `qualify`: leaves out offers of which a rule is not true. Offers with the same rules are tested
//! as one group (`compile/group.rs`). Excluded offers, and those whose rules cannot be applied,
//! leave here, too.

use super::{Need, NodeType};
use crate::domain::tally::Tally;

/// Has no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Qualify;

impl NodeType for Qualify {
    fn order(&self) -> Option<u8> {
        Some(20)
    }

    fn needs(&self) -> Option<Need> {
        Some(Need::Before("enrich"))
    }

    fn left(&self, _: usize, tally: &Tally) -> usize {
        tally.qualified
    }
}
