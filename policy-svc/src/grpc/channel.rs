//! ChannelService: the checks of channels; create, get, list, update and delete are in `history`.

use history::{Draft, Kind};
use proffer_proto::policy::v1::{self as proto, channel_service_server::ChannelService};
use tonic::Status;

use super::Context;
use crate::{
    domain::{
        channel::{Channel, ChannelType, default_type},
        configuration::CHANNELS_MAX,
        folded,
    },
    messages,
};

/// The channels of a tenant.
pub struct Channels(pub Context);

impl Kind<Context> for proto::Channel {
    const COUNT_MAX: Option<usize> = Some(CHANNELS_MAX);

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
        warn_left_dangling(draft, channel).await
    }
}

/// Warns of policies that named the channel by its name before this edit, and mean nothing by it
/// now.
async fn warn_left_dangling(
    draft: &mut Draft<'_, Context, proto::Channel>,
    edited: Channel,
) -> Result<(), Status> {
    let Some(before) = &draft.stored else { return Ok(()) };
    let old_name = before.name.clone();
    if folded(&old_name) == folded(&edited.name) {
        return Ok(());
    }
    let configuration = draft.context.configurations.newest(draft.tenant()).await?;
    let mut channels = configuration.channels.clone();
    channels.retain(|channel| channel.id != edited.id);
    channels.push(edited);
    for mut policy in configuration.policies.iter().cloned() {
        policy.scope.resolve(&channels);
        let mut dangling = policy.scope.dangling_channels().into_iter();
        if dangling.any(|named| folded(named) == folded(&old_name)) {
            let id = &policy.id;
            draft.warn([format!(
                "contact policy `{id}` names channel `{old_name}`, which is no longer a name"
            )]);
        }
    }
    Ok(())
}

history::resource_service! {
    impl ChannelService for Channels of Channel as channel, channels by id {
        create create_channel(CreateChannelRequest) -> CreateChannelResponse,
        get get_channel(GetChannelRequest) -> GetChannelResponse,
        list list_channels(ListChannelsRequest) -> ListChannelsResponse,
        update update_channel(UpdateChannelRequest) -> UpdateChannelResponse,
        delete delete_channel(DeleteChannelRequest) -> DeleteChannelResponse,
    }
}
