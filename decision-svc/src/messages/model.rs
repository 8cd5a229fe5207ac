//! Models, from proto to domain: one small function per kind.

use proffer_proto::decision::v1::{self as proto, model::Kind};

use crate::{
    domain::score::{FoundModel, Logistic, ModelKind, Term},
    neighbours::catalog::literal,
};

/// A model as flows score by it; `None` without a kind.
pub fn found(resource: &proto::Model) -> Option<FoundModel> {
    let title = format!("model `{}` (decision:{})", resource.name, resource.revision);
    Some(FoundModel { title, revision: resource.revision, kind: kind(resource.kind.as_ref()?) })
}

/// The settings of a model.
pub fn kind(found: &Kind) -> ModelKind {
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
