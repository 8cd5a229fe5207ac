//! WeightProfileService: the checks of weight profiles; create, get, list, update and delete are in
//! `history`.

use history::{Draft, ResourceKind};
use proffer_proto::decision::v1::{
    self as proto, weight_profile_service_server::WeightProfileService,
};
use proffer_proto::values::v1::ResourceStatus;
use tonic::Status;

use super::Context;
use crate::messages::{flow_config, is_active};

/// The weight profiles of a tenant.
pub struct WeightProfiles(pub Context);

impl ResourceKind<Context> for proto::WeightProfile {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        let fault = match &draft.resource.weights {
            None => Some("are required: Wp, Wr, Wi, We, Wu".to_owned()),
            Some(weights) => flow_config::weights(weights).fault(),
        };
        draft.add_faults(fault.map(|message| ("weights", message)));
        if draft.resource.status() != ResourceStatus::Active {
            let (context, tenant) = (draft.context, draft.tenant());
            let before = draft.stored.as_ref().filter(|before| is_active(before.status));
            if let Some(before) = before.cloned() {
                draft.warn(context.whole_flows.users_of(tenant, &before, "is not active").await?);
            }
        }
        Ok(())
    }

    async fn losses(context: &Context, tenant: &str, stored: &Self) -> Result<Vec<String>, Status> {
        context.whole_flows.users_of(tenant, stored, "no longer exists").await
    }
}

history::resource_service! {
    impl WeightProfileService for WeightProfiles
        of WeightProfile as weight_profile, weight_profiles by id {
        create create_weight_profile(CreateWeightProfileRequest) -> CreateWeightProfileResponse,
        get get_weight_profile(GetWeightProfileRequest) -> GetWeightProfileResponse,
        list list_weight_profiles(ListWeightProfilesRequest) -> ListWeightProfilesResponse
            by [status],
        update update_weight_profile(UpdateWeightProfileRequest) -> UpdateWeightProfileResponse,
        delete delete_weight_profile(DeleteWeightProfileRequest) -> DeleteWeightProfileResponse,
    }
}
