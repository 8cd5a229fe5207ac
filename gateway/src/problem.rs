//! Errors as REST callers see them: the envelope, its HTTP status and its headers.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use proffer_proto::errors::v1::{self as proto, ItemFault};
use prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage as _};
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::{BadRequest, StatusExt as _};

use crate::json::field_path::Root;

/// An error on its way to a REST caller.
#[derive(Debug)]
pub struct Problem {
    status: Status,
    /// True when it was made here, with JSON names; errors of services have protobuf names.
    is_ours: bool,
    http: Option<StatusCode>,
    allow: Option<HeaderValue>,
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        Self { status, is_ours: false, http: None, allow: None }
    }
}

impl From<serve::Problem> for Problem {
    fn from(problem: serve::Problem) -> Self {
        Self { is_ours: true, ..Status::from(problem).into() }
    }
}

impl Problem {
    /// With this HTTP status instead of the code's.
    #[must_use]
    pub fn with_http(mut self, status: StatusCode) -> Self {
        self.http = Some(status);
        self
    }

    /// With the allowed methods.
    #[must_use]
    pub fn allow(mut self, methods: HeaderValue) -> Self {
        self.allow = Some(methods);
        self
    }

    /// The answer. Field paths are read against `root`, when the call is known.
    pub fn into_response(self, root: Option<Root<'_>>, request_id: &str) -> Response<Body> {
        let status = shown(self.status);
        let details = status.get_error_details();
        let wording = Wording::of(&status, details.bad_request(), root.filter(|_| !self.is_ours));
        let mut listed = Vec::new();
        let info = details.error_info();
        if let Some(info) = info {
            listed.push(Detail::ErrorInfo {
                reason: &info.reason,
                domain: &info.domain,
                metadata: info
                    .metadata
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()))
                    .collect(),
            });
        }
        if !wording.violations.is_empty() {
            listed.push(Detail::BadRequest { field_violations: wording.violations });
        }
        let delay = details.retry_info().and_then(|retry| retry.retry_delay);
        if let Some(delay) = delay {
            listed.push(Detail::RetryInfo { retry_delay: format!("{}s", delay.as_secs_f64()) });
        }
        let envelope = Envelope {
            error: Shown {
                code: serve::code_name(status.code()),
                reason: info.map(|info| info.reason.as_str()),
                message: wording.message,
                details: listed,
                request_id,
            },
        };
        let body = serde_json::to_vec(&envelope).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.http.unwrap_or_else(|| http_status(status.code()));
        response.extensions_mut().insert(status.code());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(delay) = delay {
            // Whole seconds are all that this header can say.
            headers.insert(
                header::RETRY_AFTER,
                (delay.as_millis().div_ceil(1000) as u64).max(1).into(),
            );
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

/// The status that a caller may see: an internal error without a reason gets a fixed sentence.
fn shown(status: Status) -> Status {
    let is_ours =
        matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss | Code::Ok);
    if is_ours && status.get_details_error_info().is_none() {
        serve::internal(&status)
    } else {
        status
    }
}

/// The text of an error, with JSON names.
struct Wording {
    message: String,
    violations: Vec<Violation>,
}

impl Wording {
    fn of(status: &Status, bad_request: Option<&BadRequest>, root: Option<Root<'_>>) -> Self {
        let faults = bad_request.map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        let pairs = faults.iter().map(|fault| (fault.field.clone(), fault.description.clone()));
        Self::read(status.message().to_owned(), pairs.collect(), root)
    }

    /// Faults as path and description.
    fn read(message: String, faults: Vec<(String, String)>, root: Option<Root<'_>>) -> Self {
        let Some(root) = root else {
            let violations = faults.into_iter().map(Violation::new).collect();
            return Self { message, violations };
        };
        let translated =
            |(field, _): &(String, String)| (field.clone(), root.translate(field).text);
        let known: Vec<_> = faults.iter().map(translated).collect();
        let (mut message, mut violations) = (message, Vec::with_capacity(faults.len()));
        for ((_, told), (proto, json)) in faults.iter().zip(&known) {
            let description = root.translate_text(told, &known, Some(proto)).into_owned();
            // The message repeats descriptions, whose names are relative to their own field.
            if description != *told {
                message = message.replace(told, &description);
            }
            violations.push(Violation::new((json.clone(), description)));
        }
        let message = root.translate_text(&message, &known, None).into_owned();
        Self { message, violations }
    }
}

/// The message of an error and its faults, as field and description, in the names of JSON.
pub fn faults(status: &Status, root: Root<'_>) -> (String, Vec<(String, String)>) {
    let details = status.get_error_details();
    let Wording { message, violations } = Wording::of(status, details.bad_request(), Some(root));
    (message, violations.into_iter().map(|it| (it.field, it.description)).collect())
}

/// Puts the fault of one item of a batch into the names of JSON; `root` is the item.
pub fn translate_item(fault: &mut DynamicMessage, root: Root<'_>) {
    let mut read = ItemFault::default();
    // INVARIANT: the caller found a message of this type.
    if read.merge(fault.encode_to_vec().as_slice()).is_err() {
        return;
    }
    let faults = read.field_violations.into_iter().map(|it| (it.field, it.description)).collect();
    let Wording { message, violations } = Wording::read(read.message, faults, Some(root));
    read.message = message;
    read.field_violations = violations
        .into_iter()
        .map(|it| proto::FieldViolation { field: it.field, description: it.description })
        .collect();
    let mut translated = DynamicMessage::new(fault.descriptor());
    if translated.transcode_from(&read).is_ok() {
        *fault = translated;
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Shown<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    message: String,
    details: Vec<Detail<'a>>,
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "@type", rename_all_fields = "camelCase")]
enum Detail<'a> {
    #[serde(rename = "type.googleapis.com/google.rpc.ErrorInfo")]
    ErrorInfo { reason: &'a str, domain: &'a str, metadata: BTreeMap<&'a str, &'a str> },
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest")]
    BadRequest { field_violations: Vec<Violation> },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo")]
    RetryInfo { retry_delay: String },
}

#[derive(Serialize)]
struct Violation {
    field: String,
    description: String,
}

impl Violation {
    fn new((field, description): (String, String)) -> Self {
        Self { field, description }
    }
}

/// The HTTP status of a code, as `google/rpc/code.proto` maps them.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // "Client closed request", nginx's status; HTTP has none for it.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}
