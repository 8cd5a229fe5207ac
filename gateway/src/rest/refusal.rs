//! The errors of the gateway itself: body too large, unknown path, foreign origin, timeout.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, Method, StatusCode, header};
use proffer_proto::errors::v1::ErrorReason;
use tonic::Code;

use crate::{
    json::fault::{BODY, quoted},
    problem::Problem,
    route_table::{Found, Route},
};

/// The body is larger than the call takes.
pub fn too_large(value: usize, limit: usize) -> Problem {
    Problem::from(serve::Problem::limit(BODY, value, limit))
        .with_http(StatusCode::PAYLOAD_TOO_LARGE)
}

/// A page of an origin that is not listed.
pub fn foreign(headers: &HeaderMap) -> Problem {
    let origin =
        headers.get(header::ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()));
    let origin = quoted(&origin.unwrap_or(Cow::Borrowed("")));
    let message = format!("pages of origin `{origin}` may not call; list it in --allowed-origin");
    let problem =
        serve::Problem::new(Code::PermissionDenied, ErrorReason::OriginForbidden, message);
    problem.with("origin", origin).into()
}

/// Nothing stands at the path.
pub fn not_found(method: &Method, path: &str) -> Problem {
    let path = quoted(path);
    let message = format!("no call `{method} {path}`");
    serve::Problem::new(Code::NotFound, ErrorReason::RouteNotFound, message)
        .with("path", path)
        .into()
}

/// The path has other methods.
pub fn not_allowed(method: &Method, found: &Found<'_, '_>) -> Problem {
    let allow = found.allow();
    let message = format!(
        "`{method}` is not a method of this path; it has {}",
        allow.to_str().unwrap_or_default()
    );
    let problem = serve::Problem::new(Code::Unimplemented, ErrorReason::RouteNotFound, message);
    Problem::from(problem).with_http(StatusCode::METHOD_NOT_ALLOWED).allow(allow)
}

/// The service did not answer in time.
pub fn overdue(route: &Route, deadline: Duration) -> Problem {
    let service = route.service.name();
    let message = format!("no answer from {service} within {} s", deadline.as_secs_f64());
    serve::Problem::new(Code::DeadlineExceeded, ErrorReason::Unavailable, message)
        .with("service", service)
        .into()
}
