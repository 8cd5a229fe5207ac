//! `customer_total_cap`: a maximum of contacts with a customer, with any offer.

use super::{
    cap::{Cap, CapDraft},
    finding::Evaluation,
    ground::{Ground, Reads},
    kind::PolicyKind,
};
use crate::domain::{Faults, refusal::ReasonCode, scope::Scope};

/// The kind's name.
pub const NAME: &str = "customer_total_cap";

/// At most so many contacts with a customer, whatever they are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerTotalCap(pub Cap);

impl CustomerTotalCap {
    /// Checks a cap.
    pub fn parse(draft: CapDraft) -> Result<Self, Faults> {
        Cap::parse(NAME, draft).map(Self)
    }
}

impl PolicyKind for CustomerTotalCap {
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
        self.0.open(ReasonCode::CustomerTotalCap, ground)
    }

    fn scope(&self, _written: Scope) -> Scope {
        Scope::default()
    }

    fn scope_fault(&self, written: &Scope) -> Option<&'static str> {
        let text = "must be `global` or left out: customer_total_cap counts every contact and \
                    refuses every offer";
        (!written.is_global()).then_some(text)
    }
}
