//! The errors of the gateway itself: body too large, unknown path, foreign origin, timeout.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use proffer_proto::errors::v1::ErrorReason;
use tonic::Code;

use super::fixed::INDEX;
use crate::{
    json::fault::{BODY, quoted},
    origin::HostFault,
    problem::Problem,
    route_table::Route,
};

/// The body is larger than the call takes.
pub fn too_large(value: usize, limit: usize) -> Problem {
    let text = format!("has {value} bytes; the maximum is {limit}");
    let message = format!("the {BODY} {text}");
    let problem = serve::Problem::invalid_field(BODY, text)
        .because(ErrorReason::LimitExceeded, message)
        .with("limit", limit.to_string())
        .with("value", value.to_string());
    Problem::from(problem).with_http(StatusCode::PAYLOAD_TOO_LARGE)
}

/// A page of an origin that may not call.
pub fn foreign(headers: &HeaderMap) -> serve::Problem {
    let named =
        headers.get(header::ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()));
    let origin = quoted(&named.unwrap_or(Cow::Borrowed("")));
    let message = if origin.is_empty() {
        "pages of other sites may not call; list their origin in --allowed-origin".to_owned()
    } else {
        format!("pages of origin `{origin}` may not call; list it in --allowed-origin")
    };
    serve::Problem::new(Code::PermissionDenied, ErrorReason::OriginForbidden, message)
        .with("origin", origin)
}

/// The request names a host under which the gateway may not be called, or none.
pub fn host(fault: HostFault) -> Problem {
    match fault {
        HostFault::Missing => serve::Problem::invalid_field("Host", "is required").into(),
        HostFault::Unknown(host) => {
            let host = quoted(&host);
            let message = format!("host `{host}` is not known; list its name in --allowed-host");
            serve::Problem::new(Code::PermissionDenied, ErrorReason::HostForbidden, message)
                .with("host", host)
                .into()
        }
    }
}

/// There is no route at the path.
pub fn not_found(method: &Method, path: &str) -> Problem {
    let path = quoted(path);
    let message = format!("no call `{method} {path}`; GET {INDEX} lists the calls");
    serve::Problem::new(Code::NotFound, ErrorReason::RouteNotFound, message)
        .with("path", path)
        .into()
}

/// The path has other methods.
pub fn not_allowed(method: &Method, allow: HeaderValue) -> Problem {
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
