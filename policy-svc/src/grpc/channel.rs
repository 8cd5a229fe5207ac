//! ChannelService: the checks of channels; create, get, list, update and delete are in `history`.

use history::{Draft, ResourceKind};
use proffer_proto::policy::v1::{self as proto, channel_service_server::ChannelService};
use tonic::Status;
use wire::named::FIELD;

use super::Context;
use crate::{
    domain::{
        channel::{Channel, ChannelType, default_type},
        configuration::{CHANNELS_MAX, Configuration},
        folded,
    },
    messages,
};

/// The channels of a tenant.
pub struct Channels(pub Context);

impl ResourceKind<Context> for proto::Channel {
    fn count_max(_: &Context) -> Option<usize> {
        Some(CHANNELS_MAX)
    }

    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        let channel = match messages::channel::channel(&draft.resource) {
            Ok(channel) => channel,
            Err(faults) => {
                // The status was checked before.
                draft.add_faults(faults.into_iter().filter(|(path, _)| path != "status"));
                return Ok(());
            }
        };
        draft.refuse_faults()?;
        let resource = &mut draft.resource;
        if resource.channel_type.is_empty() {
            let default = default_type(&resource.name).map(ChannelType::name);
            resource.channel_type = default.unwrap_or_default().to_owned();
        }
        let config = resource.config.clone().unwrap_or_default();
        let zones = config.timezone_source.iter().map(|field| (FIELD, bare(field))).collect();
        let consent = Some(&config.consent_field).filter(|field| !field.is_empty());
        let consent = consent.map(|field| (FIELD, bare(field))).into_iter().collect();
        let names = &draft.context.known.names;
        draft.refer(names, "timezoneSource", zones).await;
        draft.refer(names, "consentField", consent).await;
        warn_left_dangling(draft, channel).await
    }

    async fn losses(context: &Context, tenant: &str, stored: &Self) -> Result<Vec<String>, Status> {
        let configuration = context.configurations.newest(tenant).await?;
        let is_other = |channel: &&Channel| channel.id != stored.id;
        let others: Vec<_> = configuration.channels.iter().filter(is_other).cloned().collect();
        Ok(left_dangling(&configuration, &others, |named| {
            format!("refers to channel `{named}`, which no longer exists")
        }))
    }
}

/// A customer field without `customer.`.
fn bare(field: &str) -> String {
    field.strip_prefix("customer.").unwrap_or(field).to_owned()
}

/// Warns of policies that named the channel by its name before this edit, and mean nothing by it
/// now.
async fn warn_left_dangling(
    draft: &mut Draft<'_, Context, proto::Channel>,
    edited: Channel,
) -> Result<(), Status> {
    let Some(before) = &draft.stored else { return Ok(()) };
    if folded(&before.name) == folded(&edited.name) {
        return Ok(());
    }
    let configuration = draft.context.configurations.newest(draft.tenant()).await?;
    let mut channels = configuration.channels.clone();
    channels.retain(|channel| channel.id != edited.id);
    channels.push(edited);
    draft.warn(left_dangling(&configuration, &channels, |named| {
        format!("refers to channel `{named}`, a name that no channel has any more")
    }));
    Ok(())
}

/// The active policies with a reference to a channel that is known now and not among `after`.
fn left_dangling(
    configuration: &Configuration,
    after: &[Channel],
    fate: impl Fn(&str) -> String,
) -> Vec<String> {
    let mut sentences = Vec::new();
    for mut policy in configuration.policies.iter().cloned() {
        // What dangles already is no news.
        let before: Vec<_> =
            policy.scope.dangling_channels().into_iter().map(str::to_owned).collect();
        policy.scope.resolve(after);
        let dangling = policy.scope.dangling_channels().into_iter();
        let news = dangling.filter(|named| !before.iter().any(|known| known == named));
        let id = &policy.id;
        sentences.extend(news.map(|named| format!("contact policy `{id}` {}", fate(named))));
    }
    sentences
}

history::resource_service! {
    impl ChannelService for Channels of Channel as channel, channels by id {
        create create_channel(CreateChannelRequest) -> CreateChannelResponse,
        get get_channel(GetChannelRequest) -> GetChannelResponse,
        list list_channels(ListChannelsRequest) -> ListChannelsResponse by [status],
        update update_channel(UpdateChannelRequest) -> UpdateChannelResponse,
        delete delete_channel(DeleteChannelRequest) -> DeleteChannelResponse,
    }
}
