//! PlacementService.

use history::{Collection, Resource as _};
use proffer_proto::catalog::v1::{self as proto, placement_service_server::PlacementService};
use tonic::Status;

use super::{
    Context, creative,
    resource::{self, Checked, settle_status},
    status::invalid,
};
use crate::domain::{Faults, name::word_fault};

/// The placements of a tenant.
pub struct Placements(pub Context);

impl Checked for proto::Placement {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.placements
    }

    async fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
        stored: Option<&Self>,
    ) -> Result<Vec<String>, Status> {
        let mut faults: Faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        // The catalog knows no channels.
        faults.extend(
            word_fault(&resource.channel)
                .map(|message| (format!("{}.channel", Self::KIND), message)),
        );
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
        creative::left_behind(context, tenant, resource, stored, |creative| &creative.placement)
            .await
    }
}

resource::service! {
    impl PlacementService for Placements of Placement as placement, placements {
        create_placement(CreatePlacementRequest) -> CreatePlacementResponse,
        get_placement(GetPlacementRequest) -> GetPlacementResponse,
        list_placements(ListPlacementsRequest) -> ListPlacementsResponse,
        update_placement(UpdatePlacementRequest) -> UpdatePlacementResponse,
        delete_placement(DeletePlacementRequest) -> DeletePlacementResponse,
    }
}
