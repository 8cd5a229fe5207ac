//! PlacementService: the checks of placements; create, get, list, update and delete are in
//! `history`.

use history::{Draft, ResourceKind};
use proffer_proto::catalog::v1::{self as proto, placement_service_server::PlacementService};
use tonic::Status;
use wire::named::CHANNEL;

use super::{Context, creative};
use crate::domain::name::word_fault;

/// The placements of a tenant.
pub struct Placements(pub Context);

impl ResourceKind<Context> for proto::Placement {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        draft.add_faults(word_fault(&draft.resource.channel).map(|message| ("channel", message)));
        draft.refuse_faults()?;
        let channel = draft.resource.channel.clone();
        if !channel.trim().is_empty() {
            draft.refer(&draft.context.known.names, "placement", vec![(CHANNEL, channel)]).await;
        }
        creative::warn_left_behind(draft, |creative| &creative.placement).await
    }

    async fn losses(context: &Context, tenant: &str, stored: &Self) -> Result<Vec<String>, Status> {
        creative::left_behind(context, tenant, stored, |creative| &creative.placement).await
    }
}

history::resource_service! {
    impl PlacementService for Placements of Placement as placement, placements by id {
        create create_placement(CreatePlacementRequest) -> CreatePlacementResponse,
        get get_placement(GetPlacementRequest) -> GetPlacementResponse,
        list list_placements(ListPlacementsRequest) -> ListPlacementsResponse by [status],
        update update_placement(UpdatePlacementRequest) -> UpdatePlacementResponse,
        delete delete_placement(DeletePlacementRequest) -> DeletePlacementResponse,
    }
}
