//! A message as REST shows it.

use chrono::{DateTime, SecondsFormat};
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value as Field,
    prost_types::Timestamp,
};
use serde_json::{Map, Number, Value};

use super::option;

/// Significant digits up to which a decimal is a number; beyond it is a text.
const NUMBER_DIGITS_MAX: usize = 15;

/// The JSON of `message`.
pub fn json(message: &DynamicMessage) -> Value {
    let descriptor = message.descriptor();
    if descriptor.full_name() == "google.protobuf.Timestamp" {
        let stamp: Timestamp = message.transcode_to().unwrap_or_default();
        let nanos = u32::try_from(stamp.nanos).unwrap_or_default();
        let at = DateTime::from_timestamp(stamp.seconds, nanos).unwrap_or_default();
        return Value::String(at.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    }
    if option::is_bare(&descriptor) {
        if let Some(list) = descriptor.fields().find(FieldDescriptor::is_list) {
            return field_json(&list, &message.get_field(&list));
        }
        let set = descriptor.fields().find(|field| message.has_field(field));
        return set.map_or(Value::Null, |field| bare(&field, &message.get_field(&field)));
    }
    let mut fields = Map::new();
    for field in descriptor.fields() {
        print(message, &field, &mut fields);
    }
    Value::Object(fields)
}

fn bare(field: &FieldDescriptor, value: &Field) -> Value {
    match value {
        Field::String(text) if field.name() == "decimal_value" => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Value::String(text.clone()), Value::Number)
        }
        other => single(&field.kind(), other),
    }
}

/// The text of a decimal that a record shows as text: a reader's double would lose its digits.
fn long_decimal(value: &Field) -> Option<Value> {
    let message = value.as_message()?;
    let text = message.get_field_by_name("decimal_value")?.as_str()?.to_owned();
    let digits = text.chars().filter(char::is_ascii_digit).skip_while(|digit| *digit == '0');
    (digits.count() > NUMBER_DIGITS_MAX).then_some(Value::String(text))
}

fn print(message: &DynamicMessage, field: &FieldDescriptor, fields: &mut Map<String, Value>) {
    let value = message.get_field(field);
    let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
    if let Some(tagged) = oneof.as_ref().and_then(option::tagged) {
        let Field::Message(member) = &*value else { return };
        if !message.has_field(field) {
            return;
        }
        fields.insert(tagged.tag, field.name().into());
        let inner = json(member);
        match inner {
            Value::Object(inner) if tagged.is_flat => fields.extend(inner),
            inner => drop(fields.insert(tagged.content, inner)),
        }
        return;
    }
    if option::is_set(field, "flatten") {
        match &*value {
            Field::Map(entries) => {
                let shown = field_json(field, &value);
                for (key, value) in entries {
                    let key = key_text(key);
                    let shown = shown.get(&key).cloned().unwrap_or_default();
                    fields.insert(key, long_decimal(value).unwrap_or(shown));
                }
            }
            Field::Message(inner) if message.has_field(field) => {
                if let Value::Object(inner) = json(inner) {
                    fields.extend(inner);
                }
            }
            _ => {}
        }
        return;
    }
    let key = field.json_name().to_owned();
    let is_empty = value.is_default(&field.kind())
        || matches!(&*value, Field::List(items) if items.is_empty());
    if field.supports_presence() && !message.has_field(field) {
        if option::is_set(field, "null_when_unset") {
            fields.insert(key, Value::Null);
        }
    } else if !(option::is_set(field, "omit_when_empty") && is_empty) {
        fields.insert(key, field_json(field, &value));
    }
}

fn field_json(field: &FieldDescriptor, value: &Field) -> Value {
    match value {
        Field::String(text) if option::is_set(field, "json_text") => {
            serde_json::from_str(text).unwrap_or_default()
        }
        Field::List(items) if option::is_set(field, "scalar_when_one") && items.len() == 1 => {
            items.first().map_or(Value::Null, |item| single(&field.kind(), item))
        }
        Field::List(items) => items.iter().map(|item| single(&field.kind(), item)).collect(),
        Field::Map(entries) => {
            let kind = match field.kind() {
                Kind::Message(entry) => entry.map_entry_value_field().kind(),
                other => other,
            };
            let mut sorted: Vec<_> =
                entries.iter().map(|(key, value)| (key_text(key), single(&kind, value))).collect();
            sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(sorted.into_iter().collect())
        }
        other => single(&field.kind(), other),
    }
}

fn single(kind: &Kind, value: &Field) -> Value {
    match value {
        Field::Message(message) => json(message),
        Field::EnumNumber(number) => match kind {
            Kind::Enum(enumeration) => option::token(enumeration, *number).into(),
            _ => (*number).into(),
        },
        Field::String(text) => text.clone().into(),
        Field::Bool(value) => (*value).into(),
        Field::F64(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
        Field::I32(value) => (*value).into(),
        Field::I64(value) => (*value).into(),
        other => Value::String(format!("{other:?}")),
    }
}

fn key_text(key: &MapKey) -> String {
    key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned)
}
