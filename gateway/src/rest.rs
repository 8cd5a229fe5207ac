//! Serves REST calls: converts JSON to a message for the service, and its answer to JSON.

mod fixed;
mod import;
pub mod index;
mod items;
mod lines;
mod precondition;
pub mod refusal;
mod request;
mod tag;
mod text;
mod validate;

use std::{sync::Arc, time::Duration};

use axum::body::Body as HttpBody;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serve::{
    Admission, Call, metadata,
    request_id::{self, REQUEST_ID},
};
use tonic::Status;

use crate::{
    ask,
    json::print,
    neighbours::Neighbours,
    origin::{self, Caller, Origins},
    problem::Problem,
    route_table::{BODY_BYTES_MAX, Found, Route, RouteTable},
};

/// The REST handler.
#[derive(Debug)]
pub struct Rest {
    /// All calls.
    pub table: Arc<RouteTable>,
    /// The list of all calls, as JSON.
    pub index: Bytes,
    /// Who serves them.
    pub neighbours: Neighbours,
    /// Which pages may call.
    pub origins: Origins,
    /// Timeout of a call, including the arrival of its body.
    pub deadline: Duration,
    /// Limit of the calls in flight, REST and gRPC together.
    pub admission: Admission,
}

/// What is at a path.
enum Destination<'t, 'p> {
    /// The list of all calls.
    Index,
    /// The import into a schema, whose name is still encoded.
    Import(&'p str),
    /// The check of a resource.
    Validate,
    /// Calls of the contracts.
    Call(Found<'t, 'p>),
}

impl Destination<'_, '_> {
    /// The allowed methods, as a header value.
    fn allow(&self) -> HeaderValue {
        match self {
            Self::Index => HeaderValue::from_static("GET, HEAD, OPTIONS"),
            Self::Import(_) | Self::Validate => HeaderValue::from_static("OPTIONS, POST"),
            Self::Call(found) => found.allow(),
        }
    }
}

impl Rest {
    /// Answers a request.
    pub async fn answer(&self, request: Request<HttpBody>) -> Response<HttpBody> {
        let call = Call::current();
        let request_id = call.map(|call| call.request_id().to_owned());
        let request_id = request_id.unwrap_or_else(|| request_id::of(request.headers()));
        let is_head = request.method() == Method::HEAD;
        let caller = self.origins.caller(request.uri(), request.headers());
        let mut response =
            match (self.origins.check_host(request.uri(), request.headers()), &caller) {
                (Err(fault), _) => refusal::host(fault).into_response(None, &request_id),
                (Ok(()), Caller::Foreign) => Problem::from(refusal::foreign(request.headers()))
                    .into_response(None, &request_id),
                (Ok(()), _) => serve::caught(self.admitted(request, &caller, &request_id))
                    .await
                    .unwrap_or_else(|status| {
                        Problem::from(status).into_response(None, &request_id)
                    }),
            };
        if is_head {
            response = without_body(response).await;
        }
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::try_from(request_id) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Caller::Page(page) = &caller {
            origin::admit(page, headers);
        }
        response
    }

    async fn admitted(
        &self,
        request: Request<HttpBody>,
        caller: &Caller,
        request_id: &str,
    ) -> Response<HttpBody> {
        let (parts, body) = request.into_parts();
        let Some(place) = self.place(parts.uri.path()) else {
            return refusal::not_found(&parts.method, parts.uri.path())
                .into_response(None, request_id);
        };
        if parts.method == Method::OPTIONS {
            return options(place.allow(), caller);
        }
        let not_allowed =
            || refusal::not_allowed(&parts.method, place.allow()).into_response(None, request_id);
        let found = match &place {
            Destination::Index if matches!(parts.method, Method::GET | Method::HEAD) => {
                named("/rest/index");
                return json(self.index.clone());
            }
            Destination::Import(schema) if parts.method == Method::POST => {
                let answered = self.import(schema, &parts, body).await;
                return answered.unwrap_or_else(|problem| problem.into_response(None, request_id));
            }
            Destination::Validate if parts.method == Method::POST => {
                let answered = self.validate(&parts, body).await;
                return answered.unwrap_or_else(|problem| problem.into_response(None, request_id));
            }
            Destination::Index | Destination::Import(_) | Destination::Validate => {
                return not_allowed();
            }
            Destination::Call(found) => found,
        };
        let Some(route) = found.route(&parts.method) else { return not_allowed() };
        named(route.path.path());
        if route.is_stream {
            let answered = self.lines((found, route), &parts, body).await;
            let root = self.table.error_root(route);
            return answered
                .unwrap_or_else(|problem| problem.into_response(Some(root), request_id));
        }
        let work = self.call((found, route), &parts, body);
        if let Some(call) = Call::current() {
            call.limit_to(self.deadline);
        }
        let answered = match tokio::time::timeout(self.deadline, work).await {
            Ok(answered) => answered,
            Err(_) => Err(refusal::overdue(route, self.deadline)),
        };
        answered.unwrap_or_else(|problem| {
            problem.into_response(Some(self.table.error_root(route)), request_id)
        })
    }

    /// What is at a raw path.
    fn place<'a>(&'a self, path: &'a str) -> Option<Destination<'a, 'a>> {
        if path == fixed::INDEX {
            return Some(Destination::Index);
        }
        if path == fixed::VALIDATE {
            return Some(Destination::Validate);
        }
        let import = fixed::schema_in(path).map(Destination::Import);
        import.or_else(|| self.table.find(path).map(Destination::Call))
    }

    async fn call(
        &self,
        (found, route): (&Found<'_, '_>, &Route),
        parts: &http::request::Parts,
        body: HttpBody,
    ) -> Result<Response<HttpBody>, Problem> {
        let body = request::read_body(&parts.headers, body, route.body_bytes_max).await?;
        // After the body has arrived: a slow client holds no permit while it sends.
        let is_bulk = route.body_bytes_max > BODY_BYTES_MAX;
        let items = if is_bulk { ask::items_in_json(&body) } else { 0 };
        let called = (route.service, route.path.path());
        let ask = ask::of(&parts.extensions, called, (items, body.len()));
        let _permit = self.admission.admit(ask).await?;
        Call::check_time()?;
        let mut is_check = false;
        let answer = if let Some(tagged) = self.missing_tag(route, &body) {
            self.patch_untagged((found, route), parts, &body, tagged).await?
        } else {
            let query = parts.uri.query().unwrap_or_default();
            let message = self.request(route, &found.values, query, &parts.headers, &body, None)?;
            is_check = is_check_only(route, &message);
            let answered = self.send(route, message).await;
            answered.map_err(|status| precondition::refused(&parts.headers, status))?
        };
        let mut response = self.response(route, &answer)?;
        if is_check {
            // Nothing was created.
            *response.status_mut() = StatusCode::OK;
        }
        if matches!(parts.method, Method::GET | Method::HEAD) {
            return Ok(precondition::unless_known(&parts.headers, response));
        }
        Ok(response)
    }

    /// Sends a call to its service; the answer stays encoded.
    async fn send(&self, route: &Route, message: DynamicMessage) -> Result<Bytes, Status> {
        let mut request =
            metadata::request(metadata::DEFAULT_TENANT, Bytes::from(message.encode_to_vec()));
        let left = Call::current().and_then(|call| call.time_left());
        request.set_timeout(left.unwrap_or(self.deadline));
        self.neighbours.call(route.service, route.path.clone(), request).await
    }

    fn response(&self, route: &Route, answer: &[u8]) -> Result<Response<HttpBody>, Problem> {
        let shapes = &self.table.shapes;
        let shape =
            shapes.at(route.answer).ok_or_else(|| serve::internal(&"an answer without a plan"))?;
        let mut message = DynamicMessage::decode(shape.descriptor.clone(), answer)
            .map_err(|error| serve::internal(&error))?;
        if let Some(item) = route.item {
            items::translate(&mut message, self.table.item_root(item));
        }
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
        if let Some(text) = text::of_answer(route, &message) {
            return text;
        }
        let etag = precondition::of_answer(route, &message);
        let body = match &route.answer_body {
            Some(field) => print::field(shapes, field, &message),
            None => print::message(shapes, shape, &message),
        };
        let mut response = json(body);
        *response.status_mut() = status;
        if let Some(etag) = etag {
            response.headers_mut().insert(header::ETAG, etag);
        }
        Ok(response)
    }
}

/// True when a call only checks a resource.
fn is_check_only(route: &Route, message: &DynamicMessage) -> bool {
    let flag = route.validate_only.as_ref();
    flag.is_some_and(|flag| message.get_field(flag).as_bool() == Some(true))
}

/// Names the method that the current call turned out to be.
fn named(path: &str) {
    if let Some(call) = Call::current() {
        call.name_method(path);
    }
}

fn json(body: impl Into<Bytes>) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::from(body.into()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn options(allow: HeaderValue, caller: &Caller) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Caller::Page(_) = caller {
        origin::admit_methods(&allow, response.headers_mut());
    }
    response.headers_mut().insert(header::ALLOW, allow);
    response
}

/// The same answer with the length of its body instead of the body.
async fn without_body(response: Response<HttpBody>) -> Response<HttpBody> {
    let (mut parts, body) = response.into_parts();
    if parts.extensions.get::<lines::Unmeasured>().is_some() {
        return Response::from_parts(parts, HttpBody::empty());
    }
    let length = body.collect().await.map(|body| body.to_bytes().len()).unwrap_or_default();
    if parts.status != StatusCode::NO_CONTENT {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, HttpBody::empty())
}
