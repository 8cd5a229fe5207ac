//! The gRPC door: public methods are handed to the service that serves them, byte by byte.

use axum::body::Body as HttpBody;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header};
use serve::metadata;
use tonic::Status;
use tower::{Service as _, ServiceExt as _};

use crate::rest::Rest;

/// Headers of this prefix say who calls. They are ours to set.
const OUR_HEADERS: &str = "x-proffer-";

/// True for a gRPC request; gRPC-Web is another protocol.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Hands a request on and its answer back.
pub async fn forward(doors: &Rest, request: Request<HttpBody>) -> Response<HttpBody> {
    if doors.origins.caller(request.headers()) == crate::origin::Caller::Foreign {
        return Status::permission_denied("pages of this origin may not call").into_http();
    }
    let Some(service) = doors.table.methods.get(request.uri().path()).copied() else {
        return Status::unimplemented("no such method here").into_http();
    };
    let mut neighbour = doors.neighbours.of(service).clone();
    let outbound = sanitized(request).map(tonic::body::Body::new);
    let called = match neighbour.ready().await {
        Ok(ready) => ready.call(outbound).await,
        Err(error) => Err(error),
    };
    match called {
        Ok(response) => response.map(HttpBody::new),
        Err(error) => serve::unavailable(service.name(), &error).into_http(),
    }
}

/// The request with our own word about who calls: there is no authentication yet, so every caller is of one tenant.
fn sanitized(request: Request<HttpBody>) -> Request<HttpBody> {
    let (mut parts, body) = request.into_parts();
    let ours: Vec<HeaderName> =
        parts.headers.keys().filter(|name| name.as_str().starts_with(OUR_HEADERS)).cloned().collect();
    for name in ours {
        parts.headers.remove(name);
    }
    parts.headers.insert(metadata::TENANT, HeaderValue::from_static(metadata::DEFAULT_TENANT));
    parts.version = Version::HTTP_2;
    Request::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let is = |kind: &'static str| {
            is_grpc(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]))
        };
        assert!(is("application/grpc"));
        assert!(is("application/grpc+proto"));
        assert!(!is("application/grpc-web+proto"));
        assert!(!is("application/json"));
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
