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

impl From<HistoryError> for Status {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::NotFound { kind, id } => Problem::not_found(kind, &id).into(),
            HistoryError::AlreadyExists { kind, attribute, value } => {
                Problem::already_exists(kind, attribute, &value).into()
            }
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

fn too_many(kind: &str, limit: usize) -> Problem {
    let message =
        format!("the tenant has {limit} of kind {kind}, which is the maximum; delete one first");
    Problem::new(Code::ResourceExhausted, ErrorReason::LimitExceeded, message)
        .with("limit", limit.to_string())
        .with("value", (limit + 1).to_string())
}
