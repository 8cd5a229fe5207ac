//! Creatives: the content of an offer's message on a channel.

use std::collections::BTreeMap;

use formula::rule::Literal;

use super::{
    Faults,
    name::{quoted, word_fault},
};

/// Most keys of a content.
pub const CONTENT_KEYS_MAX: usize = 50;
/// Longest key of a content, in characters.
pub const CONTENT_KEY_MAX: usize = 100;
/// Largest content, in encoded bytes.
pub const CONTENT_BYTES_MAX: usize = 32 * 1024;
/// Weight of a creative that names none.
pub const WEIGHT_DEFAULT: f64 = 100.0;
/// Path of the content within a creative.
pub const CONTENT: &str = "content";

/// A creative, its values read.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub struct Creative {
    pub offer: String,
    pub channel: String,
    pub placement: String,
    pub weight: f64,
    pub content: BTreeMap<String, Literal>,
    /// Bytes the content takes as it is stored.
    pub content_bytes: usize,
}

impl Creative {
    /// Faults that need no other resource to be seen.
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let mut fault = |path: &str, message| faults.push((path.to_owned(), message));
        if self.offer.trim().is_empty() {
            fault("offer", "is required: the id or name of an offer".to_owned());
        }
        for (path, word) in
            [("offer", &self.offer), ("channel", &self.channel), ("placement", &self.placement)]
        {
            if let Some(message) = word_fault(word) {
                fault(path, message);
            }
        }
        if !(0.0..=100.0).contains(&self.weight) {
            fault("weight", format!("is {}; it must be 0 to 100", self.weight));
        }
        faults.extend(self.content_faults());
        faults
    }

    fn content_faults(&self) -> Faults {
        let count = self.content.len();
        if count > CONTENT_KEYS_MAX {
            return vec![(
                CONTENT.to_owned(),
                format!("has {count}, which exceeds the maximum {CONTENT_KEYS_MAX}"),
            )];
        }
        let mut faults = Faults::new();
        let mut fault = |path: String, message| faults.push((path, message));
        if self.content_bytes > CONTENT_BYTES_MAX {
            let bytes = self.content_bytes;
            fault(
                CONTENT.to_owned(),
                format!("has {bytes} bytes, which exceeds the maximum {CONTENT_BYTES_MAX}"),
            );
        }
        for (key, value) in &self.content {
            if let Some(message) = key_fault(key) {
                fault(content_path(key), message);
            } else if *value == Literal::None {
                fault(content_path(key), "must not be null: leave the key out".to_owned());
            }
        }
        faults
    }
}

/// The path of a value within a creative.
pub fn content_path(key: &str) -> String {
    if key.is_empty() { CONTENT.to_owned() } else { format!("{CONTENT}.{}", quoted(key)) }
}

fn key_fault(key: &str) -> Option<String> {
    let length = key.chars().count();
    if key.is_empty() {
        return Some(format!(
            "has an empty key; a key must have 1 to {CONTENT_KEY_MAX} characters"
        ));
    }
    if key.chars().any(char::is_control) {
        return Some("key must not contain control characters".to_owned());
    }
    let is_long = length > CONTENT_KEY_MAX;
    is_long.then(|| {
        format!("key has {length} characters, which exceeds the maximum {CONTENT_KEY_MAX}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Creative {
        let content = [
            ("subject", Literal::String("We miss you".into())),
            ("imageUrl", Literal::String("/a.png".into())),
        ];
        Creative {
            offer: "off_apparel".into(),
            channel: "email".into(),
            weight: WEIGHT_DEFAULT,
            content: content.map(|(key, value)| (key.to_owned(), value)).into(),
            content_bytes: 100,
            ..Default::default()
        }
    }

    fn with(keys: impl IntoIterator<Item = String>, value: Literal) -> Creative {
        Creative { content: keys.into_iter().map(|key| (key, value.clone())).collect(), ..letter() }
    }

    fn check(creative: &Creative, expected: &[&str]) {
        let faults = creative.faults();
        assert_eq!(
            faults.iter().map(|(path, text)| format!("{path} {text}")).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn a_weight_is_0_to_100() {
        for right in [0.0, 33.3, 100.0] {
            check(&Creative { weight: right, ..letter() }, &[]);
        }
        check(&Creative { weight: -0.1, ..letter() }, &["weight is -0.1; it must be 0 to 100"]);
        check(&Creative { weight: 100.5, ..letter() }, &["weight is 100.5; it must be 0 to 100"]);
        check(&Creative { weight: f64::NAN, ..letter() }, &["weight is NaN; it must be 0 to 100"]);
    }

    #[test]
    fn fifty_keys_are_the_most() {
        let keys = |count: usize| (0..count).map(|n| format!("k{n}"));
        check(&with(keys(50), Literal::Boolean(true)), &[]);
        check(
            &with(keys(51), Literal::Boolean(true)),
            &["content has 51, which exceeds the maximum 50"],
        );
    }

    #[test]
    fn a_key_has_1_to_100_characters_and_no_others() {
        let one = |key: &str| with([key.to_owned()], Literal::Number(1.0));
        check(&one("é"), &[]);
        check(&one(&"é".repeat(100)), &[]);
        check(&one("a.b c"), &[]);
        check(&one(""), &["content has an empty key; a key must have 1 to 100 characters"]);
        check(&one("a\u{7}b"), &["content.ab key must not contain control characters"]);
        let fault = format!(
            "content.{}… key has 101 characters, which exceeds the maximum 100",
            "x".repeat(64)
        );
        check(&one(&"x".repeat(101)), &[&fault]);
    }

    #[test]
    fn thirty_two_kib_are_the_most() {
        check(&Creative { content_bytes: 32_768, ..letter() }, &[]);
        let fault = "content has 32769 bytes, which exceeds the maximum 32768";
        check(&Creative { content_bytes: 32_769, ..letter() }, &[fault]);
    }

    #[test]
    fn every_fault_is_told() {
        let wrong = Creative {
            offer: " ".into(),
            channel: "a\nb".into(),
            placement: "x".repeat(201),
            weight: 101.0,
            ..with(["gone".to_owned()], Literal::None)
        };
        check(
            &wrong,
            &[
                "offer is required: the id or name of an offer",
                "channel must not contain control characters",
                "placement has 201 characters, which exceeds the maximum 200",
                "weight is 101; it must be 0 to 100",
                "content.gone must not be null: leave the key out",
            ],
        );
    }
}
