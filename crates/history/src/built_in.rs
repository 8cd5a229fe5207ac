//! Resources that every tenant has and nobody changes: found like any other, listed first, their
//! ids and names taken.

use proffer_proto::errors::v1::ErrorReason;
use serve::Problem;
use tonic::{Code, Status};

use crate::{HistoryError, Resource, ResourceKind, ServiceContext, page::unknown_token};

/// Begins the place of a built-in resource in a token; no id does.
const BUILT_IN_MARK: char = '#';

/// Where a page of a kind with built-in resources begins. Those come first, in their own order.
pub(crate) struct Start {
    /// Built-in resources of earlier pages.
    pub(crate) built_in: usize,
    /// The id after which stored resources go on.
    pub(crate) after: String,
}

impl Start {
    /// Reads the key of a page token.
    pub(crate) fn parse(key: String, built_in_count: usize) -> Result<Self, HistoryError> {
        if key.is_empty() {
            return Ok(Self { built_in: 0, after: key });
        }
        let Some(place) = key.strip_prefix(BUILT_IN_MARK) else {
            return Ok(Self { built_in: built_in_count, after: key });
        };
        match place.parse() {
            Ok(built_in) if built_in <= built_in_count => {
                Ok(Self { built_in, after: String::new() })
            }
            _ => Err(HistoryError::Invalid(unknown_token())),
        }
    }

    /// The key of the page that begins after this many built-in resources.
    pub(crate) fn key(built_in: usize) -> String {
        format!("{BUILT_IN_MARK}{built_in}")
    }
}

/// The built-in resource of this id, else of this name.
pub(crate) fn built_in<C: ServiceContext, R: ResourceKind<C>>(named: &str) -> Option<R> {
    let all = R::built_in();
    let by_name = || all.iter().find(|found| wire::name::is_same(found.name(), named));
    all.iter().find(|found| found.id() == named).or_else(by_name).cloned()
}

/// Refuses id and name of a built-in resource: they are taken.
pub(crate) fn refuse_built_in<C: ServiceContext, R: ResourceKind<C>>(
    resource: &R,
) -> Result<(), HistoryError> {
    for found in R::built_in() {
        if found.id() == resource.id() {
            return Err(taken::<R>(R::IDENTITY, resource.id()));
        }
        if wire::name::is_same(found.name(), resource.name()) {
            return Err(taken::<R>("name", resource.name()));
        }
    }
    Ok(())
}

/// The error for a taken id, key or name.
pub(crate) fn taken<R: Resource>(attribute: &'static str, value: &str) -> HistoryError {
    HistoryError::AlreadyExists { kind: R::KIND, attribute, value: value.to_owned() }
}

/// The refusal to change or delete a built-in resource.
pub(crate) fn system_resource<R: Resource>(found: &R) -> Status {
    let (kind, id) = (R::KIND.replace('_', " "), found.id());
    let message = format!("{kind} `{id}` is a system resource and cannot be changed or deleted");
    Problem::new(Code::FailedPrecondition, ErrorReason::SystemResource, message)
        .with("id", id)
        .into()
}
