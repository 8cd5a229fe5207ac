//! `POST /api/v1/validate`: checks a resource without writing it. The service of its kind does the
//! check: it takes the call that would write the resource, with `validate_only`.

use std::sync::Arc;

use axum::body::Body as HttpBody;
use bytes::Bytes;
use http::Response;
use proffer_proto::errors::v1::ErrorReason;
use prost_reflect::{DynamicMessage, Value};
use serde::Serialize;
use serve::Problem as Refusal;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    Rest,
    request::{self, set, set_mask},
};
use crate::{
    ask,
    json::{
        fault::{Faults, Place, quoted},
        mask,
        parse::{self, Nulls},
        shape::{Kind, Shape},
        tree::Json,
    },
    neighbours::Service,
    problem::{self, Problem},
    route_table::{BODY_BYTES_MAX, Body, Route},
};

/// The keys of the body.
const KIND: &str = "kind";
const RESOURCE: &str = "resource";
/// The field of a resource that holds the warnings of a write.
const WARNINGS: &str = "warnings";

/// The texts of a resource, by their keys.
type Texts<'j> = Vec<(&'j str, &'j str)>;

/// What a check found.
#[derive(Debug, Default, Serialize)]
struct Verdict {
    valid: bool,
    errors: Vec<Fault>,
    warnings: Vec<String>,
}

/// What would refuse the resource.
#[derive(Debug, Serialize)]
struct Fault {
    /// JSON path within the resource; `resource` for the whole.
    field: String,
    message: String,
    /// Byte offset within a formula, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
}

impl Fault {
    fn new((field, message): (String, String)) -> Self {
        let position = formula::position_in(&message);
        let field = if field.is_empty() { RESOURCE.to_owned() } else { field };
        Self { field, message, position }
    }
}

impl Rest {
    /// Checks a resource.
    pub(super) async fn validate(
        &self,
        parts: &http::request::Parts,
        body: HttpBody,
    ) -> Result<Response<HttpBody>, Problem> {
        super::named("/rest/validate");
        let work = self.validated(parts, body);
        let verdict = tokio::time::timeout(self.deadline, work).await.map_err(|_| {
            let message = format!("no verdict within {} s", self.deadline.as_secs_f64());
            Refusal::new(Code::DeadlineExceeded, ErrorReason::Unavailable, message)
        })??;
        let text = serde_json::to_vec(&verdict).map_err(|error| serve::internal(&error))?;
        Ok(super::json(text))
    }

    async fn validated(
        &self,
        parts: &http::request::Parts,
        body: HttpBody,
    ) -> Result<Verdict, Problem> {
        let body = request::read_body(&parts.headers, body, BODY_BYTES_MAX).await?;
        // After the body has arrived: a slow client holds no permit while it sends.
        // Kinds of all services are checked here; most need the catalog.
        let called = (Service::Catalog, parts.uri.path());
        let ask = ask::of(&parts.extensions, called, (0, body.len()));
        let _permit = self.admission.admit(ask).await?;
        let mut faults = Faults::default();
        let json = request::read_json(&body, &mut faults)?;
        let (kind, resource) = read(&json)?;
        let route = self.check_of(kind)?;
        let mut errors = within_resource(faults)?;
        let mut faults = Faults::default();
        let (message, given) = self.question(route, resource, &mut faults)?;
        errors.extend(faults.into_list());
        if !errors.is_empty() {
            let errors = errors.into_iter().map(Fault::new).collect();
            return Ok(Verdict { errors, ..Verdict::default() });
        }
        match self.send(route, message).await {
            Ok(answer) => Ok(Verdict {
                valid: true,
                warnings: self.warnings(route, answer)?,
                errors: Vec::new(),
            }),
            Err(status) if is_verdict(&status) => {
                let (message, faults) = problem::faults(&status, self.table.error_root(route));
                let whole = || vec![Fault::new((field_of(&status, &given), message))];
                let errors: Vec<_> = faults.into_iter().map(Fault::new).collect();
                let errors = if errors.is_empty() { whole() } else { errors };
                Ok(Verdict { errors, ..Verdict::default() })
            }
            Err(status) => Err(status.into()),
        }
    }

    /// The call that checks this kind.
    fn check_of(&self, kind: &str) -> Result<&Arc<Route>, Problem> {
        self.table.checks.get(kind).ok_or_else(|| {
            let known: Vec<_> = self.table.checks.keys().map(String::as_str).collect();
            let near = formula::nearest(kind, known.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let (shown, known) = (quoted(kind), known.join(", "));
            let message = format!("`{shown}` is no kind of resource{near} Known are {known}");
            Refusal::invalid_field(KIND, message).into()
        })
    }

    /// The call's message, and the texts of the resource by their keys.
    fn question<'j>(
        &self,
        route: &Route,
        resource: &'j Json<'_>,
        faults: &mut Faults,
    ) -> Result<(DynamicMessage, Texts<'j>), Problem> {
        let no_plan = || Problem::from(serve::internal(&"a check without a plan"));
        let shapes = &self.table.shapes;
        let request = shapes.at(route.request).ok_or_else(no_plan)?;
        let Body::Field(field) = &route.body else { return Err(no_plan()) };
        let Kind::Message(id) = field.kind else { return Err(no_plan()) };
        let shape: &Shape = shapes.at(id).ok_or_else(no_plan)?;
        let flag = route.validate_only.as_ref().ok_or_else(no_plan)?;
        let nulls = if route.mask.is_some() { Nulls::Clear } else { Nulls::LeftOut };
        let read = parse::message(shapes, shape, resource, nulls, faults);
        let mut message = DynamicMessage::new(request.descriptor.clone());
        set(&mut message, field, Value::Message(read), &Place::Root, faults);
        if let Some(mask) = &route.mask {
            set_mask(&mut message, mask, mask::of_body(shapes, shape, resource), faults);
        }
        message.try_set_field(flag, Value::Bool(true)).map_err(|error| serve::internal(&error))?;
        let Json::Object(entries) = resource else { return Ok((message, Vec::new())) };
        let text = |(key, value): &'j (std::borrow::Cow<'_, str>, Json<'_>)| match value {
            Json::Text(text) => Some((&**key, &**text)),
            _ => None,
        };
        Ok((message, entries.iter().filter_map(text).collect()))
    }

    /// The warnings that the write would give.
    fn warnings(&self, route: &Route, answer: Bytes) -> Result<Vec<String>, Problem> {
        let shape = self.table.shapes.at(route.answer);
        let shape = shape.ok_or_else(|| serve::internal(&"an answer without a plan"))?;
        let message = DynamicMessage::decode(shape.descriptor.clone(), answer)
            .map_err(|error| serve::internal(&error))?;
        let Some(field) = &route.answer_body else { return Ok(Vec::new()) };
        let resource = message.get_field(&field.descriptor);
        let warnings = resource.as_message().and_then(|it| it.get_field_by_name(WARNINGS));
        let warnings = warnings.as_deref().and_then(Value::as_list).unwrap_or_default();
        Ok(warnings.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

/// Kind and resource of the body.
fn read<'j>(json: &'j Json<'_>) -> Result<(&'j str, &'j Json<'j>), Problem> {
    let Json::Object(entries) = json else {
        let message = format!("must be an object with `kind` and `resource`, not {}", json.noun());
        return Err(Refusal::invalid_field(crate::json::fault::BODY, message).into());
    };
    let mut faults = Faults::default();
    let (mut kind, mut resource) = (None, None);
    for (key, value) in entries {
        match (&**key, value) {
            (KIND, Json::Text(text)) => kind = Some(&**text),
            (KIND, other) => {
                faults.add(&Place::Root.key(KIND), format!("must be text, not {}", other.noun()));
            }
            (RESOURCE, Json::Object(_)) => resource = Some(value),
            (RESOURCE, other) => {
                let message = format!("must be an object, not {}", other.noun());
                faults.add(&Place::Root.key(RESOURCE), message);
            }
            (other, _) => faults
                .add(&Place::Root.key(other), "is not a known field; known: `kind`, `resource`"),
        }
    }
    let mut faults = faults.into_list();
    let is_named = |name: &str, faults: &[(String, String)]| faults.iter().any(|it| it.0 == name);
    for (key, is_missing) in [(KIND, kind.is_none()), (RESOURCE, resource.is_none())] {
        if is_missing && !is_named(key, &faults) {
            faults.push((key.to_owned(), "is required".to_owned()));
        }
    }
    match (kind, resource) {
        (Some(kind), Some(resource)) if faults.is_empty() => Ok((kind, resource)),
        _ => Err(Refusal::invalid_fields(faults).into()),
    }
}

/// Faults of the text, as those of the resource; an error when they are about the body around it.
fn within_resource(mut faults: Faults) -> Result<Vec<(String, String)>, Problem> {
    let inner = faults.take_within(&Place::Root.key(RESOURCE));
    if faults.is_empty() {
        return Ok(inner.into_list());
    }
    Err(Refusal::invalid_fields(faults.into_list()).into())
}

/// True for a refusal that the resource has earned; the others say nothing of it.
fn is_verdict(status: &Status) -> bool {
    match status.code() {
        Code::InvalidArgument | Code::AlreadyExists | Code::NotFound | Code::FailedPrecondition => {
            true
        }
        Code::ResourceExhausted => {
            status.get_details_error_info().is_some_and(|info| info.reason == "LIMIT_EXCEEDED")
        }
        _ => false,
    }
}

/// The field that a refusal without faults is about: the one it names, such as `name`, or the one
/// that holds the id it names.
fn field_of(status: &Status, given: &[(&str, &str)]) -> String {
    let metadata = status.get_details_error_info().map(|info| info.metadata).unwrap_or_default();
    let of_text = |text: &str| given.iter().find(|(_, given)| *given == text).map(|(key, _)| *key);
    let named = match status.code() {
        Code::AlreadyExists => {
            ["name", "key", "id"].into_iter().find(|it| metadata.contains_key(*it))
        }
        Code::NotFound => metadata.get("id").and_then(|id| of_text(id)),
        _ => None,
    };
    named.unwrap_or(RESOURCE).to_owned()
}
