//! A stored rule that this version cannot read. It refuses everything in its scope.

use super::{
    finding::{Constant, Evaluation, Finding},
    ground::{Ground, Reads},
    kind::PolicyKind,
};
use crate::domain::refusal::ReasonCode;

/// Refuses: a rule that cannot be evaluated must not be ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl PolicyKind for Unreadable {
    fn name(&self) -> &'static str {
        "unreadable"
    }

    fn reads(&self) -> Reads<'_> {
        Reads::default()
    }

    fn open<'a>(&'a self, _: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        let text = "its rule cannot be read by this version";
        Box::new(Constant(Finding::refused(ReasonCode::PolicyUnavailable, text)))
    }
}
