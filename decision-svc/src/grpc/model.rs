//! ModelService: the checks of models; create, get, list, update and delete are in `history`.

use history::{Draft, Kind};
use proffer_proto::decision::v1::{
    self as proto, model::Kind as ModelMessage, model_service_server::ModelService,
};
use tonic::Status;

use super::Context;
use crate::{
    domain::score::{FoundModel, Logistic, ModelKind, Term},
    neighbours::catalog::literal,
};

/// The models of a tenant.
pub struct Models(pub Context);

/// A model as flows score by it; none without a kind.
pub fn found(resource: &proto::Model) -> Option<FoundModel> {
    let title = format!("model `{}` (decision:{})", resource.name, resource.revision);
    Some(FoundModel { title, revision: resource.revision, kind: kind(resource.kind.as_ref()?) })
}

fn kind(found: &ModelMessage) -> ModelKind {
    match found {
        ModelMessage::LogisticRegression(found) => ModelKind::Logistic(logistic(found)),
    }
}

fn logistic(found: &proto::LogisticRegression) -> Logistic {
    let term = |term: &proto::ModelTerm| Term {
        field: term.field.clone(),
        coefficient: term.coefficient,
        equals: term.equals.as_ref().map(|value| literal(Some(value))),
        when_missing: term.when_missing,
    };
    Logistic { intercept: found.intercept, terms: found.terms.iter().map(term).collect() }
}

impl Kind<Context> for proto::Model {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        match draft.resource.kind.as_ref().map(kind) {
            None => draft.add_faults([("type", "is required: `logistic_regression`")]),
            Some(kind) => {
                let path_of = |path: String| format!("{}.{path}", kind.name());
                let faults = kind.faults().into_iter();
                draft.add_faults(faults.map(|(path, message)| (path_of(path), message)));
            }
        }
        Ok(())
    }
}

history::resource_service! {
    impl ModelService for Models of Model as model, models by id {
        create create_model(CreateModelRequest) -> CreateModelResponse,
        get get_model(GetModelRequest) -> GetModelResponse,
        list list_models(ListModelsRequest) -> ListModelsResponse,
        update update_model(UpdateModelRequest) -> UpdateModelResponse,
        delete delete_model(DeleteModelRequest) -> DeleteModelResponse,
    }
}
