//! `allow_override`: lifts refusals by softer policies of lower priority.

use super::{
    finding::{Constant, Evaluation, Finding},
    ground::{Ground, Reads},
    kind::PolicyKind,
};

/// The kind's name.
pub const NAME: &str = "allow_override";

/// Lifts refusals in its scope of weaker policies whose kind yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowOverride;

impl PolicyKind for AllowOverride {
    fn name(&self) -> &'static str {
        NAME
    }

    fn reads(&self) -> Reads<'_> {
        Reads::default()
    }

    fn open<'a>(&'a self, _: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        Box::new(Constant(Finding::default()))
    }

    fn lifts(&self) -> bool {
        true
    }
}
