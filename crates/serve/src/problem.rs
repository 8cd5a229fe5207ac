//! Errors as callers see them: one builder for every service, so that code, reason, metadata and
//! text agree.

use std::{collections::HashMap, time::Duration};

use proffer_proto::errors::v1::{self as proto, ErrorReason, ItemFault};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// Retry delay when a service or store is unavailable.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

// An error travels in HTTP/2 headers, base64 and percent-encoded, and peers take 16 KiB of them:
// a larger one would reach the caller as a broken stream. Together these limits stay below it.
/// Longest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 768;
/// Longest metadata value, field path and description of a fault, in bytes.
const TEXT_BYTES_MAX: usize = 512;
/// Bytes of all faults together, the count of the others left out.
const FAULT_BYTES_MAX: usize = 6 * 1024;

/// An error with its reason; becomes a [`Status`] with `ErrorInfo`, `BadRequest` and `RetryInfo`.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    reason: ErrorReason,
    message: String,
    metadata: HashMap<String, String>,
    violations: Vec<FieldViolation>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// There is more to do than may be begun: RESOURCE_EXHAUSTED, with a delay.
    pub fn overloaded(message: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, ErrorReason::Overloaded, message)
            .retry_after(RETRY_AFTER)
    }

    /// Any problem.
    pub fn new(code: Code, reason: ErrorReason, message: impl Into<String>) -> Self {
        let (metadata, violations) = (HashMap::new(), Vec::new());
        Self { code, reason, message: message.into(), metadata, violations, retry_after: None }
    }

    /// One wrong field: INVALID_ARGUMENT with its path and the correction.
    pub fn invalid_field(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid_fields([(path.into(), message.into())])
    }

    /// All wrong fields of a request: INVALID_ARGUMENT with each path.
    pub fn invalid_fields(faults: impl IntoIterator<Item = (String, String)>) -> Self {
        let violations: Vec<_> =
            faults.into_iter().map(|(path, message)| FieldViolation::new(path, message)).collect();
        let listed: Vec<_> = violations
            .iter()
            .take(3)
            .map(|fault| format!("`{}` {}", fault.field, fault.description))
            .collect();
        let more = violations.len().saturating_sub(listed.len());
        let tail = if more > 0 { format!("; and {more} more") } else { String::new() };
        let message = format!("{}{tail}", listed.join("; "));
        Self { violations, ..Self::new(Code::InvalidArgument, ErrorReason::InvalidField, message) }
    }

    /// The resource does not exist: NOT_FOUND.
    pub fn not_found(kind: &str, id: &str) -> Self {
        let message = format!("{} `{id}` not found", spoken(kind));
        Self::new(Code::NotFound, ErrorReason::NotFound, message).with("kind", kind).with("id", id)
    }

    /// The id, key or name is taken: ALREADY_EXISTS.
    pub fn already_exists(kind: &str, attribute: &str, value: &str) -> Self {
        let message = format!("{} with {attribute} `{value}` already exists", spoken(kind));
        Self::new(Code::AlreadyExists, ErrorReason::AlreadyExists, message)
            .with("kind", kind)
            .with(attribute, value)
    }

    /// The etag is stale, because of another write: ABORTED.
    pub fn etag_mismatch(kind: &str, id: &str, current: &str) -> Self {
        let kind_spoken = spoken(kind);
        let message = format!(
            "{kind_spoken} `{id}` was changed; its etag is now `{current}`: read it again and retry"
        );
        Self::new(Code::Aborted, ErrorReason::EtagMismatch, message)
            .with("kind", kind)
            .with("id", id)
            .with("etag", current)
    }

    /// The resource is in a state that forbids the call: FAILED_PRECONDITION.
    pub fn wrong_state(id: &str, status: &str, message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, ErrorReason::WrongState, message)
            .with("id", id)
            .with("status", status)
    }

    /// A list has more items than its limit: INVALID_ARGUMENT.
    pub fn limit(path: &str, value: usize, limit: usize) -> Self {
        Self::above(path, value, limit, "items")
    }

    /// A part has more bytes than its limit: INVALID_ARGUMENT.
    pub fn bytes_limit(path: &str, value: usize, limit: usize) -> Self {
        Self::above(path, value, limit, "bytes")
    }

    fn above(path: &str, value: usize, limit: usize, unit: &str) -> Self {
        let excess = format!("has {value} {unit}, which exceeds the maximum {limit}");
        let message = format!("`{path}` {excess}");
        let violations = vec![FieldViolation::new(path, excess)];
        Self { violations, ..Self::new(Code::InvalidArgument, ErrorReason::LimitExceeded, message) }
            .with("limit", limit.to_string())
            .with("value", value.to_string())
    }

    /// With another reason and message.
    #[must_use]
    pub fn because(mut self, reason: ErrorReason, message: impl Into<String>) -> Self {
        (self.reason, self.message) = (reason, message.into());
        self
    }

    /// Adds a metadata entry.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// Adds to the message, for example `; did you mean …?`.
    #[must_use]
    pub fn hint(mut self, hint: &str) -> Self {
        self.message.push_str(hint);
        self
    }

    /// Adds the delay before a retry.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let reason = problem.reason.as_str_name().trim_start_matches("ERROR_REASON_");
        let metadata =
            problem.metadata.into_iter().map(|(key, value)| (key, cut(&value, TEXT_BYTES_MAX)));
        let mut details =
            ErrorDetails::with_error_info(reason, "proffer", metadata.collect::<HashMap<_, _>>());
        let faults = shortened(problem.violations);
        if !faults.is_empty() {
            details.set_bad_request(faults);
        }
        if let Some(delay) = problem.retry_after {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(problem.code, cut(&problem.message, MESSAGE_BYTES_MAX), details)
    }
}

/// The faults that fit; the last of them says how many others there are.
fn shortened(faults: Vec<FieldViolation>) -> Vec<FieldViolation> {
    let (mut bytes, count) = (0, faults.len());
    let mut kept: Vec<FieldViolation> = Vec::new();
    for fault in faults {
        let field = cut(&fault.field, TEXT_BYTES_MAX);
        let description = cut(&fault.description, TEXT_BYTES_MAX);
        bytes += field.len() + description.len();
        if bytes > FAULT_BYTES_MAX {
            let more = count - kept.len();
            let field = kept.last().map(|fault| fault.field.clone()).unwrap_or_default();
            kept.push(FieldViolation::new(
                field,
                format!("and {more} more faults: correct these first"),
            ));
            break;
        }
        kept.push(FieldViolation::new(field, description));
    }
    kept
}

/// `text`, or as much of it as fits, marked.
fn cut(text: &str, bytes_max: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max - MARK.len())
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or_default();
    format!("{}{MARK}", text.get(..end).unwrap_or_default())
}

/// The code's name, as gRPC and the error envelope of REST write it.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Faulty fields that the fault of one item lists.
const ITEM_FAULTS_MAX: usize = 3;

/// An error as the fault of one item of a batch.
pub fn item_fault(status: &Status) -> ItemFault {
    let details = status.get_error_details();
    let info = details.error_info().cloned();
    let (reason, metadata) = info.map(|info| (info.reason, info.metadata)).unwrap_or_default();
    let faults = details.bad_request().map(|bad| bad.field_violations.as_slice());
    let violation = |fault: &FieldViolation| proto::FieldViolation {
        field: fault.field.clone(),
        description: fault.description.clone(),
    };
    ItemFault {
        code: code_name(status.code()).to_owned(),
        reason,
        message: status.message().to_owned(),
        metadata: metadata.into_iter().collect(),
        field_violations: faults
            .unwrap_or_default()
            .iter()
            .take(ITEM_FAULTS_MAX)
            .map(violation)
            .collect(),
    }
}

/// A service or a store is unavailable: UNAVAILABLE with a delay. The cause is logged here and not
/// returned.
pub fn unavailable(service: &str, cause: &dyn std::fmt::Display) -> Status {
    tracing::warn!(service, %cause, "unavailable");
    away(service)
}

fn away(service: &str) -> Status {
    Problem::new(
        Code::Unavailable,
        ErrorReason::Unavailable,
        format!("{service} is unavailable; try again shortly"),
    )
    .with("service", service)
    .retry_after(RETRY_AFTER)
    .into()
}

/// An internal error: logged once with an id; the caller gets only that id.
pub fn internal(cause: &dyn std::fmt::Display) -> Status {
    let quote = uuid::Uuid::now_v7().simple().to_string();
    tracing::error!(%cause, quote, "internal error");
    Problem::new(Code::Internal, ErrorReason::Internal, format!("internal error; quote {quote}"))
        .into()
}

/// A store's failure as a status: UNAVAILABLE, or an internal error.
pub fn store_status(error: &database::DatabaseError) -> Status {
    match error {
        // A store is closed when the process ends. A call that still asks gets the answer, and no
        // line is logged.
        _ if error.is_closed() => away("store"),
        database::DatabaseError::Unavailable(cause) => unavailable("store", cause),
        database::DatabaseError::Conflict(_)
        | database::DatabaseError::Corrupt(_)
        | database::DatabaseError::Panicked => internal(error),
    }
}

/// A kind in words: `decision_flow` is a decision flow.
fn spoken(kind: &str) -> String {
    kind.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the headers of this status take on the wire.
    fn header_bytes(status: &Status) -> usize {
        let headers = status.clone().into_http::<()>().headers().clone();
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
    }

    #[test]
    fn an_error_fits_into_the_headers_it_travels_in() {
        let long = "\u{10ffff}".repeat(10_000);
        let faults = (0..1_000).map(|n| (format!("{n}{long}"), long.clone()));
        let many = (0..1_000)
            .map(|n| (format!("question.candidates[{n}].offer_id"), "is required".to_owned()));
        for problem in [
            Problem::invalid_fields(faults),
            Problem::invalid_fields(many),
            Problem::not_found("channel", &long),
            Problem::etag_mismatch("channel", &long, &long),
        ] {
            let status = Status::from(problem);
            assert!(header_bytes(&status) < 16 * 1024, "{} bytes", header_bytes(&status));
        }
    }

    #[test]
    fn faults_that_do_not_fit_are_counted() {
        let faults =
            (0..500).map(|n| (format!("offer.qualification_rules[{n}].field"), "x".repeat(500)));
        let status = Status::from(Problem::invalid_fields(faults));
        let told = status.get_error_details().bad_request().unwrap().field_violations.clone();
        assert!(told.len() > 10);
        let more = format!("and {} more faults: correct these first", 500 - (told.len() - 1));
        assert_eq!(told.last().unwrap().description, more);
    }

    #[test]
    fn an_error_of_usual_size_is_told_whole() {
        let faults: Vec<_> = (0..50)
            .map(|n| (format!("offer.rules[{n}].value"), "must be a number".to_owned()))
            .collect();
        let status = Status::from(Problem::invalid_fields(faults.clone()));
        let told =
            status.get_error_details().bad_request().map(|found| found.field_violations.clone());
        let told: Vec<_> = told
            .unwrap_or_default()
            .into_iter()
            .map(|fault| (fault.field, fault.description))
            .collect();
        assert_eq!(told, faults);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("äöüäöü", 8), "äö…");
    }
}
