//! Builds the message of a REST call from path, query, body and headers.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prost_reflect::{DynamicMessage, Value};

use super::{Rest, precondition, refusal, tag::Tag};
use crate::{
    json::{
        fault::{BODY, Faults, Place},
        mask,
        parse::{self, Nulls},
        shape::{Field, Kind, Plurality, Shape},
        tree::{self, Json},
    },
    path_template,
    problem::Problem,
    query,
    route_table::{Body, Route, Variable},
};

/// Header that identifies retries.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

impl Rest {
    /// The message of a call, or all its faults. `tag` is added to a body that leaves it out.
    pub fn request(
        &self,
        route: &Route,
        values: &[&str],
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
        tag: Option<&Tag>,
    ) -> Result<DynamicMessage, Problem> {
        let mut faults = Faults::default();
        let shapes = &self.table.shapes;
        let shape =
            shapes.at(route.request).ok_or_else(|| serve::internal(&"a call without a plan"))?;
        let mut message = DynamicMessage::new(shape.descriptor.clone());
        match &route.body {
            Body::None => refuse_body(body)?,
            Body::Whole => {
                let json = read_json(body, &mut faults)?;
                message = parse::message(shapes, shape, &json, Nulls::LeftOut, &mut faults);
                fill_idempotency_key(route, headers, &mut message, &mut faults);
            }
            Body::Field(field) => {
                let mut json = read_json(body, &mut faults)?;
                if let (Json::Object(entries), Some(tag)) = (&mut json, tag) {
                    let word = Json::Text(Cow::Owned(tag.word.clone()));
                    entries.push((Cow::Owned(tag.key.clone()), word));
                }
                self.body_field(route, field, &json, headers, &mut message, &mut faults);
            }
        }
        self.query(route, query, shape, &mut message, &mut faults);
        for (variable, raw) in route.variables.iter().zip(values) {
            self.variable(variable, raw, &mut message, &mut faults);
        }
        precondition::fill(route, headers, &mut message, &mut faults);
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
        let nulls = if route.mask.is_some() { Nulls::Clear } else { Nulls::LeftOut };
        let mut body = parse::message(shapes, shape, json, nulls, faults);
        fill_idempotency_key(route, headers, &mut body, faults);
        set(message, field, Value::Message(body), &Place::Root, faults);
        if let Some(mask) = &route.mask {
            let paths = mask::of_body(shapes, shape, json);
            if paths.is_empty() && faults.is_empty() {
                faults.add(&Place::Root, "has no field to change");
            }
            set_mask(message, mask, paths, faults);
        }
    }

    fn query(
        &self,
        route: &Route,
        raw: &str,
        shape: &Shape,
        message: &mut DynamicMessage,
        faults: &mut Faults,
    ) {
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
                let known =
                    if known.is_empty() { "it takes none".to_owned() } else { known.join(", ") };
                faults
                    .add(&place, format!("is not a query parameter of this call; known: {known}"));
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
            let Some(value) =
                parse::text_value(&self.table.shapes, &field.kind, text, &place, faults)
            else {
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

    /// A mask in the query replaces the one made from the body's keys.
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
            faults.add(&place, "has no field to change");
        }
        set_mask(message, mask, paths, faults);
    }

    fn variable(
        &self,
        variable: &Variable,
        raw: &str,
        message: &mut DynamicMessage,
        faults: &mut Faults,
    ) {
        let field = &variable.field;
        let place = Place::Root.key(&field.key);
        let Some(text) = path_template::decode(raw) else {
            return faults.add(&place, "is not percent-encoded UTF-8 in the path");
        };
        let Some(value) = parse::text_value(&self.table.shapes, &field.kind, &text, &place, faults)
        else {
            return;
        };
        let mut target = message;
        for parent in &variable.parents {
            let Value::Message(inner) = target.get_field_mut(parent) else { return };
            target = inner;
        }
        if target.has_field(&field.descriptor) && *target.get_field(&field.descriptor) != value {
            return faults
                .add(&place, "is another in the body than in the path; leave it out of the body");
        }
        set(target, field, value, &place, faults);
    }
}

/// Sets a field to a value that was read for it.
pub fn set(
    message: &mut DynamicMessage,
    field: &Field,
    value: Value,
    place: &Place<'_>,
    faults: &mut Faults,
) {
    // INVARIANT: plans and descriptors come from one pool, so that a read value fits its field.
    if message.try_set_field(&field.descriptor, value).is_err() {
        faults.add(place, "does not fit its field");
    }
}

/// Sets the mask of a change.
pub fn set_mask(
    message: &mut DynamicMessage,
    mask: &Field,
    paths: Vec<String>,
    faults: &mut Faults,
) {
    let Value::Message(value) = message.get_field_mut(&mask.descriptor) else { return };
    let paths = Value::List(paths.into_iter().map(Value::String).collect());
    if value.try_set_field_by_name("paths", paths).is_err() {
        faults.add(&Place::Root.key(&mask.key), "does not fit its field");
    }
}

/// The header's key is used when the body has none. Two different keys are refused: the caller
/// means one of them.
fn fill_idempotency_key(
    route: &Route,
    headers: &HeaderMap,
    body: &mut DynamicMessage,
    faults: &mut Faults,
) {
    let Some(field) = &route.idempotency_key else { return };
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(header) = given.next() else { return };
    let place = Place::Root.key("Idempotency-Key");
    if given.any(|other| other != header) {
        return faults.add(&place, "is given twice");
    }
    let key = match std::str::from_utf8(header.as_bytes()) {
        Ok(key) if !key.is_empty() => key,
        _ => return faults.add(&place, "must be text and not empty"),
    };
    if !body.has_field(field) {
        return drop(body.try_set_field(field, Value::String(key.to_owned())));
    }
    if body.get_field(field).as_str() != Some(key) {
        faults.add(&place, "differs from `idempotencyKey` in the body; give one of them");
    }
}

/// Refuses a compressed body: 415.
pub fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let encoding =
        headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes).unwrap_or_default();
    if matches!(encoding, b"" | b"identity") {
        return Ok(());
    }
    let problem =
        serve::Problem::invalid_field("Content-Encoding", "is not taken; send the body as it is");
    Err(Problem::from(problem).with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// The body of a call, as far as it may be that large.
pub async fn read_body(
    headers: &HeaderMap,
    body: axum::body::Body,
    bytes_max: usize,
) -> Result<Bytes, Problem> {
    check_encoding(headers)?;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if let Some(announced) = announced.filter(|announced| *announced > bytes_max) {
        return Err(refusal::too_large(announced, bytes_max));
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(refusal::too_large(bytes_max + 1, bytes_max))
        }
        Err(error) => Err(match serve::refusal_in(&*error) {
            Some(status) => status.into(),
            None => serve::Problem::invalid_field(BODY, "broke off before its end").into(),
        }),
    }
}

/// The body as JSON, whatever its content type says; an empty one is an empty object.
pub fn read_json<'a>(body: &'a [u8], faults: &mut Faults) -> Result<Json<'a>, Problem> {
    let invalid = |message: String| Problem::from(serve::Problem::invalid_field(BODY, message));
    let text = std::str::from_utf8(body)
        .map_err(|error| invalid(format!("is not UTF-8 at byte {}", error.valid_up_to())))?;
    if text.trim_ascii().is_empty() {
        return Ok(Json::Object(Vec::new()));
    }
    tree::read(text, faults).map_err(|error| invalid(error.to_string()))
}

fn refuse_body(body: &[u8]) -> Result<(), Problem> {
    match body.trim_ascii() {
        b"" | b"{}" => Ok(()),
        _ => Err(serve::Problem::invalid_field(
            BODY,
            "is not taken by this call; use path and query",
        )
        .into()),
    }
}
