//! Answers that REST sends as plain text with its own content type instead of JSON, for example an
//! SVG picture.

use axum::body::Body as HttpBody;
use http::{HeaderValue, Response, header};
use prost_reflect::{DynamicMessage, ReflectMessage as _};

use crate::{problem::Problem, route_table::Route};

/// The message that REST writes as the whole body.
const TEXT_BODY: &str = "proffer.values.v1.TextBody";
/// A text from here runs no scripts and loads nothing, whatever a browser takes it for.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// The answer as it is sent; none when it is an ordinary message.
pub fn of_answer(
    route: &Route,
    message: &DynamicMessage,
) -> Option<Result<Response<HttpBody>, Problem>> {
    let field = route.answer_body.as_ref()?;
    let value = message.get_field(&field.descriptor);
    let body = value.as_message().filter(|body| body.descriptor().full_name() == TEXT_BODY)?;
    let text = |name: &str| {
        let value = body.get_field_by_name(name);
        value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    Some(response(&text("content_type"), text("text")))
}

fn response(content_type: &str, text: String) -> Result<Response<HttpBody>, Problem> {
    let content_type = HeaderValue::try_from(format!("{content_type}; charset=utf-8"));
    let content_type = content_type.map_err(|error| serve::internal(&error))?;
    let mut response = Response::new(HttpBody::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, POLICY);
    Ok(response)
}
