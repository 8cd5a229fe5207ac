//! The REST door: a call in JSON becomes a message for the service that serves it, its answer becomes JSON.

use std::{borrow::Cow, time::Duration};

use axum::body::Body as HttpBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use proffer_proto::errors::v1::ErrorReason;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use serve::metadata;
use tonic::{Code, metadata::MetadataValue};

use crate::{
    json::{
        fault::{BODY, Faults, Place},
        mask,
        parse::{self, Nulls},
        print,
        shape::{Field, Kind, Plurality, Shape},
        tree::{self, Json},
    },
    neighbours::Neighbours,
    origin::{self, Caller, Origins},
    path_template,
    problem::Problem,
    query,
    request_id::{self, REQUEST_ID},
    route_table::{Body, Found, Route, RouteTable, Variable},
};

/// The caller's key that makes a retry safe.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers of a trace, handed on as they come.
const TRACE_HEADERS: [&str; 2] = ["traceparent", "tracestate"];

/// The REST door.
#[derive(Debug)]
pub struct Rest {
    /// All calls.
    pub table: RouteTable,
    /// Who serves them.
    pub neighbours: Neighbours,
    /// Which pages may call.
    pub origins: Origins,
    /// Longest a call may take, its body's arrival included.
    pub deadline: Duration,
}

impl Rest {
    /// Answers a request.
    pub async fn answer(&self, request: Request<HttpBody>) -> Response<HttpBody> {
        let request_id = request_id::of(request.headers());
        let is_head = request.method() == Method::HEAD;
        let caller = self.origins.caller(request.headers());
        let mut response = match &caller {
            Caller::Foreign => foreign(request.headers()).into_response(None, &request_id),
            Caller::Program | Caller::Page(_) => self.admitted(request, &caller, &request_id).await,
        };
        if is_head {
            response = without_body(response).await;
        }
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::try_from(request_id) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Caller::Page(page) = &caller {
            origin::admit(page, headers);
        }
        response
    }

    async fn admitted(&self, request: Request<HttpBody>, caller: &Caller, request_id: &str) -> Response<HttpBody> {
        let (parts, body) = request.into_parts();
        let Some(found) = self.table.find(parts.uri.path()) else {
            return not_found(&parts.method, parts.uri.path()).into_response(None, request_id);
        };
        if parts.method == Method::OPTIONS {
            return options(&found, caller);
        }
        let Some(route) = found.route(&parts.method) else {
            return not_allowed(&parts.method, &found).into_response(None, request_id);
        };
        let work = self.call(route, &found.values, &parts, body, request_id);
        let answered = match tokio::time::timeout(self.deadline, work).await {
            Ok(answered) => answered,
            Err(_) => Err(overdue(route, self.deadline)),
        };
        answered.unwrap_or_else(|problem| problem.into_response(Some(self.table.error_root(route)), request_id))
    }

    async fn call(
        &self,
        route: &Route,
        values: &[&str],
        parts: &http::request::Parts,
        body: HttpBody,
        request_id: &str,
    ) -> Result<Response<HttpBody>, Problem> {
        let body = read_body(&parts.headers, body, route.body_bytes_max).await?;
        let message = self.request(route, values, parts.uri.query().unwrap_or_default(), &parts.headers, &body)?;
        let request = self.outbound(message, &parts.headers, request_id);
        let answer = self.neighbours.call(route.service, route.path.clone(), request).await?;
        self.response(route, &answer)
    }

    /// The message of a call. All its faults are told together.
    pub fn request(
        &self,
        route: &Route,
        values: &[&str],
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<DynamicMessage, Problem> {
        let mut faults = Faults::default();
        let shapes = &self.table.shapes;
        let shape = shapes.at(route.request).ok_or_else(|| serve::internal(&"a call without a plan"))?;
        let mut message = DynamicMessage::new(shape.descriptor.clone());
        match &route.body {
            Body::None => refuse_body(body)?,
            Body::Whole => {
                let json = read_json(body, &mut faults)?;
                message = parse::message(shapes, shape, &json, Nulls::Refused, &mut faults);
                fill_idempotency_key(route, headers, &mut message, &mut faults);
            }
            Body::Field(field) => {
                let json = read_json(body, &mut faults)?;
                self.body_field(route, field, &json, headers, &mut message, &mut faults);
            }
        }
        self.query(route, query, shape, &mut message, &mut faults);
        for (variable, raw) in route.variables.iter().zip(values) {
            self.variable(variable, raw, &mut message, &mut faults);
        }
        if faults.is_empty() {
            return Ok(message);
        }
        Err(serve::Problem::invalid_fields(faults.into_list()).into())
    }

    fn body_field(
        &self,
        route: &Route,
        field: &Field,
        json: &Json<'_>,
        headers: &HeaderMap,
        message: &mut DynamicMessage,
        faults: &mut Faults,
    ) {
        let shapes = &self.table.shapes;
        let Kind::Message(id) = field.kind else { return };
        let Some(shape) = shapes.at(id) else { return };
        let nulls = if route.mask.is_some() { Nulls::Clear } else { Nulls::Refused };
        let mut body = parse::message(shapes, shape, json, nulls, faults);
        fill_idempotency_key(route, headers, &mut body, faults);
        set(message, field, Value::Message(body), &Place::Root, faults);
        if let Some(mask) = &route.mask {
            let paths = mask::of_body(shapes, shape, json);
            if paths.is_empty() && faults.is_empty() {
                faults.add(&Place::Root, "names no field to change");
            }
            set_mask(message, mask, paths, faults);
        }
    }

    fn query(&self, route: &Route, raw: &str, shape: &Shape, message: &mut DynamicMessage, faults: &mut Faults) {
        let parameters = match query::parse(raw) {
            Ok(parameters) => parameters,
            Err(error) => {
                let key = if let query::QueryError::Encoding(key) = &error { key } else { "query" };
                return faults.add(&Place::Root.key(key), error.to_string());
            }
        };
        let mut seen: Vec<&str> = Vec::new();
        for (key, text) in &parameters {
            let place = Place::Root.key(key);
            let Some(field) = route.query.get(key) else {
                let mut known: Vec<_> = route.query.keys().map(|key| format!("`{key}`")).collect();
                known.sort();
                let known = if known.is_empty() { "it takes none".to_owned() } else { known.join(", ") };
                faults.add(&place, format!("is not a query parameter of this call; known: {known}"));
                continue;
            };
            if field.plurality == Plurality::One && seen.contains(&key.as_str()) {
                faults.add(&place, "is given twice");
                continue;
            }
            seen.push(key);
            if route.mask.as_ref().is_some_and(|mask| mask.name == field.name) {
                self.given_mask(route, shape, field, text, message, faults);
                continue;
            }
            let Some(value) = parse::text_value(&self.table.shapes, &field.kind, text, &place, faults) else {
                continue;
            };
            match field.plurality {
                Plurality::List => {
                    if let Value::List(items) = message.get_field_mut(&field.descriptor) {
                        items.push(value);
                    }
                }
                Plurality::One | Plurality::Map => set(message, field, value, &place, faults),
            }
        }
    }

    /// A mask in the query takes the place of the one made from the body's keys.
    fn given_mask(
        &self,
        route: &Route,
        shape: &Shape,
        mask: &Field,
        text: &str,
        message: &mut DynamicMessage,
        faults: &mut Faults,
    ) {
        let body = match &route.body {
            Body::Field(field) => {
                if let Kind::Message(id) = field.kind {
                    self.table.shapes.at(id)
                } else {
                    None
                }
            }
            Body::Whole | Body::None => Some(shape),
        };
        let Some(body) = body else { return };
        let place = Place::Root.key(&mask.key);
        let paths = mask::of_text(&self.table.shapes, body, text, &place, faults);
        if paths.is_empty() && faults.is_empty() {
            faults.add(&place, "names no field to change");
        }
        set_mask(message, mask, paths, faults);
    }

    fn variable(&self, variable: &Variable, raw: &str, message: &mut DynamicMessage, faults: &mut Faults) {
        let field = &variable.field;
        let place = Place::Root.key(&field.key);
        let Some(text) = path_template::decode(raw) else {
            return faults.add(&place, "is not percent-encoded UTF-8 in the path");
        };
        let Some(value) = parse::text_value(&self.table.shapes, &field.kind, &text, &place, faults) else { return };
        let mut target = message;
        for parent in &variable.parents {
            let Value::Message(inner) = target.get_field_mut(parent) else { return };
            target = inner;
        }
        if target.has_field(&field.descriptor) && *target.get_field(&field.descriptor) != value {
            return faults.add(&place, "is another in the body than in the path; leave it out of the body");
        }
        set(target, field, value, &place, faults);
    }

    fn outbound(&self, message: DynamicMessage, headers: &HeaderMap, request_id: &str) -> tonic::Request<Bytes> {
        let mut request = metadata::request(metadata::DEFAULT_TENANT, Bytes::from(message.encode_to_vec()));
        request.set_timeout(self.deadline);
        let outbound = request.metadata_mut();
        if let Ok(id) = MetadataValue::try_from(request_id) {
            outbound.insert(REQUEST_ID, id);
        }
        for name in TRACE_HEADERS {
            let value = headers.get(name).and_then(|value| MetadataValue::try_from(value.as_bytes()).ok());
            if let Some(value) = value {
                outbound.insert(name, value);
            }
        }
        request
    }

    fn response(&self, route: &Route, answer: &[u8]) -> Result<Response<HttpBody>, Problem> {
        let shapes = &self.table.shapes;
        let shape = shapes.at(route.answer).ok_or_else(|| serve::internal(&"an answer without a plan"))?;
        let message =
            DynamicMessage::decode(shape.descriptor.clone(), answer).map_err(|error| serve::internal(&error))?;
        let mut status = route.success;
        if status == StatusCode::NO_CONTENT {
            let warns = route.warnings.as_ref().is_some_and(|field| message.has_field(field));
            if !warns {
                let mut response = Response::new(HttpBody::empty());
                *response.status_mut() = status;
                return Ok(response);
            }
            status = StatusCode::OK;
        }
        let body = match &route.answer_body {
            Some(field) => print::field(shapes, field, &message),
            None => print::message(shapes, shape, &message),
        };
        let mut response = Response::new(HttpBody::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}

fn set(message: &mut DynamicMessage, field: &Field, value: Value, place: &Place<'_>, faults: &mut Faults) {
    // INVARIANT: plans and descriptors come from one pool, so that a read value fits its field.
    if message.try_set_field(&field.descriptor, value).is_err() {
        faults.add(place, "does not fit its field");
    }
}

fn set_mask(message: &mut DynamicMessage, mask: &Field, paths: Vec<String>, faults: &mut Faults) {
    let Value::Message(value) = message.get_field_mut(&mask.descriptor) else { return };
    let paths = Value::List(paths.into_iter().map(Value::String).collect());
    if value.try_set_field_by_name("paths", paths).is_err() {
        faults.add(&Place::Root.key(&mask.key), "does not fit its field");
    }
}

/// The header's key serves when the body has none.
fn fill_idempotency_key(route: &Route, headers: &HeaderMap, body: &mut DynamicMessage, faults: &mut Faults) {
    let Some(field) = &route.idempotency_key else { return };
    let Some(header) = headers.get(IDEMPOTENCY_KEY) else { return };
    if body.has_field(field) {
        return;
    }
    match std::str::from_utf8(header.as_bytes()) {
        Ok(key) if !key.is_empty() => drop(body.try_set_field(field, Value::String(key.to_owned()))),
        _ => faults.add(&Place::Root.key("Idempotency-Key"), "must be text and not empty"),
    }
}

async fn read_body(headers: &HeaderMap, body: HttpBody, bytes_max: usize) -> Result<Bytes, Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    if !matches!(encoding, b"" | b"identity") {
        let problem = serve::Problem::invalid_field("Content-Encoding", "is not taken; send the body as it is");
        return Err(Problem::from(problem).with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if let Some(announced) = announced.filter(|announced| *announced > bytes_max) {
        return Err(too_large(announced, bytes_max));
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(bytes_max + 1, bytes_max)),
        Err(_) => Err(serve::Problem::invalid_field(BODY, "broke off before its end").into()),
    }
}

/// The body as JSON, whatever its content type says; an empty one is an empty object.
fn read_json<'a>(body: &'a [u8], faults: &mut Faults) -> Result<Json<'a>, Problem> {
    let invalid = |message: String| Problem::from(serve::Problem::invalid_field(BODY, message));
    let text =
        std::str::from_utf8(body).map_err(|error| invalid(format!("is not UTF-8 at byte {}", error.valid_up_to())))?;
    if text.trim_ascii().is_empty() {
        return Ok(Json::Object(Vec::new()));
    }
    tree::read(text, faults).map_err(|error| invalid(error.to_string()))
}

fn refuse_body(body: &[u8]) -> Result<(), Problem> {
    match body.trim_ascii() {
        b"" | b"{}" => Ok(()),
        _ => Err(serve::Problem::invalid_field(BODY, "is not taken by this call; use path and query").into()),
    }
}

fn too_large(value: usize, limit: usize) -> Problem {
    Problem::from(serve::Problem::limit(BODY, value, limit)).with_http(StatusCode::PAYLOAD_TOO_LARGE)
}

fn foreign(headers: &HeaderMap) -> Problem {
    let origin = headers.get(header::ORIGIN).map(|origin| String::from_utf8_lossy(origin.as_bytes()));
    let origin = crate::json::fault::quoted(&origin.unwrap_or(Cow::Borrowed("")));
    let message = format!("pages of origin `{origin}` may not call; list it in --allowed-origin");
    let problem = serve::Problem::new(Code::PermissionDenied, ErrorReason::OriginForbidden, message);
    problem.with("origin", origin).into()
}

fn not_found(method: &Method, path: &str) -> Problem {
    let path = crate::json::fault::quoted(path);
    let message = format!("no call `{method} {path}`");
    serve::Problem::new(Code::NotFound, ErrorReason::RouteNotFound, message).with("path", path).into()
}

fn not_allowed(method: &Method, found: &Found<'_, '_>) -> Problem {
    let allow = found.allow();
    let message = format!("`{method}` is not a method of this path; it has {}", allow.to_str().unwrap_or_default());
    let problem = serve::Problem::new(Code::Unimplemented, ErrorReason::RouteNotFound, message);
    Problem::from(problem).with_http(StatusCode::METHOD_NOT_ALLOWED).allow(allow)
}

fn overdue(route: &Route, deadline: Duration) -> Problem {
    let service = route.service.name();
    let message = format!("no answer from {service} within {} s", deadline.as_secs_f64());
    serve::Problem::new(Code::DeadlineExceeded, ErrorReason::Unavailable, message).with("service", service).into()
}

fn options(found: &Found<'_, '_>, caller: &Caller) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allow = found.allow();
    if let Caller::Page(_) = caller {
        origin::admit_methods(&allow, response.headers_mut());
    }
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

/// The same answer with the length of its body instead of the body.
async fn without_body(response: Response<HttpBody>) -> Response<HttpBody> {
    let (mut parts, body) = response.into_parts();
    let length = body.collect().await.map(|body| body.to_bytes().len()).unwrap_or_default();
    if parts.status != StatusCode::NO_CONTENT {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, HttpBody::empty())
}
