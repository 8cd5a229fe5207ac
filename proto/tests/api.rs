//! The public contract as text: a change of it shows in review as a change of `api.golden`.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;

use proffer_proto::POOL;
use prost_reflect::{
    Cardinality, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value,
};

#[test]
fn the_contract_is_the_golden_one() {
    testkit::golden(concat!(env!("CARGO_MANIFEST_DIR"), "/api.golden"), &rendered());
}

fn rendered() -> String {
    let mut text = String::new();
    let mut files: Vec<_> =
        POOL.files().filter(|file| file.package_name().starts_with("proffer.")).collect();
    files.sort_by_key(|file| file.name().to_owned());
    for file in files {
        writeln!(text, "\n{}", file.name()).unwrap();
        for service in file.services() {
            writeln!(text, "  service {}", service.full_name()).unwrap();
            for method in service.methods() {
                let stream = if method.is_server_streaming() { "stream " } else { "" };
                let (input, output) = (method.input(), method.output());
                let shape = format!("{} -> {stream}{}", input.name(), output.name());
                writeln!(text, "    rpc {}: {shape}{}", method.name(), http(&method.options()))
                    .unwrap();
            }
        }
        file.messages().for_each(|message| render_message(&mut text, &message));
        file.enums().for_each(|enumeration| render_enum(&mut text, &enumeration));
        for extension in file.extensions() {
            let kind = kind(&extension.kind());
            writeln!(
                text,
                "  extension {}: {kind} = {}",
                extension.full_name(),
                extension.number()
            )
            .unwrap();
        }
    }
    text.trim_start().to_owned()
}

fn render_message(text: &mut String, message: &MessageDescriptor) {
    writeln!(text, "  message {}{}", message.full_name(), options(&message.options())).unwrap();
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    for field in fields {
        let label = match (field.cardinality(), field.containing_oneof()) {
            _ if field.is_map() => "",
            (Cardinality::Repeated, _) => "repeated ",
            (_, Some(oneof)) if oneof.is_synthetic() => "optional ",
            _ => "",
        };
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let place = oneof
            .map(|oneof| format!(" in {}{}", oneof.name(), options(&oneof.options())))
            .unwrap_or_default();
        let default = field
            .name()
            .split('_')
            .enumerate()
            .map(|(index, word)| if index == 0 { word.into() } else { capital(word) });
        let renamed = if field.json_name() == default.collect::<String>() {
            String::new()
        } else {
            format!(" json `{}`", field.json_name())
        };
        let shape = format!("{label}{}", field_kind(&field));
        let rest = format!("{renamed}{place}{}", options(&field.options()));
        writeln!(text, "    {} {}: {shape}{rest}", field.number(), field.name()).unwrap();
    }
}

fn render_enum(text: &mut String, enumeration: &EnumDescriptor) {
    writeln!(text, "  enum {}", enumeration.full_name()).unwrap();
    for value in enumeration.values() {
        writeln!(text, "    {} {}{}", value.number(), value.name(), options(&value.options()))
            .unwrap();
    }
}

fn field_kind(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            format!(
                "map<{}, {}>",
                kind(&entry.map_entry_key_field().kind()),
                kind(&entry.map_entry_value_field().kind())
            )
        }
        other => kind(&other),
    }
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(enumeration) => enumeration.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// Our own options and the field behavior; `google.api.http` is printed beside the RPC.
fn options(options: &DynamicMessage) -> String {
    let set =
        options.extensions().filter(|(extension, _)| extension.full_name() != "google.api.http");
    let mut listed: Vec<_> = set
        .map(|(extension, value)| {
            format!("{}={}", extension.name(), plain(value, &extension.kind()))
        })
        .collect();
    listed.sort();
    if listed.is_empty() { String::new() } else { format!(" [{}]", listed.join(", ")) }
}

fn http(options_of_method: &DynamicMessage) -> String {
    let rule = options_of_method
        .extensions()
        .find(|(extension, _)| extension.full_name() == "google.api.http");
    let Some((_, Value::Message(rule))) = rule else { return String::new() };
    let mut words: Vec<_> = rule
        .fields()
        .map(|(field, value)| match field.name() {
            verb @ ("get" | "put" | "post" | "patch" | "delete") => {
                format!("{} {}", verb.to_uppercase(), plain(value, &field.kind()))
            }
            name => format!("{name}={}", plain(value, &field.kind())),
        })
        .collect();
    words.sort_by_key(|word| !word.contains('/'));
    format!(" {}{}", words.join(" "), options(options_of_method))
}

fn plain(value: &Value, kind: &Kind) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::EnumNumber(number) => {
            let known = kind.as_enum().and_then(|enumeration| enumeration.get_value(*number));
            known.map_or_else(|| number.to_string(), |value| value.name().to_owned())
        }
        Value::List(values) => {
            values.iter().map(|value| plain(value, kind)).collect::<Vec<_>>().join("|")
        }
        Value::Message(message) => {
            let fields = message
                .fields()
                .map(|(field, value)| format!("{} {}", field.name(), plain(value, &field.kind())));
            fields.collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_uppercase() + rest
}
