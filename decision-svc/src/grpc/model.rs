//! ModelService.

use history::{Collection, Resource as _, settle_status};
use proffer_proto::decision::v1::{self as proto, model::Kind, model_service_server::ModelService};
use serve::Problem;
use tonic::Status;

use super::{
    Context,
    resource::{self, Checked},
};
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
    let Some(Kind::LogisticRegression(found)) = &resource.kind else { return None };
    let term = |term: &proto::ModelTerm| Term {
        field: term.field.clone(),
        coefficient: term.coefficient,
        equals: term.equals.as_ref().map(|value| literal(Some(value))),
        when_missing: term.when_missing,
    };
    Some(Model { intercept: found.intercept, terms: found.terms.iter().map(term).collect() })
}

impl Checked for proto::Model {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.models
    }

    async fn check(_: &Context, _: &str, resource: &mut Self) -> Result<Vec<String>, Status> {
        let mut faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        match parse(resource) {
            None => faults
                .push(("model.type".to_owned(), "is required: `logistic_regression`".to_owned())),
            Some(model) => faults.extend(
                model
                    .faults()
                    .into_iter()
                    .map(|(path, message)| (format!("model.logistic_regression.{path}"), message)),
            ),
        }
        if faults.is_empty() { Ok(Vec::new()) } else { Err(Problem::invalid_fields(faults).into()) }
    }
}

resource::service! {
    impl ModelService for Models of Model as model, models {
        create_model(CreateModelRequest) -> CreateModelResponse,
        get_model(GetModelRequest) -> GetModelResponse,
        list_models(ListModelsRequest) -> ListModelsResponse,
        update_model(UpdateModelRequest) -> UpdateModelResponse,
        delete_model(DeleteModelRequest) -> DeleteModelResponse,
    }
}
