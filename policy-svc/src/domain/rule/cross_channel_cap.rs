//! `cross_channel_cap`: a maximum of contacts over all channels.

use super::cap::CapKind;
use crate::domain::{refusal::ReasonCode, scope::Scope};

/// The kind's name.
pub const NAME: &str = "cross_channel_cap";

/// At most so many contacts over all channels.
pub static KIND: CapKind = CapKind {
    scope: Scope::on_every_channel,
    scope_fault: |written| {
        let text = "must not contain `channel:`: cross_channel_cap counts on every channel";
        written.names_channels().then_some(text)
    },
    ..CapKind::new(NAME, ReasonCode::CrossChannelCap)
};
