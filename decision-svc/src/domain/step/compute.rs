//! `compute`: computes the categories' fields. The engine computes a field when something reads it,
//! so the node marks a place in the trace only.

use super::{Need, NodeType};

/// Has no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compute;

impl NodeType for Compute {
    fn order(&self) -> Option<u8> {
        Some(20)
    }

    fn needs(&self) -> Option<Need> {
        Some(Need::Before("enrich"))
    }
}
