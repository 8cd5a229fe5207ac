//! `cross_channel_cap`: a maximum of contacts over all channels.

use super::{
    cap::{Cap, CapDraft},
    finding::Evaluation,
    ground::{Ground, Reads},
    kind::PolicyKind,
};
use crate::domain::{Faults, refusal::ReasonCode, scope::Scope};

/// The kind's name.
pub const NAME: &str = "cross_channel_cap";

/// At most so many contacts over all channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossChannelCap(pub Cap);

impl CrossChannelCap {
    /// Checks a cap.
    pub fn parse(draft: CapDraft) -> Result<Self, Faults> {
        Cap::parse(NAME, draft).map(Self)
    }
}

impl PolicyKind for CrossChannelCap {
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
        self.0.open(ReasonCode::CrossChannelCap, ground)
    }

    fn scope(&self, written: Scope) -> Scope {
        written.on_every_channel()
    }

    fn scope_fault(&self, written: &Scope) -> Option<&'static str> {
        let text = "must not contain `channel:`: cross_channel_cap counts on every channel";
        written.names_channels().then_some(text)
    }
}
