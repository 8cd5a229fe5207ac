//! Errors of reads and writes of the log.

use database::DatabaseError;
use proffer_proto::errors::v1::ErrorReason;
use serve::Problem;
use tonic::{Code, Status};

/// Why a read or write of the log failed.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No such resource now.
    #[error("{kind} `{id}` not found")]
    NotFound {
        /// Kind of the resource.
        kind: &'static str,
        /// As it was asked for.
        id: String,
        /// A near name or some there are, as a message adds them; empty without.
        hint: String,
    },
    /// The id or the name is taken.
    #[error("{kind} with {attribute} `{value}` already exists")]
    AlreadyExists {
        /// Kind of the resource.
        kind: &'static str,
        /// `id`, `key` or `name`.
        attribute: &'static str,
        /// The taken value.
        value: String,
    },
    /// The name is the id of another resource of the kind.
    #[error("{kind} name `{name}` is the id of another")]
    NameIsId {
        /// Kind of the resource.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The resource was changed since it was read.
    #[error("{kind} `{id}` has etag `{current}`")]
    StaleEtag {
        /// Kind of the resource.
        kind: &'static str,
        /// Its id.
        id: String,
        /// Its etag now.
        current: String,
    },
    /// Faults of the request, by field path.
    #[error("the resource is not valid")]
    Invalid(Vec<(String, String)>),
    /// The tenant has as many of this kind as it may have.
    #[error("the tenant has {limit} of kind {kind}")]
    TooMany {
        /// Kind of the resource.
        kind: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A service refuses what it stores beside the resource, in the same transaction.
    #[error("{0}")]
    Refused(Status),
    /// The store failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl HistoryError {
    /// No such resource; nothing is said of others.
    pub(crate) fn not_found(kind: &'static str, id: &str) -> Self {
        Self::NotFound { kind, id: id.to_owned(), hint: String::new() }
    }
}

impl From<HistoryError> for Status {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::NotFound { kind, id, hint } => {
                Problem::not_found(kind, &id).hint(&hint).into()
            }
            HistoryError::AlreadyExists { kind, attribute, value } => {
                Problem::already_exists(kind, attribute, &value).into()
            }
            HistoryError::NameIsId { kind, name } => name_is_id(kind, &name).into(),
            HistoryError::StaleEtag { kind, id, current } => {
                Problem::etag_mismatch(kind, &id, &current).into()
            }
            HistoryError::Invalid(faults) => Problem::invalid_fields(faults).into(),
            HistoryError::TooMany { kind, limit } => too_many(kind, limit).into(),
            HistoryError::Refused(status) => status,
            HistoryError::Database(error) => serve::store_status(&error),
        }
    }
}

fn name_is_id(kind: &'static str, name: &str) -> Problem {
    let spoken = kind.replace('_', " ");
    let message = format!(
        "name `{name}` is the id of another {spoken}, so a reference could mean either; \
         choose another name"
    );
    Problem::new(Code::AlreadyExists, ErrorReason::AlreadyExists, message)
        .with("kind", kind)
        .with("name", name)
}

fn too_many(kind: &str, limit: usize) -> Problem {
    let message =
        format!("the tenant has {limit} of kind {kind}, which is the maximum; delete one first");
    Problem::new(Code::ResourceExhausted, ErrorReason::LimitExceeded, message)
        .with("limit", limit.to_string())
        .with("value", (limit + 1).to_string())
}
