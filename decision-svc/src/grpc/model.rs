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

fn kind(found: &Kind) -> ModelKind {
    match found {
        Kind::LogisticRegression(found) => ModelKind::Logistic(logistic(found)),
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

impl Checked for proto::Model {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.models
    }

    async fn check(_: &Context, _: &str, resource: &mut Self) -> Result<Vec<String>, Status> {
        let mut faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        match resource.kind.as_ref().map(kind) {
            None => faults
                .push(("model.type".to_owned(), "is required: `logistic_regression`".to_owned())),
            Some(kind) => {
                let path_of = |path: String| format!("model.{}.{path}", kind.name());
                let found = kind.faults().into_iter();
                faults.extend(found.map(|(path, message)| (path_of(path), message)));
            }
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
