//! Converts JSON to protobuf. It collects all faults with their paths: a faulty value is skipped
//! and parsing continues.

mod items;
mod value;

use std::{borrow::Cow, sync::Arc};

use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, Value};

use super::{
    fault::{Faults, Place, quoted},
    shape::{Field, Form, Kind, Object, Plurality, Shape, ShapeId, Shapes, Tagged, Target},
    tree::{Entry, Json},
};

/// Known keys that a fault of an unknown key lists.
const TOLD_KEYS_MAX: usize = 24;

/// What null means for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// The field is left out.
    LeftOut,
    /// It clears the field: the body changes an existing resource.
    Clear,
}

/// Reads `json` as the message of `shape`.
pub fn message(
    shapes: &Shapes,
    shape: &Shape,
    json: &Json<'_>,
    nulls: Nulls,
    faults: &mut Faults,
) -> DynamicMessage {
    let mut reader = Reader { shapes, faults };
    let read = reader.message(shape, json, &Place::Root, nulls);
    read.unwrap_or_else(|| DynamicMessage::new(shape.descriptor.clone()))
}

/// Reads a value of a path or a query: a scalar as text.
pub fn text_value(
    shapes: &Shapes,
    kind: &Kind,
    text: &str,
    place: &Place<'_>,
    faults: &mut Faults,
) -> Option<Value> {
    let json = match kind {
        Kind::Message(id) if is_instant(shapes, *id) => Json::Text(with_plus(text)),
        Kind::Text | Kind::Enum(_) | Kind::Message(_) => Json::Text(Cow::Borrowed(text)),
        Kind::Bool if text == "true" => Json::Bool(true),
        Kind::Bool if text == "false" => Json::Bool(false),
        Kind::Bool | Kind::I32 | Kind::I64 | Kind::U32 | Kind::U64 | Kind::F64 => {
            Json::Number(text)
        }
    };
    Reader { shapes, faults }.value(kind, &json, place, Nulls::LeftOut)
}

fn is_instant(shapes: &Shapes, id: ShapeId) -> bool {
    shapes.at(id).is_some_and(|shape| matches!(shape.form, Form::Instant(_)))
}

/// An instant of a query, where an offset's `+` that was not escaped has become a space.
fn with_plus(text: &str) -> Cow<'_, str> {
    match text.rsplit_once(' ') {
        Some((at, offset)) if at.contains('T') => Cow::Owned(format!("{at}+{offset}")),
        _ => Cow::Borrowed(text),
    }
}

struct Reader<'s, 'f> {
    shapes: &'s Shapes,
    faults: &'f mut Faults,
}

impl<'s> Reader<'s, '_> {
    fn message(
        &mut self,
        shape: &Shape,
        json: &Json<'_>,
        place: &Place<'_>,
        nulls: Nulls,
    ) -> Option<DynamicMessage> {
        let mut message = DynamicMessage::new(shape.descriptor.clone());
        match &shape.form {
            Form::Object(object) => {
                let Json::Object(entries) = json else {
                    self.faults.add(place, format!("must be an object, not {}", json.noun()));
                    return None;
                };
                self.object(object, &mut message, &mut entries.iter(), place, nulls);
            }
            Form::List(field) => {
                let values = self.list(&field.kind, json, place)?;
                self.set(&mut message, &field.descriptor, values, place);
            }
            Form::Scalar(scalar) => self.scalar(scalar, &mut message, json, place)?,
            Form::Instant(instant) => self.instant(instant, &mut message, json, place)?,
            Form::Mask(paths) => {
                let text = self.text(json, place)?;
                let listed = text.split(',').map(str::trim).filter(|path| !path.is_empty());
                let listed = listed.map(|path| Value::String(snake(path))).collect();
                self.set(&mut message, paths, Value::List(listed), place);
            }
        }
        Some(message)
    }

    fn object<'a>(
        &mut self,
        object: &'a Object,
        message: &mut DynamicMessage,
        entries: &mut dyn Iterator<Item = &'a Entry<'a>>,
        place: &Place<'_>,
        nulls: Nulls,
    ) {
        let mut chosen: Vec<(&Arc<str>, &str)> = Vec::new();
        let mut inline: Vec<(&Arc<Field>, Vec<&Entry<'_>>)> = Vec::new();
        let mut tagged: Vec<Tagging<'_>> = object.tagged.iter().map(Tagging::nothing).collect();
        let mut others = Vec::new();
        for entry in entries {
            let (key, value) = entry;
            let at = place.key(key);
            match object.keys.get(key.as_ref()) {
                Some(Target::Field(field)) if object.takes_unread(field) => {
                    self.items(object, field, message, value, &at);
                }
                Some(Target::Field(field)) => {
                    if self.field(field, message, value, &at, nulls) {
                        self.choose(&mut chosen, field, &field.key, &at);
                    }
                }
                Some(Target::Inline(field)) => {
                    match inline.iter_mut().find(|(known, _)| known.name == field.name) {
                        Some((_, gathered)) => gathered.push(entry),
                        None => inline.push((field, vec![entry])),
                    }
                }
                Some(Target::Tag(of)) => {
                    about(&mut tagged, of, |tagging| tagging.tag = given(value))
                }
                Some(Target::Content(of)) => {
                    about(&mut tagged, of, |tagging| tagging.content = given(value))
                }
                None => others.push(entry),
            }
        }
        for (field, gathered) in inline {
            let Some(shape) = self.shape(&field.kind) else { continue };
            let Form::Object(inner) = &shape.form else { continue };
            let mut part = DynamicMessage::new(shape.descriptor.clone());
            self.object(inner, &mut part, &mut gathered.iter().copied(), place, nulls);
            self.set(message, &field.descriptor, Value::Message(part), place);
            let key = gathered.first().map_or("", |(key, _)| key.as_ref());
            self.choose(&mut chosen, field, key, &place.key(key));
        }
        if let Some(of) = &object.flat {
            about(&mut tagged, of, |tagging| tagging.beside = std::mem::take(&mut others));
        }
        for tagging in tagged {
            self.tagged(object, message, tagging, place, nulls);
        }
        match &object.rest {
            Some(field) => self.rest(field, message, &others, place),
            None => self.unknown(&others, object.known.iter().map(String::as_str), place),
        }
    }

    /// Notes a member of an untagged oneof; a second one is a fault.
    fn choose<'a>(
        &mut self,
        chosen: &mut Vec<(&'a Arc<str>, &'a str)>,
        field: &'a Field,
        key: &'a str,
        place: &Place<'_>,
    ) {
        let Some(oneof) = &field.oneof else { return };
        match chosen.iter().find(|(known, _)| *known == oneof) {
            Some((_, other)) => {
                let message = format!("cannot be combined with `{other}`: give one of them");
                self.faults.add(place, message)
            }
            None => chosen.push((oneof, key)),
        }
    }

    /// Reads a field; false when it stays unset.
    fn field(
        &mut self,
        field: &Field,
        message: &mut DynamicMessage,
        json: &Json<'_>,
        place: &Place<'_>,
        nulls: Nulls,
    ) -> bool {
        // Output-only fields are accepted and ignored, so that a read resource can be sent back.
        if field.options.output_only {
            return false;
        }
        if matches!(json, Json::Null) {
            match (field.options.required, nulls) {
                (false, _) => {}
                (true, Nulls::LeftOut) => {
                    self.faults.add(place, "is required, and null is no value")
                }
                (true, Nulls::Clear) => self.faults.add(place, "is required: it cannot be cleared"),
            }
            return false;
        }
        let value = match field.plurality {
            Plurality::One => self.value(&field.kind, json, place, nulls),
            Plurality::List if field.options.scalar_when_one && !matches!(json, Json::List(_)) => {
                self.value(&field.kind, json, place, Nulls::LeftOut)
                    .map(|value| Value::List(vec![value]))
            }
            Plurality::List => self.list(&field.kind, json, place),
            Plurality::Map => self.map(&field.kind, json, place),
        };
        let Some(value) = value else { return false };
        self.set(message, &field.descriptor, value, place);
        true
    }

    fn shape(&self, kind: &Kind) -> Option<&'s Shape> {
        if let Kind::Message(id) = kind { self.shapes.at(*id) } else { None }
    }

    fn set(
        &mut self,
        message: &mut DynamicMessage,
        field: &FieldDescriptor,
        value: Value,
        place: &Place<'_>,
    ) {
        // INVARIANT: plans and descriptors come from one pool, so that a read value fits its field.
        if message.try_set_field(field, value).is_err() {
            self.faults.add(place, "does not fit its field");
        }
    }

    fn tagged(
        &mut self,
        object: &Object,
        message: &mut DynamicMessage,
        tagging: Tagging<'_>,
        place: &Place<'_>,
        nulls: Nulls,
    ) {
        let Some(variant) = self.variant(object, &tagging, place) else { return };
        let Some(shape) = self.shape(&variant.kind) else { return };
        let Form::Object(inner) = &shape.form else { return };
        let Tagging { of, content, beside, .. } = tagging;
        if inner.members.is_empty() {
            self.without_settings(&variant.name, of, content, &beside, place);
            let part = DynamicMessage::new(shape.descriptor.clone());
            return self.set(message, &variant.descriptor, Value::Message(part), place);
        }
        let mut part = DynamicMessage::new(shape.descriptor.clone());
        let mut within: &[Entry<'_>] = &[];
        match content {
            None => {}
            Some(Json::Object(entries)) => {
                within = entries;
                self.object(inner, &mut part, &mut entries.iter(), &place.key(&of.content), nulls);
            }
            Some(other) => {
                self.faults.add(
                    &place.key(&of.content),
                    format!("must be an object, not {}", other.noun()),
                );
            }
        }
        let (known, unknown): (Vec<_>, Vec<_>) =
            beside.iter().partition(|(key, _)| inner.keys.contains_key(key.as_ref()));
        self.unknown(&unknown, object.known.iter().chain(&inner.known).map(String::as_str), place);
        for (key, _) in known.iter().filter(|(key, _)| within.iter().any(|(other, _)| other == key))
        {
            self.faults
                .add(&place.key(key), format!("is given twice, here and in `{}`", of.content));
        }
        self.object(inner, &mut part, &mut known.into_iter(), place, nulls);
        self.set(message, &variant.descriptor, Value::Message(part), place);
    }

    /// A member without fields.
    fn without_settings(
        &mut self,
        word: &str,
        of: &Tagged,
        content: Option<&Json<'_>>,
        beside: &[&Entry<'_>],
        place: &Place<'_>,
    ) {
        let message = || format!("is not known: in this version `{word}` takes no settings");
        let content_place = place.key(&of.content);
        match content {
            None => {}
            Some(Json::Object(entries)) => {
                entries
                    .iter()
                    .for_each(|(key, _)| self.faults.add(&content_place.key(key), message()));
            }
            Some(other) => {
                self.faults.add(&content_place, format!("must be an object, not {}", other.noun()))
            }
        }
        beside.iter().for_each(|(key, _)| self.faults.add(&place.key(key), message()));
    }

    /// The member that a tag names.
    fn variant<'a>(
        &mut self,
        object: &Object,
        tagging: &Tagging<'a>,
        place: &Place<'_>,
    ) -> Option<&'a Arc<Field>> {
        let Tagging { of, tag, content, beside } = tagging;
        let words = || {
            of.variants
                .iter()
                .map(|variant| format!("`{}`", variant.name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let tag_place = place.key(&of.tag);
        match tag {
            None => {
                let (known, unknown): (Vec<_>, Vec<_>) = beside.iter().partition(|(key, _)| {
                    of.variants.iter().any(|variant| self.knows(variant, key))
                });
                self.unknown(&unknown, object.known.iter().map(String::as_str), place);
                let orphan = content
                    .map(|_| of.content.as_str())
                    .or(known.first().map(|(key, _)| key.as_ref()));
                if let Some(orphan) = orphan {
                    self.faults.add(
                        &tag_place,
                        format!("is required beside `{}`: one of {}", quoted(orphan), words()),
                    );
                }
                None
            }
            Some(Json::Text(word)) => {
                let variant = of.variant(word);
                if variant.is_none() {
                    self.faults.add(
                        &tag_place,
                        format!("must be one of {}, not `{}`", words(), quoted(word)),
                    );
                }
                variant
            }
            Some(other) => {
                self.faults
                    .add(&tag_place, format!("must be one of {}, not {}", words(), other.noun()));
                None
            }
        }
    }

    fn knows(&self, variant: &Field, key: &str) -> bool {
        self.shapes.object_of(&variant.kind).is_some_and(|inner| inner.keys.contains_key(key))
    }

    fn rest(
        &mut self,
        field: &Field,
        message: &mut DynamicMessage,
        entries: &[&Entry<'_>],
        place: &Place<'_>,
    ) {
        if let Value::Map(map) = self.entries(&field.kind, &mut entries.iter().copied(), place)
            && !map.is_empty()
        {
            self.set(message, &field.descriptor, Value::Map(map), place);
        }
    }

    fn unknown<'a>(
        &mut self,
        entries: &[&Entry<'_>],
        known: impl Iterator<Item = &'a str> + Clone,
        place: &Place<'_>,
    ) {
        if entries.is_empty() {
            return;
        }
        let mut listed: Vec<_> =
            known.clone().take(TOLD_KEYS_MAX).map(|key| format!("`{key}`")).collect();
        if known.count() > TOLD_KEYS_MAX {
            listed.push("…".to_owned());
        }
        let listed = if listed.is_empty() {
            "it has none".to_owned()
        } else {
            format!("known are {}", listed.join(", "))
        };
        for (key, _) in entries {
            self.faults.add(&place.key(key), format!("is not a field of this object; {listed}"));
        }
    }

    fn list(&mut self, kind: &Kind, json: &Json<'_>, place: &Place<'_>) -> Option<Value> {
        let Json::List(items) = json else {
            self.faults.add(place, format!("must be a list, not {}", json.noun()));
            return None;
        };
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            values.extend(self.value(kind, item, &place.index(index), Nulls::LeftOut));
        }
        Some(Value::List(values))
    }

    fn map(&mut self, kind: &Kind, json: &Json<'_>, place: &Place<'_>) -> Option<Value> {
        let Json::Object(entries) = json else {
            self.faults.add(place, format!("must be an object, not {}", json.noun()));
            return None;
        };
        Some(self.entries(kind, &mut entries.iter(), place))
    }

    fn entries<'a>(
        &mut self,
        kind: &Kind,
        entries: &mut dyn Iterator<Item = &'a Entry<'a>>,
        place: &Place<'_>,
    ) -> Value {
        let read = entries.filter_map(|(key, value)| {
            let value = self.value(kind, value, &place.key(key), Nulls::LeftOut)?;
            Some((MapKey::String(key.to_string()), value))
        });
        Value::Map(read.collect())
    }
}

/// The keys of one tagged oneof in an object.
struct Tagging<'a> {
    of: &'a Arc<Tagged>,
    tag: Option<&'a Json<'a>>,
    content: Option<&'a Json<'a>>,
    beside: Vec<&'a Entry<'a>>,
}

impl<'a> Tagging<'a> {
    fn nothing(of: &'a Arc<Tagged>) -> Self {
        Self { of, tag: None, content: None, beside: Vec::new() }
    }
}

/// Null, like an absent key.
fn given<'a>(value: &'a Json<'a>) -> Option<&'a Json<'a>> {
    Some(value).filter(|value| !matches!(value, Json::Null))
}

fn about<'a>(tagged: &mut [Tagging<'a>], of: &Arc<Tagged>, note: impl FnOnce(&mut Tagging<'a>)) {
    if let Some(tagging) = tagged.iter_mut().find(|tagging| Arc::ptr_eq(tagging.of, of)) {
        note(tagging);
    }
}

/// A camelCase path as a proto path.
pub fn snake(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 4);
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
