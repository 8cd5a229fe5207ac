//! Reads JSON Lines: one object per line.

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt,
    io::{BufRead as _, BufReader},
};

use serde::{
    Deserializer as _,
    de::{self, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Counted as _, FileError, FileRow, Incoming, checked, encoding, is_too_long};
use crate::domain::{
    Faults,
    field_value::Given,
    name::{Hints, quoted},
    record::{self, CUSTOMER_ID, Changes},
    schema::Schema,
};

/// Reads the rows. Empty lines are none.
pub fn read(
    schema: &Schema,
    bytes: Incoming,
    take: &mut dyn FnMut(FileRow) -> bool,
) -> Result<(), FileError> {
    let mut reader = BufReader::with_capacity(64 * 1024, bytes);
    let (mut text, mut number, mut line) = (Vec::new(), 0, 0);
    let mut hints = Hints::default();
    loop {
        text.clear();
        line += 1;
        reader.get_mut().begin_row();
        match reader.read_until(b'\n', &mut text) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if is_too_long(&error) => return Err(FileError::Row { line, quote: None }),
            Err(error) => return Err(FileError::Broken(error)),
        }
        let mark = if line == 1 { encoding::MARK } else { b"" };
        let object = text.strip_prefix(mark).unwrap_or(&text).trim_ascii();
        if object.is_empty() {
            continue;
        }
        number += 1;
        let (customer_id, read) = row(schema, object, &mut hints);
        if read.is_err()
            && line == 1
            && let Some(fault) = file_fault(&text, object)
        {
            return Err(FileError::of_file(fault));
        }
        if !take(FileRow { number, line, read, customer_id }) {
            return Ok(());
        }
    }
}

/// What makes the file as such unreadable, seen from a first line that is no record.
fn file_fault(line: &[u8], object: &[u8]) -> Option<String> {
    let is_many = || {
        let mut objects = serde_json::Deserializer::from_slice(object).into_iter::<&RawValue>();
        objects.next().is_some_and(|first| first.is_ok()) && objects.next().is_some()
    };
    match encoding::Fault::of(line) {
        // Bytes of another encoding in one value refuse that row only.
        Some(fault @ (encoding::Fault::Utf16 | encoding::Fault::Returns)) => {
            Some(fault.to_string())
        }
        _ if !line.ends_with(b"\n") && is_many() => Some(encoding::NO_LINE_ENDS.to_owned()),
        _ => None,
    }
}

fn row(schema: &Schema, object: &[u8], hints: &mut Hints) -> (String, Result<Changes, Faults>) {
    let whole = |message: String| (String::new(), Err(vec![(String::new(), message)]));
    let text = match std::str::from_utf8(object) {
        Ok(text) => text,
        Err(_) => return whole("is not UTF-8".to_owned()),
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    // The fields, and the customer's id.
    let most = schema.fields.len() + 1;
    let members = deserializer
        .deserialize_map(Members { most })
        .and_then(|members| deserializer.end().map(|()| members));
    let members = match members {
        Ok(members) => members,
        Err(error) => return whole(format!("is not a JSON object: {}", shown(&error))),
    };
    let (mut customer_id, mut faults) = (None, Faults::new());
    let mut seen: HashSet<&str> = HashSet::with_capacity(members.len());
    let mut values: Vec<(&str, Cell<'_>)> = Vec::with_capacity(members.len());
    for (name, raw) in &members {
        if name == CUSTOMER_ID && customer_id.is_none() {
            let text = serde_json::from_str::<String>(raw.get());
            let text = text.inspect_err(|_| {
                faults.push((CUSTOMER_ID.to_owned(), "must be a string".to_owned()))
            });
            customer_id = Some(text.unwrap_or_default());
        } else if name == CUSTOMER_ID || !seen.insert(name) {
            faults.push((quoted(name), "is given twice".to_owned()));
        } else {
            values.push((name, Cell::of(raw.get())));
        }
    }
    let is_misread = faults.iter().any(|(field, _)| field == CUSTOMER_ID);
    let given = values.iter().map(|(name, cell)| (*name, cell.given()));
    let read = record::parse(schema, given, hints);
    let read = match read {
        read if faults.is_empty() => read,
        read => {
            faults.extend(read.err().unwrap_or_default());
            Err(faults)
        }
    };
    let customer_id = customer_id.unwrap_or_default();
    let read = if is_misread { read } else { checked(&customer_id, read) };
    (customer_id, read)
}

/// What the parser says; it sees one line only, and calls it the first.
fn shown(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

/// A value as it is written: numbers keep their digits.
enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
    Decimal(&'a str),
    Boolean(bool),
    Other,
}

impl<'a> Cell<'a> {
    fn of(raw: &'a str) -> Self {
        match raw.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't') => Self::Boolean(true),
            Some(b'f') => Self::Boolean(false),
            Some(b'"') => match plain(raw) {
                Some(text) => Self::Text(Cow::Borrowed(text)),
                // INVARIANT: a raw value is valid JSON.
                None => serde_json::from_str(raw)
                    .map_or(Self::Other, |text: String| Self::Text(Cow::Owned(text))),
            },
            Some(b'[' | b'{') | None => Self::Other,
            Some(_) => raw.parse().map_or(Self::Decimal(raw), Self::Integer),
        }
    }

    fn given(&self) -> Given<'_> {
        match self {
            Self::Null => Given::Null,
            Self::Text(text) => Given::Text(text),
            Self::Integer(number) => Given::Integer(*number),
            Self::Decimal(text) => Given::Decimal(text),
            Self::Boolean(is) => Given::Boolean(*is),
            Self::Other => Given::List,
        }
    }
}

/// A string without escapes is borrowed as it is.
fn plain(raw: &str) -> Option<&str> {
    let text = raw.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
}

/// The members of an object in their order, values unread.
struct Members {
    /// More of them are an error, before the rest is read.
    most: usize,
}

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            if members.len() == self.most {
                return Err(de::Error::custom(format_args!(
                    "it has more than {} keys, the fields of the schema and `{CUSTOMER_ID}`",
                    self.most
                )));
            }
            members.push((name.0, map.next_value()?));
        }
        Ok(members)
    }
}

/// A key, borrowed where it has no escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
