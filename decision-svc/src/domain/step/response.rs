//! `response`: ends the flow; the offers that are left form the answer.

use super::NodeType;

/// Has no settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response;

impl NodeType for Response {
    fn order(&self) -> Option<u8> {
        Some(80)
    }
}
