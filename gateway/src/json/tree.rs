//! Parses JSON text into an ordered tree. It keeps the text of numbers, finds repeated keys and
//! limits the depth.
//!
//! No existing parser does all three in one pass. Tests compare this one with serde_json.

use std::{borrow::Cow, collections::HashSet};

use super::fault::{Faults, Place};

/// How deep lists and objects may stand inside each other.
pub const DEPTH_MAX: usize = 32;
/// Up to here repeated keys are looked for pair by pair.
const PAIRWISE_KEYS_MAX: usize = 8;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(&'a str),
    /// A string.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Json<'a>>),
    /// An object; keys are unique and in the order in which they were written.
    Object(Vec<Entry<'a>>),
}

/// A key and its value.
pub type Entry<'a> = (Cow<'a, str>, Json<'a>);

impl Json<'_> {
    /// What it is, in words that follow "not".
    pub fn noun(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "true or false",
            Json::Number(_) => "a number",
            Json::Text(_) => "text",
            Json::List(_) => "a list",
            Json::Object(_) => "an object",
        }
    }
}

/// A text that is not JSON.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not JSON at line {line}, column {column}: {message}")]
pub struct SyntaxError {
    line: usize,
    column: usize,
    message: String,
}

/// Reads a text. A repeated key is a fault, not an error: the first one counts and reading goes on.
pub fn read<'a>(text: &'a str, faults: &mut Faults) -> Result<Json<'a>, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, faults };
    reader.skip_space();
    let value = reader.value(&Place::Root, 0)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.expected("the end")),
    }
}

struct Reader<'a, 'f> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    faults: &'f mut Faults,
}

impl<'a> Reader<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn error(&self, message: impl Into<String>) -> SyntaxError {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        SyntaxError { line, column, message: message.into() }
    }

    fn expected(&self, what: &str) -> SyntaxError {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => self.error(format!("expected {what}, found {found:?}")),
            None => self.error(format!("expected {what}, found the end")),
        }
    }

    fn value(&mut self, place: &Place<'_>, depth: usize) -> Result<Json<'a>, SyntaxError> {
        match self.peek() {
            Some(b'{') => self.object(place, depth + 1),
            Some(b'[') => self.list(place, depth + 1),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Json::Null),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, SyntaxError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Result<Json<'a>, SyntaxError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(Json::Number(self.text.get(start..self.at).unwrap_or_default()))
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, SyntaxError> {
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            // INVARIANT: a run ends at an ASCII byte or at the end, so it is cut at character
            // boundaries.
            let run = self.text.get(start..self.at).unwrap_or_default();
            if text.is_empty() {
                text = Cow::Borrowed(run);
            } else {
                text.to_mut().push_str(run);
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let escaped = self.escape()?;
                    text.to_mut().push(escaped);
                }
                Some(_) => return Err(self.expected("`\"`; control characters must be escaped")),
                None => return Err(self.expected("`\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.expected("an escape such as `\\n`")),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let first = self.four_hex()?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first)
                .ok_or_else(|| self.error("a lone surrogate is no character"));
        }
        let is_pair = self.take(b'\\') && self.take(b'u');
        let second = if is_pair { self.four_hex()? } else { 0 };
        if !(0xDC00..0xE000).contains(&second) {
            return Err(self.error("a lone surrogate is no character"));
        }
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        char::from_u32(code).ok_or_else(|| self.error("a lone surrogate is no character"))
    }

    fn four_hex(&mut self) -> Result<u32, SyntaxError> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|text| u32::from_str_radix(text, 16).ok());
        let code = code.ok_or_else(|| self.error("expected four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    fn list(&mut self, place: &Place<'_>, depth: usize) -> Result<Json<'a>, SyntaxError> {
        self.open(depth)?;
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::List(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(&place.index(items.len()), depth)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::List(items));
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self, place: &Place<'_>, depth: usize) -> Result<Json<'a>, SyntaxError> {
        self.open(depth)?;
        let mut entries: Vec<Entry<'a>> = Vec::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(entries));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in `\"`"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.expected("`:`"));
            }
            self.skip_space();
            let value = self.value(&place.key(&key), depth)?;
            entries.push((key, value));
            self.skip_space();
            if self.take(b'}') {
                self.drop_repeated(&mut entries, place);
                return Ok(Json::Object(entries));
            }
            if !self.take(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn open(&mut self, depth: usize) -> Result<(), SyntaxError> {
        if depth > DEPTH_MAX {
            return Err(self.error(format!("nested deeper than the maximum {DEPTH_MAX}")));
        }
        self.at += 1;
        Ok(())
    }

    fn drop_repeated(&mut self, entries: &mut Vec<Entry<'a>>, place: &Place<'_>) {
        let is_unique = if entries.len() <= PAIRWISE_KEYS_MAX {
            let rest = |index| entries.iter().skip(index + 1);
            !entries
                .iter()
                .enumerate()
                .any(|(index, (key, _))| rest(index).any(|(other, _)| key == other))
        } else {
            let mut seen = HashSet::with_capacity(entries.len());
            entries.iter().all(|(key, _)| seen.insert(key.as_ref()))
        };
        if is_unique {
            return;
        }
        let mut seen = HashSet::with_capacity(entries.len());
        entries.retain(|(key, _)| {
            let is_first = seen.insert(key.clone());
            if !is_first {
                self.faults.add(&place.key(key), "is given twice");
            }
            is_first
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(text: &str) -> Result<Json<'_>, SyntaxError> {
        read(text, &mut Faults::default())
    }

    /// The same value as serde_json has it, numbers as doubles.
    fn as_serde(json: &Json<'_>) -> serde_json::Value {
        match json {
            Json::Null => serde_json::Value::Null,
            Json::Bool(value) => (*value).into(),
            Json::Number(text) => text.parse::<f64>().unwrap().into(),
            Json::Text(text) => text.as_ref().into(),
            Json::List(items) => items.iter().map(as_serde).collect(),
            Json::Object(entries) => {
                entries.iter().map(|(key, value)| (key.to_string(), as_serde(value))).collect()
            }
        }
    }

    fn with_doubles(value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Number(number) => number.as_f64().into(),
            serde_json::Value::Array(items) => items.into_iter().map(with_doubles).collect(),
            serde_json::Value::Object(entries) => {
                entries.into_iter().map(|(key, value)| (key, with_doubles(value))).collect()
            }
            other => other,
        }
    }

    /// serde_json keeps the last of repeated keys and refuses numbers beyond a double; apart from
    /// that we agree.
    fn check_against_serde(text: &str) {
        let mut faults = Faults::default();
        let ours = read(text, &mut faults);
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(theirs) if faults.is_empty() => {
                assert_eq!(ours.as_ref().map(as_serde), Ok(with_doubles(theirs)), "{text:?}");
            }
            Ok(_) => assert!(ours.is_ok(), "{text:?}"),
            Err(error) if error.to_string().starts_with("number out of range") => {}
            Err(error) if error.to_string().starts_with("recursion limit") => {
                assert!(ours.is_err(), "{text:?}")
            }
            Err(error) => assert!(ours.is_err(), "{text:?}: {error}"),
        }
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let text = "[1.10, 9007199254740993, -0, 1E+2]";
        let numbers = ["1.10", "9007199254740993", "-0", "1E+2"].map(Json::Number);
        assert_eq!(tree(text), Ok(Json::List(numbers.into())));
    }

    #[test]
    fn a_repeated_key_is_a_fault_with_its_path_and_the_first_counts() {
        let mut faults = Faults::default();
        let text = r#"{"a": [{"b": 1, "c": {}, "b": 2}], "\u0061": 3}"#;
        let got = read(text, &mut faults).unwrap();
        assert_eq!(as_serde(&got).to_string(), r#"{"a":[{"b":1.0,"c":{}}]}"#);
        let paths: Vec<_> = faults.into_list().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a[0].b", "a"]);
    }

    #[test]
    fn a_repeated_key_is_found_among_many() {
        let keys: Vec<_> = (0..50).map(|n| format!("\"k{}\": {n}", n % 49)).collect();
        let mut faults = Faults::default();
        read(&format!("{{{}}}", keys.join(",")), &mut faults).unwrap();
        assert_eq!(faults.into_list(), [("k0".to_owned(), "is given twice".to_owned())]);
    }

    #[test]
    fn thirty_two_levels_are_read_and_thirty_three_are_not() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(tree(&nested(DEPTH_MAX)).is_ok());
        let error = tree(&nested(DEPTH_MAX + 1)).unwrap_err().to_string();
        assert_eq!(error, "is not JSON at line 1, column 33: nested deeper than the maximum 32");
        assert!(tree(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        for (text, expected) in [
            ("", "line 1, column 1: expected a value, found the end"),
            ("{\n  \"a\" 1}", "line 2, column 7: expected `:`, found '1'"),
            ("{\"é\": 1 \"b\"", "line 1, column 9: expected `,` or `}`, found '\"'"),
            ("[1,]", "line 1, column 4: expected a value, found ']'"),
            ("{a: 1}", "line 1, column 2: expected a key in `\"`, found 'a'"),
            ("01", "line 1, column 2: expected the end, found '1'"),
            ("\"a", "line 1, column 3: expected `\"`, found the end"),
            ("\"\\ud800x\"", "line 1, column 8: a lone surrogate is no character"),
            ("'a'", "line 1, column 1: expected a value, found '\\''"),
            ("a=1&b=2", "line 1, column 1: expected a value, found 'a'"),
        ] {
            assert_eq!(
                tree(text).unwrap_err().to_string(),
                format!("is not JSON at {expected}"),
                "{text}"
            );
        }
    }

    #[test]
    fn odd_texts_are_read_as_serde_json_reads_them() {
        for text in [
            "null",
            " true ",
            "[ ]",
            "{ }",
            "1e5",
            "-",
            "1.",
            "[1 2]",
            "\"\\u00e9\\n\\/\"",
            "\"\\ud83d\\ude00\"",
            "\"\\udc00\"",
            "\"\\ud83d\\u0041\"",
            "\"\\x\"",
            "\"\t\"",
            "nul",
            "truex",
            "{\"a\":1,}",
            "\"\u{7f}\"",
            "[1e400]",
            "-01",
            "1e+",
            "{\"a\"}",
            "\"\\u12\"",
            "\"\\u12é\"",
            "[[[]]",
            "\u{a0}1",
        ] {
            check_against_serde(text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_serde_json_reads_it(text in "[\\[\\]{}:,\"\\\\a-cu0-9 .eE+\\-\u{e9}ntrfl\n]{0,24}") {
            check_against_serde(&text);
        }

        #[test]
        fn any_bytes_of_text_do_no_harm(text in any::<String>()) {
            check_against_serde(&text);
        }
    }
}
