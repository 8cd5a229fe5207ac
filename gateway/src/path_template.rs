//! Path templates of `google.api.http`, and how a path matches one.

use std::borrow::Cow;

use anyhow::ensure;
use percent_encoding::percent_decode_str;

/// One part of a template, between slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A word that must be there.
    Literal(String),
    /// Any one segment; the value of this field of the request, `record.customer_id` for a nested
    /// one.
    Variable(String),
}

/// Takes a template apart. Only whole segments may be variables; `**` and patterns are not planned
/// for. A verb belongs to a word before it: `experiments:plan` is one word.
pub fn parse(template: &str) -> anyhow::Result<Vec<Segment>> {
    let path = template.strip_prefix('/').unwrap_or_default();
    ensure!(!path.is_empty(), "path template `{template}` does not start with `/` and a word");
    let mut segments = Vec::new();
    for text in path.split('/') {
        let variable = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let word = variable.unwrap_or(text);
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let fits = |text: &str| !text.is_empty() && text.chars().all(is_word);
        let (noun, verb) = word.split_once(':').unwrap_or((word, "none"));
        ensure!(
            fits(noun) && fits(verb) && !(variable.is_some() && word.contains(':')),
            "path template `{template}`: `{text}` is not planned for"
        );
        segments.push(match variable {
            Some(field) => Segment::Variable(field.to_owned()),
            None => Segment::Literal(word.to_owned()),
        });
    }
    Ok(segments)
}

/// The segments of a raw path, still encoded: an encoded slash does not separate.
pub fn split(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

/// A raw segment as text; nothing when an escape is broken or the bytes are not UTF-8.
pub fn decode(raw: &str) -> Option<Cow<'_, str>> {
    let bytes = raw.as_bytes();
    let escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    for (at, _) in escapes {
        let digits = bytes.get(at + 1..at + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
    }
    percent_decode_str(raw).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_literals_and_variables() {
        let literal = |text: &str| Segment::Literal(text.into());
        let variable = |text: &str| Segment::Variable(text.into());
        assert_eq!(
            parse("/api/v1/schemas/{schema}/records/{record.customer_id}").unwrap(),
            [
                literal("api"),
                literal("v1"),
                literal("schemas"),
                variable("schema"),
                literal("records"),
                variable("record.customer_id")
            ]
        );
        let verbs = parse("/experiments:plan/{id}/assignments:import").unwrap();
        let expected = [literal("experiments:plan"), variable("id"), literal("assignments:import")];
        assert_eq!(verbs, expected);
        for odd in ["", "/", "api", "/a//b", "/a/{}", "/a/{name=**}", "/a/{b}c", "/*"] {
            assert!(parse(odd).is_err(), "{odd}");
        }
        for odd in ["/a:", "/:verb", "/a:b:c", "/{a}:verb", "/{a:b}"] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn segments_are_split_before_they_are_decoded() {
        let segments: Vec<_> =
            split("/api/a%2Fb/c%20d%C3%A9").map(|raw| decode(raw).unwrap()).collect();
        assert_eq!(segments, ["api", "a/b", "c dé"]);
        assert_eq!(decode("a+b").unwrap(), "a+b");
        for broken in ["%", "%2", "%zz", "a%f", "%ff", "%c3"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }
}
