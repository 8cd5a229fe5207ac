//! What differs between two JSON texts, place by place.

use serde_json::value::RawValue;

use super::path::{push_index, push_key};

/// A place where two texts differ; values as JSON, none where there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// JSON path, for example `qualificationRules[0].value`; empty for the whole text.
    pub path: String,
    /// In the first.
    pub was: Option<String>,
    /// In the second.
    pub now: Option<String>,
}

/// Every change from `was` to `now`, in the order of the texts. Numbers are compared as they are
/// written, so both texts must come from the same printer. Without one of them, every key of the
/// other that says something is a change.
pub fn changes(was: Option<&str>, now: Option<&str>) -> Vec<Change> {
    let read = |text: Option<&str>| {
        text.and_then(|text| RawValue::from_string(text.to_owned()).ok()).map(Node::of)
    };
    let mut found = Vec::new();
    match (read(was), read(now)) {
        (None, None) => {}
        (Some(was), Some(now)) => compare(&mut found, "", was, now),
        (Some(Node::Object(keys)), None) => {
            for (key, value) in keys.into_iter().filter(|(_, value)| says_something(value)) {
                push(&mut found, below("", &key), Some(value), None);
            }
        }
        (None, Some(Node::Object(keys))) => {
            for (key, value) in keys.into_iter().filter(|(_, value)| says_something(value)) {
                push(&mut found, below("", &key), None, Some(value));
            }
        }
        (was, now) => found.push(Change {
            path: String::new(),
            was: was.map(Node::text),
            now: now.map(Node::text),
        }),
    }
    found
}

type Keys = Vec<(String, Box<RawValue>)>;

/// A text taken apart by one level.
enum Node {
    Object(Keys),
    List(Vec<Box<RawValue>>),
    Leaf(Box<RawValue>),
}

impl Node {
    fn of(value: Box<RawValue>) -> Self {
        let text = value.get();
        match text.as_bytes().first() {
            Some(b'{') => match serde_json::from_str::<Pairs>(text) {
                Ok(Pairs(keys)) => Self::Object(keys),
                Err(_) => Self::Leaf(value),
            },
            Some(b'[') => match serde_json::from_str(text) {
                Ok(items) => Self::List(items),
                Err(_) => Self::Leaf(value),
            },
            _ => Self::Leaf(value),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Leaf(value) => value.get().to_owned(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.get()).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(keys) => {
                let key = |key: &str| serde_json::Value::from(key).to_string();
                let keys: Vec<_> =
                    keys.iter().map(|(k, value)| format!("{}:{}", key(k), value.get())).collect();
                format!("{{{}}}", keys.join(","))
            }
        }
    }
}

/// The keys of an object in their order.
struct Pairs(Keys);

impl<'de> serde::Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Pairs;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Pairs, A::Error> {
                let mut keys = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    keys.push(pair);
                }
                Ok(Pairs(keys))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

fn compare(found: &mut Vec<Change>, path: &str, was: Node, now: Node) {
    match (was, now) {
        (Node::Object(was), Node::Object(mut now)) => {
            for (key, before) in was {
                let place = now.iter().position(|(other, _)| *other == key);
                let after = place.map(|place| now.remove(place).1);
                item(found, below(path, &key), Some(before), after);
            }
            for (key, after) in now {
                item(found, below(path, &key), None, Some(after));
            }
        }
        (Node::List(was), Node::List(now)) => {
            let count = was.len().max(now.len());
            let (mut was, mut now) = (was.into_iter(), now.into_iter());
            for place in 0..count {
                let mut path = path.to_owned();
                push_index(&mut path, &place.to_string());
                item(found, path, was.next(), now.next());
            }
        }
        (was, now) => {
            let (was, now) = (was.text(), now.text());
            if was != now {
                found.push(Change { path: path.to_owned(), was: Some(was), now: Some(now) });
            }
        }
    }
}

fn item(
    found: &mut Vec<Change>,
    path: String,
    was: Option<Box<RawValue>>,
    now: Option<Box<RawValue>>,
) {
    match (was, now) {
        (Some(was), Some(now)) if was.get() == now.get() => {}
        (Some(was), Some(now)) => compare(found, &path, Node::of(was), Node::of(now)),
        (was, now) => push(found, path, was, now),
    }
}

fn push(
    found: &mut Vec<Change>,
    path: String,
    was: Option<Box<RawValue>>,
    now: Option<Box<RawValue>>,
) {
    let text = |value: Option<Box<RawValue>>| value.map(|value| value.get().to_owned());
    found.push(Change { path, was: text(was), now: text(now) });
}

fn below(path: &str, key: &str) -> String {
    let mut path = path.to_owned();
    push_key(&mut path, key);
    path
}

/// False for what a resource shows although nobody wrote it.
fn says_something(value: &RawValue) -> bool {
    !matches!(value.get(), "\"\"" | "0" | "[]" | "{}" | "false" | "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(was: Option<&str>, now: Option<&str>) -> Vec<String> {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        let line = |found: Change| {
            format!("{}: {} -> {}", found.path, or_none(found.was), or_none(found.now))
        };
        changes(was, now).into_iter().map(line).collect()
    }

    #[test]
    fn each_changed_place_is_named_with_both_values() {
        let was = r#"{"name":"A","rules":[{"op":"==","value":1}],"gone":[1],"map":{"x.y":1}}"#;
        let now = r#"{"name":"B","rules":[{"op":"==","value":2},{}],"map":{"x.y":2},"new":null}"#;
        let expected = [
            r#"name: "A" -> "B""#,
            "rules[0].value: 1 -> 2",
            "rules[1]: none -> {}",
            "gone: [1] -> none",
            r#"map["x.y"]: 1 -> 2"#,
            "new: none -> null",
        ];
        assert_eq!(listed(Some(was), Some(now)), expected);
        assert_eq!(listed(Some(was), Some(was)), Vec::<String>::new());
    }

    #[test]
    fn numbers_are_compared_by_every_digit() {
        let number = |text: &str| format!(r#"{{"n":{text}}}"#);
        assert_eq!(
            listed(Some(&number("9007199254740993")), Some(&number("9007199254740992"))),
            ["n: 9007199254740993 -> 9007199254740992"]
        );
    }

    #[test]
    fn of_a_new_or_deleted_one_only_what_says_something_is_listed() {
        let text = r#"{"id":"","revision":0,"name":"A","rules":[],"nodes":[{"id":""}]}"#;
        assert_eq!(
            listed(None, Some(text)),
            [r#"name: none -> "A""#, r#"nodes: none -> [{"id":""}]"#]
        );
        assert_eq!(
            listed(Some(text), None),
            [r#"name: "A" -> none"#, r#"nodes: [{"id":""}] -> none"#]
        );
        assert_eq!(listed(Some("[1]"), Some("{}")), [": [1] -> {}"]);
    }
}
