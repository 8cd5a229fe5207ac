//! Forwards gRPC calls of public methods unchanged to the service that serves them.

use axum::body::Body as HttpBody;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serve::metadata;
use tonic::Status;
use tower::{Service as _, ServiceExt as _};

use crate::{rest::Rest, route_table::BULK_BODY_BYTES_MAX};

/// Bytes of a message, with its frame, that are read. Services refuse smaller ones themselves and
/// say by what limit.
const MESSAGE_BYTES_MAX: usize = 2 * BULK_BODY_BYTES_MAX;
/// Headers of this prefix say who calls. They are ours to set.
const OUR_HEADERS: &str = "x-proffer-";

/// True for a gRPC request; gRPC-Web is another protocol.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
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
    let is_stream = doors.table.streams.contains_key(request.uri().path());
    let admitted = if is_stream { Ok((request, None)) } else { admitted(doors, request).await };
    let (request, _permit) = match admitted {
        Ok(admitted) => admitted,
        Err(status) => return status.into_http(),
    };
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

/// The request once it is its turn. It is read before: whoever sends slowly takes nobody's turn.
/// The turn ends with the head of the answer, which a service sends when its work is done: whoever
/// reads slowly keeps none either. A stream, in either direction, takes none: it lasts as long as
/// its caller likes, and takes in no more than its service asks for.
async fn admitted(
    doors: &Rest,
    request: Request<HttpBody>,
) -> Result<(Request<HttpBody>, Option<serve::Permit>), Status> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MESSAGE_BYTES_MAX).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(
                serve::Problem::limit("request", MESSAGE_BYTES_MAX + 1, MESSAGE_BYTES_MAX).into()
            );
        }
        Err(_) => return Err(Status::cancelled("the request broke off before its end")),
    };
    let permit = doors.admission.admit().await?;
    Ok((Request::from_parts(parts, HttpBody::from(body)), Some(permit)))
}

/// The request with our own word about who calls: there is no authentication yet, so every caller
/// is of one tenant.
fn sanitized(request: Request<HttpBody>) -> Request<HttpBody> {
    let (mut parts, body) = request.into_parts();
    let ours: Vec<HeaderName> = parts
        .headers
        .keys()
        .filter(|name| name.as_str().starts_with(OUR_HEADERS))
        .cloned()
        .collect();
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
