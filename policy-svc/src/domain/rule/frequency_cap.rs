//! `frequency_cap`: a maximum of contacts in scope.

use super::{
    cap::{Cap, CapDraft},
    finding::Evaluation,
    ground::{Ground, Reads},
    kind::PolicyKind,
};
use crate::domain::{Faults, refusal::ReasonCode};

/// The kind's name.
pub const NAME: &str = "frequency_cap";

/// At most so many contacts in scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrequencyCap(pub Cap);

impl FrequencyCap {
    /// Checks a cap.
    pub fn parse(draft: CapDraft) -> Result<Self, Faults> {
        Cap::parse(NAME, draft).map(Self)
    }
}

impl PolicyKind for FrequencyCap {
    fn name(&self) -> &'static str {
        NAME
    }

    fn reads(&self) -> Reads<'_> {
        self.0.reads()
    }

    fn yields(&self) -> bool {
        false
    }

    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        self.0.open(ReasonCode::FrequencyCap, ground)
    }
}
