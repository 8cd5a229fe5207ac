//! JSON to protobuf. All faults are collected with their places; a faulty value is left out and reading goes on.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use chrono::{DateTime, Datelike as _};
use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, Value};

use super::{
    fault::{Faults, Place, quoted},
    number,
    shape::{Field, Form, Instant, Kind, Object, Plurality, Scalar, Shape, Shapes, Tagged, Target, Words},
    tree::{Entry, Json},
};

/// Known keys told when one is unknown.
const TOLD_KEYS_MAX: usize = 24;
/// Nanoseconds of a second; chrono writes a leap second as more.
const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// What null means for a field that cannot be unset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// It is no value of the field's type.
    Refused,
    /// It clears the field: the body changes an existing resource.
    Clear,
}

/// Reads `json` as the message of `shape`.
pub fn message(shapes: &Shapes, shape: &Shape, json: &Json<'_>, nulls: Nulls, faults: &mut Faults) -> DynamicMessage {
    let mut reader = Reader { shapes, faults };
    let read = reader.message(shape, json, &Place::Root, nulls);
    read.unwrap_or_else(|| DynamicMessage::new(shape.descriptor.clone()))
}

/// Reads a value of a path or a query: text that stands for a scalar.
pub fn text_value(shapes: &Shapes, kind: &Kind, text: &str, place: &Place<'_>, faults: &mut Faults) -> Option<Value> {
    let json = match kind {
        Kind::Text | Kind::Enum(_) | Kind::Message(_) => Json::Text(Cow::Borrowed(text)),
        Kind::Bool if text == "true" => Json::Bool(true),
        Kind::Bool if text == "false" => Json::Bool(false),
        Kind::Bool | Kind::I32 | Kind::I64 | Kind::U32 | Kind::U64 | Kind::F64 => Json::Number(text),
    };
    Reader { shapes, faults }.value(kind, &json, place, Nulls::Refused)
}

struct Reader<'s, 'f> {
    shapes: &'s Shapes,
    faults: &'f mut Faults,
}

impl<'s> Reader<'s, '_> {
    fn message(&mut self, shape: &Shape, json: &Json<'_>, place: &Place<'_>, nulls: Nulls) -> Option<DynamicMessage> {
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
                Some(Target::Field(field)) => {
                    if self.field(field, message, value, &at, nulls) {
                        self.choose(&mut chosen, field, &field.key, &at);
                    }
                }
                Some(Target::Inline(field)) => match inline.iter_mut().find(|(known, _)| known.name == field.name) {
                    Some((_, gathered)) => gathered.push(entry),
                    None => inline.push((field, vec![entry])),
                },
                Some(Target::Tag(of)) => about(&mut tagged, of, |tagging| tagging.tag = Some(value)),
                Some(Target::Content(of)) => about(&mut tagged, of, |tagging| tagging.content = Some(value)),
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
            Some((_, other)) => self.faults.add(place, format!("cannot stand beside `{other}`: give one of them")),
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
        // What only the service sets is accepted and not looked at, so that what was read can be sent back.
        if field.options.output_only {
            return false;
        }
        let is_null_a_value = field.plurality == Plurality::One && self.takes_null(&field.kind);
        if matches!(json, Json::Null) && !is_null_a_value && (field.has_presence || nulls == Nulls::Clear) {
            return false;
        }
        let value = match field.plurality {
            Plurality::One => self.value(&field.kind, json, place, nulls),
            Plurality::List if field.options.scalar_when_one && !matches!(json, Json::List(_)) => {
                self.value(&field.kind, json, place, Nulls::Refused).map(|value| Value::List(vec![value]))
            }
            Plurality::List => self.list(&field.kind, json, place),
            Plurality::Map => self.map(&field.kind, json, place),
        };
        let Some(value) = value else { return false };
        self.set(message, &field.descriptor, value, place);
        true
    }

    fn takes_null(&self, kind: &Kind) -> bool {
        self.shape(kind).is_some_and(|shape| matches!(shape.form, Form::Scalar(_)))
    }

    fn shape(&self, kind: &Kind) -> Option<&'s Shape> {
        if let Kind::Message(id) = kind { self.shapes.at(*id) } else { None }
    }

    fn set(&mut self, message: &mut DynamicMessage, field: &FieldDescriptor, value: Value, place: &Place<'_>) {
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
        let Tagging { of, tag, content, beside } = tagging;
        let words = || of.variants.iter().map(|variant| format!("`{}`", variant.name)).collect::<Vec<_>>().join(", ");
        let content = content.filter(|content| !matches!(content, Json::Null));
        let tag_place = place.key(&of.tag);
        let variant = match tag {
            None | Some(Json::Null) => {
                let (known, unknown): (Vec<_>, Vec<_>) =
                    beside.iter().partition(|(key, _)| of.variants.iter().any(|variant| self.knows(variant, key)));
                self.unknown(&unknown, object.known.iter().map(String::as_str), place);
                let orphan = content.map(|_| of.content.as_str()).or(known.first().map(|(key, _)| key.as_ref()));
                if let Some(orphan) = orphan {
                    self.faults.add(&tag_place, format!("is required beside `{}`: one of {}", quoted(orphan), words()));
                }
                return;
            }
            Some(Json::Text(word)) => match of.variant(word) {
                Some(variant) => variant,
                None => {
                    self.faults.add(&tag_place, format!("must be one of {}, not `{}`", words(), quoted(word)));
                    return;
                }
            },
            Some(other) => {
                self.faults.add(&tag_place, format!("must be one of {}, not {}", words(), other.noun()));
                return;
            }
        };
        let Some(shape) = self.shape(&variant.kind) else { return };
        let Form::Object(inner) = &shape.form else { return };
        let mut part = DynamicMessage::new(shape.descriptor.clone());
        let mut within: &[Entry<'_>] = &[];
        match content {
            None => {}
            Some(Json::Object(entries)) => {
                within = entries;
                self.object(inner, &mut part, &mut entries.iter(), &place.key(&of.content), nulls);
            }
            Some(other) => {
                self.faults.add(&place.key(&of.content), format!("must be an object, not {}", other.noun()));
            }
        }
        let (known, unknown): (Vec<_>, Vec<_>) =
            beside.iter().partition(|(key, _)| inner.keys.contains_key(key.as_ref()));
        self.unknown(&unknown, object.known.iter().chain(&inner.known).map(String::as_str), place);
        for (key, _) in known.iter().filter(|(key, _)| within.iter().any(|(other, _)| other == key)) {
            self.faults.add(&place.key(key), format!("is given twice, here and in `{}`", of.content));
        }
        self.object(inner, &mut part, &mut known.into_iter(), place, nulls);
        self.set(message, &variant.descriptor, Value::Message(part), place);
    }

    fn knows(&self, variant: &Field, key: &str) -> bool {
        let shape = self.shape(&variant.kind).map(|shape| &shape.form);
        matches!(shape, Some(Form::Object(inner)) if inner.keys.contains_key(key))
    }

    fn rest(&mut self, field: &Field, message: &mut DynamicMessage, entries: &[&Entry<'_>], place: &Place<'_>) {
        let mut map = HashMap::with_capacity(entries.len());
        for (key, value) in entries {
            if let Some(value) = self.value(&field.kind, value, &place.key(key), Nulls::Refused) {
                map.insert(MapKey::String(key.to_string()), value);
            }
        }
        if !map.is_empty() {
            self.set(message, &field.descriptor, Value::Map(map), place);
        }
    }

    fn unknown<'a>(&mut self, entries: &[&Entry<'_>], known: impl Iterator<Item = &'a str> + Clone, place: &Place<'_>) {
        if entries.is_empty() {
            return;
        }
        let mut told: Vec<_> = known.clone().take(TOLD_KEYS_MAX).map(|key| format!("`{key}`")).collect();
        if known.count() > TOLD_KEYS_MAX {
            told.push("…".to_owned());
        }
        let told = if told.is_empty() { "it has none".to_owned() } else { format!("known are {}", told.join(", ")) };
        for (key, _) in entries {
            self.faults.add(&place.key(key), format!("is not a field of this object; {told}"));
        }
    }

    fn list(&mut self, kind: &Kind, json: &Json<'_>, place: &Place<'_>) -> Option<Value> {
        let Json::List(items) = json else {
            self.faults.add(place, format!("must be a list, not {}", json.noun()));
            return None;
        };
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            values.extend(self.value(kind, item, &place.index(index), Nulls::Refused));
        }
        Some(Value::List(values))
    }

    fn map(&mut self, kind: &Kind, json: &Json<'_>, place: &Place<'_>) -> Option<Value> {
        let Json::Object(entries) = json else {
            self.faults.add(place, format!("must be an object, not {}", json.noun()));
            return None;
        };
        let mut map = HashMap::with_capacity(entries.len());
        for (key, value) in entries {
            if let Some(value) = self.value(kind, value, &place.key(key), Nulls::Refused) {
                map.insert(MapKey::String(key.to_string()), value);
            }
        }
        Some(Value::Map(map))
    }

    fn value(&mut self, kind: &Kind, json: &Json<'_>, place: &Place<'_>, nulls: Nulls) -> Option<Value> {
        match kind {
            Kind::Bool => match json {
                Json::Bool(value) => Some(Value::Bool(*value)),
                other => self.refuse(place, "true or false", other),
            },
            Kind::I32 => self.whole(json, place, i32::MIN.into(), i32::MAX.into(), false).map(Value::I32),
            Kind::U32 => self.whole(json, place, 0, u32::MAX.into(), false).map(Value::U32),
            Kind::I64 => self.whole(json, place, i64::MIN.into(), i64::MAX.into(), true).map(Value::I64),
            Kind::U64 => self.whole(json, place, 0, u64::MAX.into(), true).map(Value::U64),
            Kind::F64 => match json {
                Json::Number(text) => match number::double(text) {
                    Some(value) => Some(Value::F64(value)),
                    None => self.refuse_text(place, "a number that fits a double", text),
                },
                other => self.refuse(place, "a number", other),
            },
            Kind::Text => self.text(json, place).map(Value::String),
            Kind::Enum(words) => self.word(words, json, place),
            Kind::Message(id) => {
                let shape = self.shapes.at(*id)?;
                self.message(shape, json, place, nulls).map(Value::Message)
            }
        }
    }

    fn refuse<T>(&mut self, place: &Place<'_>, wanted: &str, json: &Json<'_>) -> Option<T> {
        if let (Json::Number(text), true) = (json, wanted.contains("number")) {
            return self.refuse_text(place, wanted, text);
        }
        self.faults.add(place, format!("must be {wanted}, not {}", json.noun()));
        None
    }

    fn refuse_text<T>(&mut self, place: &Place<'_>, wanted: &str, text: &str) -> Option<T> {
        self.faults.add(place, format!("must be {wanted}, not `{}`", quoted(text)));
        None
    }

    /// A whole number; one of 64 bits may also stand in quotes, because JavaScript cannot hold it otherwise.
    fn whole<T: TryFrom<i128>>(
        &mut self,
        json: &Json<'_>,
        place: &Place<'_>,
        min: i128,
        max: i128,
        may_be_text: bool,
    ) -> Option<T> {
        let text = match json {
            Json::Number(text) => *text,
            Json::Text(text) if may_be_text => text.as_ref(),
            other => return self.refuse(place, "a whole number", other),
        };
        match number::whole(text) {
            Some(value) if (min..=max).contains(&value) => T::try_from(value).ok(),
            Some(_) => self.refuse_text(place, &format!("a whole number from {min} to {max}"), text),
            None => self.refuse_text(place, "a whole number", text),
        }
    }

    fn text(&mut self, json: &Json<'_>, place: &Place<'_>) -> Option<String> {
        match json {
            // PostgreSQL cannot hold this character in a text.
            Json::Text(text) if text.contains('\0') => {
                self.faults.add(place, "must not contain the character U+0000");
                None
            }
            Json::Text(text) => Some(text.to_string()),
            other => self.refuse(place, "text", other),
        }
    }

    fn word(&mut self, words: &Words, json: &Json<'_>, place: &Place<'_>) -> Option<Value> {
        let wanted = || format!("one of {}", words.told);
        match json {
            Json::Text(word) => match words.number(word) {
                Some(number) => Some(Value::EnumNumber(number)),
                None => self.refuse_text(place, &wanted(), word),
            },
            other => self.refuse(place, &wanted(), other),
        }
    }

    fn scalar(
        &mut self,
        scalar: &Scalar,
        message: &mut DynamicMessage,
        json: &Json<'_>,
        place: &Place<'_>,
    ) -> Option<()> {
        let (field, value) = match json {
            Json::Null => return Some(()),
            Json::Bool(value) => (&scalar.boolean, Value::Bool(*value)),
            Json::Text(_) => (&scalar.text, Value::String(self.text(json, place)?)),
            Json::Number(text) => self.number(scalar, text, place)?,
            Json::List(_) => {
                let shape = self.shapes.at(scalar.list_shape)?;
                (&scalar.list, Value::Message(self.message(shape, json, place, Nulls::Refused)?))
            }
            Json::Object(_) => return self.refuse(place, "text, a number, true, false, null or a list", json),
        };
        self.set(message, field, value, place);
        Some(())
    }

    /// A number is kept exactly where that is possible: it may be an amount.
    fn number<'a>(
        &mut self,
        scalar: &'a Scalar,
        text: &str,
        place: &Place<'_>,
    ) -> Option<(&'a FieldDescriptor, Value)> {
        let is_plain_whole = !text.contains(['.', 'e', 'E']);
        let whole = number::whole(text).filter(|_| is_plain_whole).and_then(|value| i64::try_from(value).ok());
        if let Some(value) = whole {
            return Some((&scalar.integer, Value::I64(value)));
        }
        if let Some(decimal) = number::decimal(text) {
            return Some((&scalar.decimal, Value::String(decimal.into_owned())));
        }
        match number::double(text) {
            Some(value) => Some((&scalar.double, Value::F64(value))),
            None => self.refuse_text(place, "a number that fits a double", text),
        }
    }

    fn instant(
        &mut self,
        instant: &Instant,
        message: &mut DynamicMessage,
        json: &Json<'_>,
        place: &Place<'_>,
    ) -> Option<()> {
        const WANTED: &str = "an RFC 3339 instant with offset, for example `2026-03-10T14:30:00Z`";
        let Json::Text(text) = json else { return self.refuse(place, WANTED, json) };
        let read = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
        let read = read.filter(|at| (1..=9999).contains(&at.year()) && at.timestamp_subsec_nanos() < NANOS_PER_SECOND);
        let Some(at) = read else { return self.refuse_text(place, WANTED, text) };
        let nanos = i32::try_from(at.timestamp_subsec_nanos()).ok()?;
        self.set(message, &instant.seconds, Value::I64(at.timestamp()), place);
        self.set(message, &instant.nanos, Value::I32(nanos), place);
        Some(())
    }
}

/// What an object says about one tagged oneof.
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
