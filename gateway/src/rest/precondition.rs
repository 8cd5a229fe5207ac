//! `ETag` and `If-Match`: conditional requests as HTTP has them, on top of the etags of resources.

use axum::body::Body as HttpBody;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::{
    json::fault::{Faults, Place},
    problem::Problem,
    route_table::{Body, Route},
};

/// The field that holds an etag, in requests and resources.
const ETAG: &str = "etag";
/// Matches any stored state.
const ANY: &str = "*";

/// Puts the etag of `If-Match` where the body or the query would have it. Two different etags are
/// refused, and so is the header on a call that has no etag.
pub fn fill(route: &Route, headers: &HeaderMap, message: &mut DynamicMessage, faults: &mut Faults) {
    let mut given = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = given.next() else { return };
    let place = Place::Root.key("If-Match");
    if given.next().is_some() {
        return faults.add(&place, "is given twice");
    }
    let Some((within, field)) = slot(route, message) else {
        return faults.add(&place, "is not taken by this call: what it changes has no etag");
    };
    let etag = match value.to_str().ok().map(str::trim).and_then(strong) {
        Some(etag) => etag,
        None => {
            return faults
                .add(&place, "must be one strong etag in double quotes, as `ETag` has it, or `*`");
        }
    };
    let present = within.get_field(&field).as_str().unwrap_or_default().to_owned();
    if !present.is_empty() && present != etag {
        return faults.add(&place, "differs from the `etag` of the request; give one of them");
    }
    if etag != ANY {
        // INVARIANT: `slot` found a text field.
        drop(within.try_set_field(&field, Value::String(etag.to_owned())));
    }
}

/// The text of one strong etag, or `*`.
fn strong(text: &str) -> Option<&str> {
    if text == ANY {
        return Some(text);
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.is_empty() && !inner.contains('"')).then_some(inner)
}

/// The etag field of a request that changes a resource, and the message that has it: the resource
/// that is the body, or the request itself.
fn slot<'m>(
    route: &Route,
    message: &'m mut DynamicMessage,
) -> Option<(&'m mut DynamicMessage, FieldDescriptor)> {
    let within = match &route.body {
        Body::Field(body) if route.mask.is_some() => {
            let Value::Message(resource) = message.get_field_mut(&body.descriptor) else {
                return None;
            };
            resource
        }
        Body::Field(_) => return None,
        Body::Whole | Body::None => message,
    };
    let is_text = |field: &FieldDescriptor| field.kind() == Kind::String && !field.is_list();
    let field = within.descriptor().get_field_by_name(ETAG).filter(is_text)?;
    Some((within, field))
}

/// Binds a write to a state of its resource, unless the caller did so; true when it is bound here.
pub fn bind(route: &Route, etag: &str, message: &mut DynamicMessage) -> bool {
    let Some((within, field)) = slot(route, message) else { return false };
    if etag.is_empty() || within.has_field(&field) {
        return false;
    }
    within.try_set_field(&field, Value::String(etag.to_owned())).is_ok()
}

/// The etag of a resource; none when it has none.
pub fn etag_of(resource: &DynamicMessage) -> Option<String> {
    let etag = resource.get_field_by_name(ETAG)?;
    etag.as_str().filter(|etag| !etag.is_empty()).map(str::to_owned)
}

/// The `ETag` of an answer that is one resource.
pub fn of_answer(route: &Route, message: &DynamicMessage) -> Option<HeaderValue> {
    let field = route.answer_body.as_ref()?;
    let resource = message.get_field(&field.descriptor);
    let etag = etag_of(resource.as_message()?)?;
    HeaderValue::try_from(format!("\"{etag}\"")).ok()
}

/// The same answer, or 304 when the caller has it already.
pub fn unless_known(headers: &HeaderMap, answer: Response<HttpBody>) -> Response<HttpBody> {
    let Some(etag) = answer.headers().get(header::ETAG) else { return answer };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let is_known = known.is_some_and(|known| {
        known.split(',').map(str::trim).any(|one| {
            one == ANY || one.strip_prefix("W/").unwrap_or(one).as_bytes() == etag.as_bytes()
        })
    });
    if !is_known {
        return answer;
    }
    let (mut parts, _) = answer.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_TYPE);
    Response::from_parts(parts, HttpBody::empty())
}

/// The error of a call: 412 when the resource is not in the state that `If-Match` names.
pub fn refused(headers: &HeaderMap, status: Status) -> Problem {
    let is_unmet = headers.contains_key(header::IF_MATCH) && is_mismatch(&status);
    let problem = Problem::from(status);
    if is_unmet {
        return problem.with_http(StatusCode::PRECONDITION_FAILED);
    }
    problem
}

/// True when the resource is not in the state that the etag names.
pub fn is_mismatch(status: &Status) -> bool {
    status.get_details_error_info().is_some_and(|info| info.reason == "ETAG_MISMATCH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_strong_etag_is_taken() {
        assert_eq!(strong("\"a1\""), Some("a1"));
        assert_eq!(strong("*"), Some("*"));
        for odd in ["", "a1", "W/\"a1\"", "\"\"", "\"a\", \"b\"", "\"a", "a\""] {
            assert_eq!(strong(odd), None, "{odd}");
        }
    }
}
