//! The annotations that say how a message reads as JSON.

use proffer_proto::POOL;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, MessageDescriptor, OneofDescriptor, Value,
};

/// One of our own options, by name.
pub fn own(options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = POOL.get_extension_by_name(&format!("proffer.values.v1.{name}"))?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

/// Whether a boolean option of a field is set.
pub fn is_set(field: &FieldDescriptor, name: &str) -> bool {
    own(&field.options(), name).and_then(|value| value.as_bool()).unwrap_or_default()
}

/// Whether a message reads as the value it holds.
pub fn is_bare(message: &MessageDescriptor) -> bool {
    own(&message.options(), "bare").and_then(|value| value.as_bool()).unwrap_or_default()
}

/// How a oneof reads as a tagged object.
pub struct Tagged {
    /// Key that names the member.
    pub tag: String,
    /// Key that holds the member's fields.
    pub content: String,
    /// The member's fields stand beside the tag.
    pub is_flat: bool,
}

/// The tag of a oneof, when it has one.
pub fn tagged(oneof: &OneofDescriptor) -> Option<Tagged> {
    let option = own(&oneof.options(), "tagged")?;
    let option = option.as_message()?;
    let text = |name: &str| {
        option.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned))
    };
    let is_flat =
        option.get_field_by_name("flat").and_then(|value| value.as_bool()).unwrap_or_default();
    Some(Tagged { tag: text("tag")?, content: text("content")?, is_flat })
}

/// The word for a value of an enum.
pub fn token(enumeration: &EnumDescriptor, number: i32) -> String {
    let Some(value) = enumeration.get_value(number) else { return number.to_string() };
    if let Some(token) =
        own(&value.options(), "token").and_then(|value| value.as_str().map(str::to_owned))
    {
        return token;
    }
    let mut prefix = String::new();
    for c in enumeration.name().chars() {
        if c.is_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.extend(c.to_uppercase());
    }
    value.name().trim_start_matches(&format!("{prefix}_")).to_lowercase()
}

/// The value of a word.
pub fn number(enumeration: &EnumDescriptor, word: &str) -> Option<i32> {
    let aliases = |value: &prost_reflect::EnumValueDescriptor| {
        let listed = own(&value.options(), "token_alias");
        let listed = listed
            .as_ref()
            .and_then(|value| value.as_list())
            .map(<[Value]>::to_vec)
            .unwrap_or_default();
        listed.iter().any(|alias| alias.as_str() == Some(word))
    };
    let mut values = enumeration.values();
    values
        .find(|value| token(enumeration, value.number()) == word || aliases(value))
        .map(|value| value.number())
}
