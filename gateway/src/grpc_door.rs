//! Forwards gRPC calls of public methods unchanged to the service that serves them.

use axum::body::Body as HttpBody;
use http::{HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use proffer_proto::errors::v1::ErrorReason;
use serve::{Problem, metadata};
use tonic::{Code, Status};
use tower::{Service as _, ServiceExt as _};

use crate::{
    ask,
    neighbours::Service,
    origin::Caller,
    part_turns::PartTurns,
    rest::{Rest, refusal},
    route_table::BODY_BYTES_MAX,
};

/// Bytes before a message.
const PREFIX_BYTES: usize = 5;
/// Prefix of the headers that name the caller; only the gateway sets them.
const OUR_HEADERS: &str = "x-proffer-";

/// Forwards a request and returns the answer.
pub async fn forward(doors: &Rest, request: Request<HttpBody>) -> Response<HttpBody> {
    if doors.origins.caller(request.uri(), request.headers()) == Caller::Foreign {
        return Status::from(refusal::foreign(request.headers())).into_http();
    }
    let Some(service) = doors.table.methods.get(request.uri().path()).copied() else {
        let path = request.uri().path();
        let message = format!("there is no method `{path}`; gRPC reflection lists those there are");
        let problem = Problem::new(Code::Unimplemented, ErrorReason::RouteNotFound, message);
        return Status::from(problem).into_http();
    };
    let mut neighbour = doors.neighbours.of(service).clone();
    let is_stream = doors.table.streams.contains_key(request.uri().path());
    let admitted = match is_stream {
        true => Ok((in_parts(doors, service, request), None)),
        false => admitted(doors, service, request).await,
    };
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

/// The request, once it has a permit. It is read before, so a slow client holds no permit while it
/// sends. The permit ends with the head of the answer, which a service sends when its work is done,
/// so a client that reads slowly holds none either.
async fn admitted(
    doors: &Rest,
    service: Service,
    request: Request<HttpBody>,
) -> Result<(Request<HttpBody>, Option<serve::Permit>), Status> {
    let (parts, body) = request.into_parts();
    let message_max = doors.table.message_bytes_max.get(parts.uri.path()).copied();
    let bytes_max = message_max.unwrap_or(BODY_BYTES_MAX) + PREFIX_BYTES;
    let body = match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Problem::bytes_limit("request", bytes_max + 1, bytes_max).into());
        }
        Err(error) => {
            if let Some(status) = serve::refusal_in(&*error) {
                return Err(status);
            }
            let message = "the request broke off before its end";
            return Err(Problem::new(Code::Cancelled, ErrorReason::Unavailable, message).into());
        }
    };
    let items = ask::items_in_message(&body, PREFIX_BYTES);
    let ask = ask::of(&parts.extensions, (service, parts.uri.path()), (items, body.len()));
    let permit = doors.admission.admit(ask).await?;
    serve::Call::check_time()?;
    Ok((Request::from_parts(parts, HttpBody::from(body)), Some(permit)))
}

/// A stream: each of its parts takes a turn.
fn in_parts(doors: &Rest, service: Service, request: Request<HttpBody>) -> Request<HttpBody> {
    let ask = ask::of(request.extensions(), (service, request.uri().path()), (0, 0));
    request.map(|body| HttpBody::new(PartTurns::new(body, doors.admission.clone(), ask)))
}

/// The request with the caller's identity. There is no authentication yet: every caller belongs to
/// one tenant.
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
