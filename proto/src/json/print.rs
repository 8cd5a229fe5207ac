//! Converts protobuf to JSON.

use std::{borrow::Cow, io::Write as _};

use chrono::{DateTime, SecondsFormat};
use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, Value};

use super::{
    number,
    shape::{Field, Form, Instant, Kind, Member, Object, Plurality, Scalar, Shape, Shapes, Tagged},
};

/// Whole doubles below this are printed without a fraction, as JavaScript does.
const WHOLE_DOUBLE_MAX: f64 = 1e15;

/// `message` as JSON.
pub fn message(shapes: &Shapes, shape: &Shape, message: &DynamicMessage) -> Vec<u8> {
    let mut printer = Printer { shapes, out: Vec::with_capacity(512), is_record: false };
    printer.message(shape, message);
    printer.out
}

/// One field of `message` as JSON; null when it is unset.
pub fn field(shapes: &Shapes, field: &Field, message: &DynamicMessage) -> Vec<u8> {
    let mut printer = Printer { shapes, out: Vec::with_capacity(512), is_record: false };
    if field.has_presence && !message.has_field(&field.descriptor) {
        printer.raw("null");
    } else {
        printer.field(field, &message.get_field(&field.descriptor));
    }
    printer.out
}

struct Printer<'s> {
    shapes: &'s Shapes,
    out: Vec<u8>,
    /// The value is a field of a record, which takes a decimal as text, too: its schema says what
    /// it is. Elsewhere a text stays a text, so a number is printed as one, whatever its digits.
    is_record: bool,
}

impl<'s> Printer<'s> {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, text: &str) {
        // Writing to memory cannot fail.
        drop(serde_json::to_writer(&mut self.out, text));
    }

    fn key(&mut self, key: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.text(key);
        self.out.push(b':');
    }

    fn message(&mut self, shape: &Shape, message: &DynamicMessage) {
        match &shape.form {
            Form::Object(object) => {
                self.out.push(b'{');
                self.members(object, message);
                self.out.push(b'}');
            }
            Form::List(field) => self.field(field, &message.get_field(&field.descriptor)),
            Form::Scalar(scalar) => self.scalar(scalar, message),
            Form::Instant(instant) => self.instant(instant, message),
            Form::Mask(paths) => {
                let paths = message.get_field(paths);
                let paths = paths.as_list().unwrap_or_default().iter().filter_map(Value::as_str);
                let joined = paths.map(super::path::camel).collect::<Vec<_>>().join(",");
                self.text(&joined);
            }
        }
    }

    fn members(&mut self, object: &Object, message: &DynamicMessage) {
        for member in &object.members {
            match member {
                Member::Plain(field) => self.plain(field, message),
                Member::Inline(field) => {
                    if let Some((shape, part)) = self.part(field, message)
                        && let Form::Object(inner) = &shape.form
                    {
                        self.members(inner, &part);
                    }
                }
                Member::Rest(field) => {
                    let values = message.get_field(&field.descriptor);
                    for (key, value) in sorted(&values) {
                        // A key of the message itself wins: an object must not have one twice.
                        if !object.keys.contains_key(key) {
                            self.key(key);
                            self.is_record = true;
                            self.value(&field.kind, value);
                            self.is_record = false;
                        }
                    }
                }
                Member::Tagged(tagged) => self.tagged(tagged, message),
            }
        }
    }

    fn plain(&mut self, field: &Field, message: &DynamicMessage) {
        let is_set = message.has_field(&field.descriptor);
        if !is_set && field.options.null_when_unset {
            self.key(&field.key);
            return self.raw("null");
        }
        let is_silent =
            field.has_presence || field.options.omit_when_empty || says_nothing(field, message);
        if is_set || !is_silent {
            self.key(&field.key);
            self.field(field, &message.get_field(&field.descriptor));
        }
    }

    fn tagged(&mut self, tagged: &Tagged, message: &DynamicMessage) {
        let Some(variant) =
            tagged.variants.iter().find(|variant| message.has_field(&variant.descriptor))
        else {
            return;
        };
        self.key(&tagged.tag);
        self.text(&variant.name);
        let Some((shape, part)) = self.part(variant, message) else { return };
        let Form::Object(inner) = &shape.form else { return };
        if tagged.is_flat {
            self.members(inner, &part);
        } else if !inner.members.is_empty() {
            self.key(&tagged.content);
            self.message(shape, &part);
        }
    }

    /// The message a field holds, when it is set.
    fn part<'m>(
        &self,
        field: &Field,
        message: &'m DynamicMessage,
    ) -> Option<(&'s Shape, Cow<'m, DynamicMessage>)> {
        if !message.has_field(&field.descriptor) {
            return None;
        }
        let Kind::Message(id) = field.kind else { return None };
        let part = match message.get_field(&field.descriptor) {
            Cow::Borrowed(Value::Message(part)) => Cow::Borrowed(part),
            Cow::Owned(Value::Message(part)) => Cow::Owned(part),
            _ => return None,
        };
        Some((self.shapes.at(id)?, part))
    }

    fn field(&mut self, field: &Field, value: &Value) {
        match (field.plurality, value) {
            (Plurality::One, Value::String(json)) if field.options.json_text => self.raw(json),
            (Plurality::One, value) => self.value(&field.kind, value),
            (Plurality::List, Value::List(items)) => match items.as_slice() {
                [only] if field.options.scalar_when_one => self.value(&field.kind, only),
                items => {
                    self.out.push(b'[');
                    for (index, item) in items.iter().enumerate() {
                        if index > 0 {
                            self.out.push(b',');
                        }
                        self.value(&field.kind, item);
                    }
                    self.out.push(b']');
                }
            },
            (Plurality::Map, Value::Map(_)) => {
                self.out.push(b'{');
                for (key, value) in sorted(value) {
                    self.key(key);
                    self.value(&field.kind, value);
                }
                self.out.push(b'}');
            }
            (Plurality::List | Plurality::Map, _) => self.raw("null"),
        }
    }

    fn value(&mut self, kind: &Kind, value: &Value) {
        match (kind, value) {
            (_, Value::Bool(value)) => self.raw(if *value { "true" } else { "false" }),
            (_, Value::I32(value)) => self.whole(*value),
            (_, Value::I64(value)) => self.whole(*value),
            (_, Value::U32(value)) => self.whole(*value),
            (_, Value::U64(value)) => self.whole(*value),
            (_, Value::F64(value)) => self.double(*value),
            (_, Value::String(value)) => self.text(value),
            (Kind::Enum(words), Value::EnumNumber(number)) => match words.word(*number) {
                Some(word) => self.text(word),
                // A newer service may know a word that this gateway does not.
                None => self.whole(*number),
            },
            (Kind::Message(id), Value::Message(message)) => match self.shapes.at(*id) {
                Some(shape) => self.message(shape, message),
                None => self.raw("null"),
            },
            _ => self.raw("null"),
        }
    }

    fn whole(&mut self, value: impl std::fmt::Display) {
        // Writing to memory cannot fail.
        drop(write!(self.out, "{value}"));
    }

    fn double(&mut self, value: f64) {
        if value.fract() == 0.0 && value.abs() < WHOLE_DOUBLE_MAX {
            return self.whole(value);
        }
        // JSON has no word for infinity and NaN; serde_json writes null.
        drop(serde_json::to_writer(&mut self.out, &value));
    }

    fn scalar(&mut self, scalar: &Scalar, message: &DynamicMessage) {
        let get =
            |field: &FieldDescriptor| message.has_field(field).then(|| message.get_field(field));
        if let Some(value) = get(&scalar.list) {
            self.value(&Kind::Message(scalar.list_shape), &value);
        } else if let Some(value) = get(&scalar.decimal) {
            match value.as_str() {
                Some(text) if self.is_record && number::fits_double(text) => self.raw(text),
                Some(text) if !self.is_record && number::is_json(text) => self.raw(text),
                text => self.text(text.unwrap_or_default()),
            }
        } else {
            let fields = [&scalar.text, &scalar.integer, &scalar.double, &scalar.boolean];
            match fields.into_iter().find_map(get) {
                Some(value) => self.value(&Kind::Text, &value),
                None => self.raw("null"),
            }
        }
    }

    fn instant(&mut self, instant: &Instant, message: &DynamicMessage) {
        let seconds = message.get_field(&instant.seconds).as_i64().unwrap_or_default();
        let nanos = message.get_field(&instant.nanos).as_i32().unwrap_or_default();
        let at =
            u32::try_from(nanos).ok().and_then(|nanos| DateTime::from_timestamp(seconds, nanos));
        match at {
            Some(at) => self.text(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None => self.raw("null"),
        }
    }
}

/// True for an enum at its unspecified value, which has no word.
fn says_nothing(field: &Field, message: &DynamicMessage) -> bool {
    let Kind::Enum(words) = &field.kind else { return false };
    let number = message.get_field(&field.descriptor).as_enum_number();
    field.plurality == Plurality::One && number.is_some() && number == words.unsaid
}

/// The entries of a map by key, so that the same message always prints the same.
fn sorted(map: &Value) -> Vec<(&str, &Value)> {
    let entries = map.as_map().into_iter().flatten();
    let mut entries: Vec<_> =
        entries.filter_map(|(key, value)| Some((text_key(key)?, value))).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    entries
}

fn text_key(key: &MapKey) -> Option<&str> {
    if let MapKey::String(key) = key { Some(key) } else { None }
}
