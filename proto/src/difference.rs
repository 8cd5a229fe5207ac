//! Compares two messages of one type field by field, for replays.

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, ReflectMessage as _, Value};

use crate::POOL;

/// A place where two messages differ; values as JSON, none where there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Path of JSON names, for example `decisions[0].trace.contactPolicy`.
    pub path: String,
    /// In the first.
    pub was: Option<String>,
    /// In the second.
    pub now: Option<String>,
}

/// The differences in the order of fields, at most so many. Equal messages have none, and only
/// they.
pub fn differences<M: Message + Name>(was: &M, now: &M, most: usize) -> Vec<Difference> {
    let (was, now) = (was.encode_to_vec(), now.encode_to_vec());
    if was == now {
        return Vec::new();
    }
    let mut found = Found { differences: Vec::new(), most };
    let full = M::full_name();
    // INVARIANT: every message of the contracts is in the pool and reads its own bytes.
    if let Some(of_type) = POOL.get_message_by_name(&full) {
        let read = |bytes: &[u8]| DynamicMessage::decode(of_type.clone(), bytes);
        if let (Ok(was), Ok(now)) = (read(&was), read(&now)) {
            found.messages("", &was, &now);
        }
    }
    if found.differences.is_empty() {
        found.push(
            String::new(),
            Some(format!("{} bytes", was.len())),
            Some(format!("{} other bytes", now.len())),
        );
    }
    found.differences
}

struct Found {
    differences: Vec<Difference>,
    most: usize,
}

impl Found {
    fn push(&mut self, path: String, was: Option<String>, now: Option<String>) {
        if self.differences.len() < self.most {
            self.differences.push(Difference { path, was, now });
        }
    }

    fn messages(&mut self, path: &str, was: &DynamicMessage, now: &DynamicMessage) {
        for field in was.descriptor().fields() {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", field.json_name());
            let (before, after) = (present(was, &field), present(now, &field));
            if before == after {
                continue;
            }
            match (before, after) {
                (Some(before), Some(after)) => self.values(path, &field.kind(), &before, &after),
                (before, after) => {
                    self.push(
                        path,
                        before.map(|value| json(&value)),
                        after.map(|value| json(&value)),
                    );
                }
            }
        }
    }

    fn values(&mut self, path: String, kind: &Kind, was: &Value, now: &Value) {
        match (was, now) {
            (Value::Message(was), Value::Message(now)) => self.messages(&path, was, now),
            (Value::List(was), Value::List(now)) => {
                for place in 0..was.len().max(now.len()) {
                    self.items(format!("{path}[{place}]"), kind, was.get(place), now.get(place));
                }
            }
            (Value::Map(was), Value::Map(now)) => {
                let mut keys: Vec<_> =
                    was.keys().chain(now.keys().filter(|key| !was.contains_key(*key))).collect();
                keys.sort_by_key(|key| key_text(key));
                for key in keys {
                    self.items(
                        format!("{path}.{}", key_text(key)),
                        kind,
                        was.get(key),
                        now.get(key),
                    );
                }
            }
            _ => self.push(path, Some(json(was)), Some(json(now))),
        }
    }

    fn items(&mut self, path: String, kind: &Kind, was: Option<&Value>, now: Option<&Value>) {
        match (was, now) {
            (Some(was), Some(now)) if was == now => {}
            (Some(was), Some(now)) => self.values(path, kind, was, now),
            (was, now) => self.push(path, was.map(json), now.map(json)),
        }
    }
}

fn present(message: &DynamicMessage, field: &FieldDescriptor) -> Option<Value> {
    message.has_field(field).then(|| message.get_field(field).into_owned())
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::String(text) => text.clone(),
        MapKey::Bool(is) => is.to_string(),
        MapKey::I32(number) => number.to_string(),
        MapKey::I64(number) => number.to_string(),
        MapKey::U32(number) => number.to_string(),
        MapKey::U64(number) => number.to_string(),
    }
}

fn json(value: &Value) -> String {
    let list =
        |items: Vec<String>, open: char, close: char| format!("{open}{}{close}", items.join(","));
    match value {
        Value::Bool(is) => is.to_string(),
        Value::I32(number) => number.to_string(),
        Value::I64(number) => number.to_string(),
        Value::U32(number) => number.to_string(),
        Value::U64(number) => number.to_string(),
        Value::F32(number) => number.to_string(),
        Value::F64(number) => number.to_string(),
        Value::EnumNumber(number) => number.to_string(),
        Value::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        Value::Bytes(bytes) => format!("\"{} bytes\"", bytes.len()),
        Value::List(items) => list(items.iter().map(json).collect(), '[', ']'),
        Value::Map(entries) => {
            let mut items: Vec<_> = entries
                .iter()
                .map(|(key, value)| format!("\"{}\":{}", key_text(key), json(value)))
                .collect();
            items.sort();
            list(items, '{', '}')
        }
        Value::Message(message) => {
            let fields = message
                .fields()
                .map(|(field, value)| format!("\"{}\":{}", field.json_name(), json(value)));
            list(fields.collect(), '{', '}')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::v1::{Decision, DecisionTrace, OfferDecision};

    fn told(was: &Decision, now: &Decision) -> Vec<String> {
        let told = differences(was, now, 3).into_iter();
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        told.map(|found| {
            format!("{}: {} -> {}", found.path, or_none(found.was), or_none(found.now))
        })
        .collect()
    }

    #[test]
    fn each_place_is_named() {
        let offer = |offer_id: &str, score| OfferDecision {
            offer_id: offer_id.into(),
            score,
            ..Default::default()
        };
        let was = Decision {
            decisions: vec![offer("a", 0.5), offer("b", 0.25)],
            reason: "x".into(),
            ..Default::default()
        };
        assert_eq!(told(&was, &was), Vec::<String>::new());
        let now = Decision {
            decisions: vec![offer("a", 0.75)],
            reason: "x".into(),
            ..Default::default()
        };
        let expected = [
            "decisions[0].score: 0.5 -> 0.75",
            "decisions[1]: {\"offerId\":\"b\",\"score\":0.25} -> none",
        ];
        assert_eq!(told(&was, &now), expected);
    }

    #[test]
    fn maps_and_absent_messages_are_told() {
        let trace = |reasons: &[(&str, i32)]| DecisionTrace {
            refused_by_reason: reasons
                .iter()
                .map(|(reason, count)| ((*reason).to_owned(), *count))
                .collect(),
            ..Default::default()
        };
        let with = |trace| Decision { trace, ..Default::default() };
        let was = with(Some(trace(&[("a", 1), ("b", 2)])));
        let expected = ["trace.refusedByReason.a: none -> 3", "trace.refusedByReason.b: 2 -> none"];
        let got = told(&was, &with(Some(trace(&[("a", 3)]))));
        assert_eq!(got, ["trace.refusedByReason.a: 1 -> 3", expected[1]]);
        assert_eq!(
            told(&was, &with(None)),
            ["trace: {\"refusedByReason\":{\"a\":1,\"b\":2}} -> none"]
        );
    }

    #[test]
    fn no_more_are_told_than_wanted() {
        let was = Decision {
            snapshot: vec!["a".into(), "b".into(), "c".into(), "d".into()],
            ..Default::default()
        };
        assert_eq!(
            told(
                &was,
                &Decision {
                    snapshot: vec!["w".into(), "x".into(), "y".into(), "z".into()],
                    ..was.clone()
                }
            )
            .len(),
            3
        );
    }
}
