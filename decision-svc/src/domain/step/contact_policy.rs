//! `contact_policy`: marks the place of contact verdicts in the trace. They depend on no other node
//! and bind flows without this node, too.

use super::NodeType;

/// Has no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactPolicy;

impl NodeType for ContactPolicy {
    fn order(&self) -> Option<u8> {
        None
    }
}
