//! WeightProfileService.

use history::{Collection, Resource as _, settle_status};
use proffer_proto::decision::v1::{
    self as proto, weight_profile_service_server::WeightProfileService,
};
use serve::Problem;
use tonic::Status;

use super::{
    Context,
    resource::{self, Checked},
};
use crate::{domain::flow::Weights, messages::flow_config};

/// The weight profiles of a tenant.
pub struct WeightProfiles(pub Context);

/// The weights of a profile.
pub fn weights(profile: &proto::WeightProfile) -> Weights {
    profile.weights.as_ref().map(flow_config::weights).unwrap_or_default()
}

impl Checked for proto::WeightProfile {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.weight_profiles
    }

    async fn check(_: &Context, _: &str, resource: &mut Self) -> Result<Vec<String>, Status> {
        let mut faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        let fault = match &resource.weights {
            None => Some("are required: Wp, Wr, Wi, We, Wu".to_owned()),
            Some(weights) => flow_config::weights(weights).fault(),
        };
        faults.extend(fault.map(|message| ("weight_profile.weights".to_owned(), message)));
        if faults.is_empty() { Ok(Vec::new()) } else { Err(Problem::invalid_fields(faults).into()) }
    }
}

resource::service! {
    impl WeightProfileService for WeightProfiles of WeightProfile as weight_profile, weight_profiles {
        create_weight_profile(CreateWeightProfileRequest) -> CreateWeightProfileResponse,
        get_weight_profile(GetWeightProfileRequest) -> GetWeightProfileResponse,
        list_weight_profiles(ListWeightProfilesRequest) -> ListWeightProfilesResponse,
        update_weight_profile(UpdateWeightProfileRequest) -> UpdateWeightProfileResponse,
        delete_weight_profile(DeleteWeightProfileRequest) -> DeleteWeightProfileResponse,
    }
}
