//! Words of enums, for messages to callers over gRPC.

use prost_reflect::Kind;

use crate::POOL;

/// The values that an enum field of a message may have, each with its word: the name without the
/// enum's prefix, in lower case. Empty for a field that is no enum.
pub fn of_field(message: &str, field: &str) -> Vec<(i32, String)> {
    let message = POOL.get_message_by_name(message);
    let field = message.and_then(|message| message.get_field_by_name(field));
    let Some(Kind::Enum(found)) = field.map(|field| field.kind()) else { return Vec::new() };
    let unspecified = found.default_value();
    let prefix = unspecified.name().strip_suffix("UNSPECIFIED").unwrap_or_default();
    let said = found.values().filter(|value| value.number() != unspecified.number());
    said.map(|value| {
        let word = value.name().strip_prefix(prefix).unwrap_or(value.name());
        (value.number(), word.to_lowercase())
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_name_without_its_prefix() {
        let arms = [(1, "treatment".to_owned()), (2, "holdout".to_owned())];
        assert_eq!(of_field("proffer.experiment.v1.Assignment", "arm"), arms);
        assert_eq!(of_field("proffer.experiment.v1.Assignment", "epoch"), []);
        assert_eq!(of_field("proffer.experiment.v1.Nothing", "arm"), []);
    }
}
