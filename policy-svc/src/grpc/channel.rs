//! ChannelService.

use history::{Author, Collection, HistoryError, Resource as _};
use proffer_proto::{
    policy::v1::{self as proto, channel_service_server::ChannelService},
    values::v1::ResourceStatus,
};
use serve::{Problem, metadata};
use tonic::{Code, Request, Response, Status};

use super::Context;
use crate::{
    domain::{
        channel::{ChannelType, default_type},
        configuration::{CHANNELS_MAX, Configuration},
        folded,
    },
    messages,
};

/// The channels of a tenant.
pub struct Channels(pub Context);

/// The resource with what nobody said filled in, or all its faults.
fn checked(mut resource: proto::Channel) -> Result<proto::Channel, HistoryError> {
    let mut faults = Collection::common_faults(&resource);
    let found = messages::channel::channel(&resource).err().unwrap_or_default();
    faults.extend(found.into_iter().map(|(path, message)| (format!("channel.{path}"), message)));
    if !faults.is_empty() {
        return Err(HistoryError::Invalid(faults));
    }
    if resource.status() == ResourceStatus::Unspecified {
        resource.set_status(ResourceStatus::Active);
    }
    if resource.channel_type.is_empty() {
        resource.channel_type =
            default_type(&resource.name).map(ChannelType::name).unwrap_or_default().to_owned();
    }
    Ok(resource)
}

/// A tenant may have no more of a kind.
pub(super) fn too_many(kind: &str, limit: usize) -> Problem {
    let message =
        format!("the tenant has {limit} of kind {kind}, which is the maximum; delete one first");
    let problem = Problem::new(
        Code::ResourceExhausted,
        proffer_proto::errors::v1::ErrorReason::LimitExceeded,
        message,
    );
    problem.with("limit", limit.to_string()).with("value", (limit + 1).to_string())
}

/// Policies that named the channel by its old name and mean nothing by it now.
fn left_dangling(configuration: &Configuration, old_name: &str) -> Vec<String> {
    let dangles = |policy: &&crate::domain::contact_policy::ContactPolicy| {
        policy.scope.dangling_channels().iter().any(|named| folded(named) == folded(old_name))
    };
    let policies = configuration.policies.iter().filter(dangles);
    policies
        .map(|policy| {
            format!(
                "contact policy `{}` names channel `{old_name}`, which is no longer a name",
                policy.id
            )
        })
        .collect()
}

#[tonic::async_trait]
impl ChannelService for Channels {
    async fn create_channel(
        &self,
        request: Request<proto::CreateChannelRequest>,
    ) -> Result<Response<proto::CreateChannelResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let resource = checked(request.into_inner().channel.unwrap_or_default())?;
        if self.0.configurations.newest(&author.tenant).await?.channels.len() >= CHANNELS_MAX {
            return Err(too_many("channel", CHANNELS_MAX).into());
        }
        let stored = self.0.channels.create(&author, resource).await?;
        Ok(Response::new(proto::CreateChannelResponse { channel: Some(stored) }))
    }

    async fn get_channel(
        &self,
        request: Request<proto::GetChannelRequest>,
    ) -> Result<Response<proto::GetChannelResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let found = self.0.channels.get(&tenant, &request.into_inner().id).await?;
        Ok(Response::new(proto::GetChannelResponse { channel: Some(found) }))
    }

    async fn list_channels(
        &self,
        request: Request<proto::ListChannelsRequest>,
    ) -> Result<Response<proto::ListChannelsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let page = self.0.channels.list(&tenant, request.page_size, &request.page_token).await?;
        Ok(Response::new(proto::ListChannelsResponse {
            channels: page.items,
            next_page_token: page.next,
        }))
    }

    async fn update_channel(
        &self,
        request: Request<proto::UpdateChannelRequest>,
    ) -> Result<Response<proto::UpdateChannelResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        let paths = request.update_mask.unwrap_or_default().paths;
        let patch = request.channel.unwrap_or_default();
        let mut draft = self.0.channels.merge(&author.tenant, &request.id, patch, &paths).await?;
        draft.resource = checked(draft.resource)?;
        let old_name = draft.stored.name.clone();
        let mut stored = self.0.channels.update(&author, draft).await?;
        if folded(&stored.name) != folded(&old_name) {
            let configuration = self.0.configurations.newest(&author.tenant).await?;
            stored.warn(left_dangling(&configuration, &old_name));
        }
        Ok(Response::new(proto::UpdateChannelResponse { channel: Some(stored) }))
    }

    async fn delete_channel(
        &self,
        request: Request<proto::DeleteChannelRequest>,
    ) -> Result<Response<proto::DeleteChannelResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        self.0.channels.delete(&author, &request.id, &request.etag).await?;
        Ok(Response::new(proto::DeleteChannelResponse {}))
    }
}
