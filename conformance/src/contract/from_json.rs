//! Converts JSON, as REST accepts it, to a message of the contracts.

use anyhow::{Context as _, bail};
use chrono::DateTime;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _,
    Value as Field, bytes::Bytes, prost_types::Timestamp,
};
use serde_json::Value;

use super::option::{self, Tagged};

/// The message that `json` means.
pub fn message(descriptor: &MessageDescriptor, json: &Value) -> anyhow::Result<DynamicMessage> {
    let mut message = DynamicMessage::new(descriptor.clone());
    if descriptor.full_name() == "google.protobuf.Timestamp" {
        let at = DateTime::parse_from_rfc3339(json.as_str().context("an instant is a text")?)?;
        let nanos = i32::try_from(at.timestamp_subsec_nanos())?;
        message.transcode_from(&Timestamp { seconds: at.timestamp(), nanos })?;
    } else if option::is_bare(descriptor) {
        bare(&mut message, json)?;
    } else {
        let fields = json
            .as_object()
            .with_context(|| format!("{} is an object, not {json}", descriptor.name()))?;
        object(&mut message, fields)?;
    }
    Ok(message)
}

/// A message that reads as what it holds: a list, or one scalar of a oneof.
fn bare(message: &mut DynamicMessage, json: &Value) -> anyhow::Result<()> {
    let descriptor = message.descriptor();
    if let Some(list) = descriptor
        .fields()
        .find(FieldDescriptor::is_list)
        .filter(|_| descriptor.fields().len() == 1)
    {
        message.set_field(&list, field_value(&list, json)?);
        return Ok(());
    }
    let member = match json {
        Value::Null => return Ok(()),
        Value::String(_) => "string_value",
        Value::Bool(_) => "boolean_value",
        Value::Number(number) if number.is_f64() => "decimal_value",
        Value::Number(_) => "integer_value",
        Value::Array(_) => "list_value",
        Value::Object(_) => bail!("a value is no object"),
    };
    let field = descriptor.get_field_by_name(member).context("a value without this member")?;
    let json = if member == "decimal_value" { &Value::String(json.to_string()) } else { json };
    message.set_field(&field, single(&field.kind(), json)?);
    Ok(())
}

fn object(
    message: &mut DynamicMessage,
    fields: &serde_json::Map<String, Value>,
) -> anyhow::Result<()> {
    let descriptor = message.descriptor();
    let rest = descriptor.fields().find(|field| field.is_map() && option::is_set(field, "flatten"));
    let mut used = tagged_members(message, fields)?;
    let inline: Vec<_> = descriptor
        .fields()
        .filter(|field| !field.is_map() && option::is_set(field, "flatten"))
        .collect();
    for (key, json) in fields {
        if used.contains(key) {
            continue;
        }
        let is_own =
            |field: &FieldDescriptor| field.json_name() == key && !option::is_set(field, "flatten");
        let known = descriptor.fields().find(is_own);
        if let Some(field) = known {
            if !json.is_null() {
                message.set_field(
                    &field,
                    field_value(&field, json).with_context(|| format!("at `{key}`"))?,
                );
            }
        } else if let Some(field) = &rest {
            let Kind::Message(entry) = field.kind() else { bail!("a map without entries") };
            let value = single(&entry.map_entry_value_field().kind(), json)?;
            let Field::Map(entries) = message.get_field_mut(field) else {
                bail!("a map without entries")
            };
            entries.insert(MapKey::String(key.clone()), value);
        } else if let Some(field) = inline.iter().find(|field| has_key(field, key)) {
            let Field::Message(inner) = message.get_field_mut(field) else {
                bail!("an inline field is a message")
            };
            object(inner, &serde_json::Map::from_iter([(key.clone(), json.clone())]))?;
        } else {
            bail!("{} has no `{key}`", descriptor.full_name());
        }
        used.push(key.clone());
    }
    Ok(())
}

fn has_key(field: &FieldDescriptor, key: &str) -> bool {
    let Kind::Message(inner) = field.kind() else { return false };
    inner.fields().any(|field| field.json_name() == key)
}

/// Sets the members of tagged oneofs and tells the keys they used.
fn tagged_members(
    message: &mut DynamicMessage,
    fields: &serde_json::Map<String, Value>,
) -> anyhow::Result<Vec<String>> {
    let mut used = Vec::new();
    for oneof in message.descriptor().oneofs() {
        let Some(Tagged { tag, content, is_flat }) = option::tagged(&oneof) else { continue };
        let Some(word) = fields.get(&tag) else { continue };
        let word = word.as_str().context("a tag is a word")?;
        let field = oneof.fields().find(|field| field.name() == word);
        let field = field.with_context(|| format!("no `{word}` in {}", oneof.full_name()))?;
        let Kind::Message(inner) = field.kind() else { bail!("a tagged member is a message") };
        let mut own = fields.get(&content).and_then(Value::as_object).cloned().unwrap_or_default();
        used.extend([tag, content]);
        if is_flat {
            for (key, json) in fields.iter().filter(|(key, _)| has_key(&field, key)) {
                own.insert(key.clone(), json.clone());
                used.push(key.clone());
            }
        }
        let mut member = DynamicMessage::new(inner);
        object(&mut member, &own)?;
        message.set_field(&field, Field::Message(member));
    }
    Ok(used)
}

fn field_value(field: &FieldDescriptor, json: &Value) -> anyhow::Result<Field> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { bail!("a map without entries") };
        let kind = entry.map_entry_value_field().kind();
        let entries = json.as_object().context("a map is an object")?.iter();
        let entries =
            entries.map(|(key, json)| Ok((MapKey::String(key.clone()), single(&kind, json)?)));
        return Ok(Field::Map(entries.collect::<anyhow::Result<_>>()?));
    }
    if field.is_list() {
        let one = [json.clone()];
        let items = match json.as_array() {
            Some(items) => items.as_slice(),
            None if option::is_set(field, "scalar_when_one") => &one,
            None => bail!("`{}` is a list", field.json_name()),
        };
        let items = items.iter().map(|item| single(&field.kind(), item));
        return Ok(Field::List(items.collect::<anyhow::Result<_>>()?));
    }
    single(&field.kind(), json)
}

/// The value of one field, not of a list or map, that `json` means.
pub fn single(kind: &Kind, json: &Value) -> anyhow::Result<Field> {
    let fit = match kind {
        Kind::Message(descriptor) => Some(Field::Message(message(descriptor, json)?)),
        Kind::Enum(enumeration) => {
            json.as_str().and_then(|word| option::number(enumeration, word)).map(Field::EnumNumber)
        }
        Kind::String => json.as_str().map(|text| Field::String(text.to_owned())),
        Kind::Bytes => {
            json.as_str().map(|text| Field::Bytes(Bytes::copy_from_slice(text.as_bytes())))
        }
        Kind::Bool => json.as_bool().map(Field::Bool),
        Kind::Double => json.as_f64().map(Field::F64),
        Kind::Int32 => json.as_i64().and_then(|number| i32::try_from(number).ok()).map(Field::I32),
        Kind::Int64 => json.as_i64().map(Field::I64),
        _ => None,
    };
    fit.with_context(|| format!("{json} is no {kind:?}"))
}
