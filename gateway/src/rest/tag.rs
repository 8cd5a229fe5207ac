//! The tag that a PATCH leaves out, such as the `ruleType` of a contact policy: the resource as it
//! is has it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};
use prost_reflect::{DynamicMessage, Value};

use super::{Rest, precondition};
use crate::{
    json::{
        fault::Faults,
        shape::Tagged,
        tree::{self, Json},
    },
    problem::Problem,
    route_table::{Body, Found, Route},
};

/// Writes that are tried until the resource stays the same between its read and the write.
const TRIES_MAX: usize = 4;

/// A tag as the stored resource has it.
#[derive(Debug)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its word.
    pub word: String,
    /// Etag of the resource that had it.
    etag: String,
}

impl Rest {
    /// Sends a PATCH without a tag as if the stored tag stood in it. Its etag binds the write to
    /// what was read, so a resource that gets another tag in between is read again.
    pub(super) async fn patch_untagged(
        &self,
        (found, route): (&Found<'_, '_>, &Route),
        parts: &http::request::Parts,
        body: &[u8],
        tagged: &Tagged,
    ) -> Result<Bytes, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let mut tries = 0;
        loop {
            tries += 1;
            let tag = self.stored_tag(found, tagged).await?;
            let values = &found.values;
            let mut message =
                self.request(route, values, query, &parts.headers, body, tag.as_ref())?;
            let etag = tag.map(|tag| tag.etag).unwrap_or_default();
            let is_ours = precondition::bind(route, &etag, &mut message);
            let answered = self.send(route, message).await;
            match answered {
                Err(status)
                    if is_ours && tries < TRIES_MAX && precondition::is_mismatch(&status) => {}
                answered => {
                    return answered
                        .map_err(|status| precondition::refused(&parts.headers, status));
                }
            }
        }
    }

    /// The tag of the resource at this path; none when it has none.
    async fn stored_tag(
        &self,
        found: &Found<'_, '_>,
        tagged: &Tagged,
    ) -> Result<Option<Tag>, Problem> {
        let Some(route) = found.route(&Method::GET) else { return Ok(None) };
        let message = self.request(route, &found.values, "", &HeaderMap::new(), &[], None)?;
        let answer = self.send(route, message).await.map_err(Problem::from)?;
        let shape = self.table.shapes.at(route.answer);
        let shape = shape.ok_or_else(|| serve::internal(&"an answer without a plan"))?;
        let message = DynamicMessage::decode(shape.descriptor.clone(), answer)
            .map_err(|error| serve::internal(&error))?;
        let Some(field) = &route.answer_body else { return Ok(None) };
        let resource = message.get_field(&field.descriptor);
        let Value::Message(resource) = resource.as_ref() else { return Ok(None) };
        let variant =
            tagged.variants.iter().find(|variant| resource.has_field(&variant.descriptor));
        let etag = precondition::etag_of(resource).unwrap_or_default();
        Ok(variant.map(|variant| Tag { key: tagged.tag.clone(), word: variant.name.clone(), etag }))
    }

    /// The tag that the body of a PATCH leaves out beside fields that need it.
    pub(super) fn missing_tag(&self, route: &Route, body: &[u8]) -> Option<&Arc<Tagged>> {
        let Body::Field(field) = &route.body else { return None };
        route.mask.as_ref()?;
        let object = self.table.shapes.object_of(&field.kind)?;
        if object.tagged.is_empty() {
            return None;
        }
        let text = std::str::from_utf8(body).ok()?;
        let Ok(Json::Object(entries)) = tree::read(text, &mut Faults::default()) else {
            return None;
        };
        let has = |key: &str| entries.iter().any(|(known, _)| known == key);
        let of_variant = |tagged: &Tagged, key: &str| {
            let mut objects =
                tagged.variants.iter().map(|variant| self.table.shapes.object_of(&variant.kind));
            objects.any(|inner| inner.is_some_and(|inner| inner.keys.contains_key(key)))
        };
        let is_beside = |tagged: &Tagged| {
            let mut unknown =
                entries.iter().filter(|(key, _)| !object.keys.contains_key(key.as_ref()));
            tagged.is_flat && unknown.any(|(key, _)| of_variant(tagged, key))
        };
        let lacks = |tagged: &&Arc<Tagged>| {
            !has(&tagged.tag) && (has(&tagged.content) || is_beside(tagged))
        };
        object.tagged.iter().find(lacks)
    }
}
