//! ModelService: the checks of models; create, get, list, update and delete are in `history`.

use history::{Draft, ResourceKind};
use proffer_proto::decision::v1::{self as proto, model_service_server::ModelService};
use proffer_proto::values::v1::ResourceStatus;
use tonic::Status;

use super::Context;
use crate::messages::{is_active, model};

/// The models of a tenant.
pub struct Models(pub Context);

impl ResourceKind<Context> for proto::Model {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        match draft.resource.kind.as_ref().map(model::kind) {
            None => draft.add_faults([("type", "is required: `logistic_regression`")]),
            Some(kind) => {
                let path_of = |path: String| format!("{}.{path}", kind.name());
                let faults = kind.faults().into_iter();
                draft.add_faults(faults.map(|(path, message)| (path_of(path), message)));
            }
        }
        let (context, tenant) = (draft.context, draft.tenant());
        if draft.resource.status() == ResourceStatus::Active {
            draft.refuse_faults()?;
            for (id, flow) in context.whole_flows.scored_by(tenant, &draft.resource).await? {
                let found = context.found_in_catalog(tenant, flow).await?;
                draft.warn(found.broken.map(|warning| format!("decision flow `{id}`: {warning}")));
            }
        } else {
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
    impl ModelService for Models of Model as model, models by id {
        create create_model(CreateModelRequest) -> CreateModelResponse,
        get get_model(GetModelRequest) -> GetModelResponse,
        list list_models(ListModelsRequest) -> ListModelsResponse by [status],
        update update_model(UpdateModelRequest) -> UpdateModelResponse,
        delete delete_model(DeleteModelRequest) -> DeleteModelResponse,
    }
}
