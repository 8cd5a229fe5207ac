//! ModelService.

use history::{Draft, Kind};
use proffer_proto::decision::v1::{
    self as proto, model::Kind as ModelKind, model_service_server::ModelService,
};
use tonic::Status;

use super::Context;
use crate::{
    domain::{
        flow::FoundModel,
        model::{Model, Term},
    },
    neighbours::catalog::literal,
};

/// The models of a tenant.
pub struct Models(pub Context);

/// A model as flows score by it.
pub fn found(resource: &proto::Model) -> FoundModel {
    let model = parse(resource).unwrap_or_default();
    let title = format!("model `{}` (decision:{})", resource.name, resource.revision);
    FoundModel { formula: model.formula(), title, types: model.types() }
}

/// The model as the domain knows it; none without a kind.
fn parse(resource: &proto::Model) -> Option<Model> {
    let Some(ModelKind::LogisticRegression(found)) = &resource.kind else { return None };
    let term = |term: &proto::ModelTerm| Term {
        field: term.field.clone(),
        coefficient: term.coefficient,
        equals: term.equals.as_ref().map(|value| literal(Some(value))),
        when_missing: term.when_missing,
    };
    Some(Model { intercept: found.intercept, terms: found.terms.iter().map(term).collect() })
}

impl Kind<Context> for proto::Model {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        match parse(&draft.resource) {
            None => draft.add_faults([("type", "is required: `logistic_regression`")]),
            Some(model) => {
                let faults = model.faults().into_iter();
                draft.add_faults(
                    faults.map(|(path, message)| (format!("logistic_regression.{path}"), message)),
                );
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
