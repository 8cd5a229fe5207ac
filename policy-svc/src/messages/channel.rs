//! Converts the resource of a channel into the value that rules use.

use proffer_proto::{policy::v1 as proto, values::v1::ResourceStatus};

use crate::domain::{
    Faults,
    channel::{Channel, ChannelDraft},
};

/// The name of a status; `None` for an unknown number.
pub fn status_name(status: i32) -> Option<&'static str> {
    Some(match ResourceStatus::try_from(status).ok()? {
        ResourceStatus::Unspecified | ResourceStatus::Active => "active",
        ResourceStatus::Draft => "draft",
        ResourceStatus::Paused => "paused",
        ResourceStatus::Archived => "archived",
    })
}

/// The channel for the rules, or all faults by path within the resource.
pub fn channel(resource: &proto::Channel) -> Result<Channel, Faults> {
    let mut faults = Faults::new();
    let status = status_name(resource.status);
    if status.is_none() {
        faults.push(("status".to_owned(), format!("`{}` is not a status", resource.status)));
    }
    match Channel::parse(&channel_draft(resource, status.unwrap_or_default())) {
        Ok(channel) if faults.is_empty() => return Ok(channel),
        Ok(_) => {}
        Err(found) => faults.extend(found),
    }
    Err(faults)
}

fn channel_draft<'a>(resource: &'a proto::Channel, status: &'static str) -> ChannelDraft<'a> {
    let draft = ChannelDraft {
        id: &resource.id,
        name: &resource.name,
        status,
        channel_type: &resource.channel_type,
        ..ChannelDraft::default()
    };
    match &resource.config {
        None => draft,
        Some(config) => ChannelDraft {
            quiet_hours_start: &config.quiet_hours_start,
            quiet_hours_end: &config.quiet_hours_end,
            timezone_source: &config.timezone_source,
            consent_field: &config.consent_field,
            ..draft
        },
    }
}

/// A stored channel. One that this version cannot read refuses every contact.
pub fn stored(resource: &proto::Channel) -> Channel {
    let status = status_name(resource.status).unwrap_or("unknown");
    channel(resource).unwrap_or_else(|_| Channel::unreadable(&resource.id, &resource.name, status))
}
