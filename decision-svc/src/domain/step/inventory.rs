//! `inventory`: chooses the offers to consider. Offers outside their schedule leave here.

use super::NodeType;
use crate::domain::tally::Tally;

/// Most categories of an inventory.
pub const CATEGORIES_MAX: usize = 100;

/// Which offers a flow considers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Ids or names of categories; all when empty.
    pub categories: Vec<String>,
}

impl NodeType for Inventory {
    fn order(&self) -> Option<u8> {
        Some(0)
    }

    fn left(&self, _: usize, tally: &Tally) -> usize {
        tally.offers - tally.closed
    }
}
