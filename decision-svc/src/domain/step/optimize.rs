//! `optimize`: takes the weights of the rank from a weight profile.

use super::{Need, NodeType};
use crate::domain::rank::Weights;

/// The weight profile of a flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimize {
    /// Id or name of the profile.
    pub reference: String,
    /// Its weights; `None` until they are looked up, and when it is missing or not active.
    pub found: Option<Weights>,
}

impl NodeType for Optimize {
    fn order(&self) -> Option<u8> {
        Some(60)
    }

    fn needs(&self) -> Option<Need> {
        Some(Need::After("rank"))
    }

    fn missing(&self) -> Option<String> {
        let profile = &self.reference;
        let why = "does not exist or is not active: default weights";
        self.found.is_none().then(|| format!("weight profile `{profile}` {why}"))
    }
}
