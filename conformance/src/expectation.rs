//! What an answer must look like: a part of it, literally or by shape.
//!
//! Objects are compared by the keys that are expected, lists by length and element. A text in angle
//! brackets is a shape: `<any>`, `<absent>`, `<string>`, `<number>`, `<about 0.4353>`, `<boolean>`,
//! `<list>`, `<object>`, `<instant>`, `<instant 2026-…>`, `<id dec_>`, `<match REGEX>`, `<contains
//! TEXT>`. An object with the one key `<some>` is a list that holds at least each of the given
//! elements.

use chrono::DateTime;
use serde_json::Value;

/// Where and how `actual` is not as expected; empty when it is.
pub fn differences(expected: &Value, actual: Option<&Value>) -> Vec<String> {
    let mut found = Vec::new();
    compare("$", expected, actual, &mut found);
    found
}

fn compare(path: &str, expected: &Value, actual: Option<&Value>, found: &mut Vec<String>) {
    if let Some(shape) = expected
        .as_str()
        .and_then(|text| text.strip_prefix('<'))
        .and_then(|text| text.strip_suffix('>'))
    {
        if !fits(shape, actual) {
            found.push(format!("{path}: expected <{shape}>, got {}", shown(actual)));
        }
        return;
    }
    let Some(actual) = actual else {
        found.push(format!("{path}: expected {expected}, got nothing"));
        return;
    };
    match (expected, actual) {
        (Value::Object(fields), Value::Array(items)) if fields.contains_key("<some>") => {
            for wanted in fields["<some>"].as_array().into_iter().flatten() {
                if !items.iter().any(|item| differences(wanted, Some(item)).is_empty()) {
                    found.push(format!("{path}: no element like {wanted} among {actual}"));
                }
            }
        }
        (Value::Object(fields), Value::Object(present)) => {
            for (key, value) in fields {
                compare(&format!("{path}.{key}"), value, present.get(key), found);
            }
        }
        (Value::Array(wanted), Value::Array(items)) if wanted.len() == items.len() => {
            for (index, (wanted, item)) in wanted.iter().zip(items).enumerate() {
                compare(&format!("{path}[{index}]"), wanted, Some(item), found);
            }
        }
        (Value::Number(wanted), Value::Number(number)) if wanted.as_f64() == number.as_f64() => {}
        _ if expected == actual => {}
        _ => found.push(format!("{path}: expected {expected}, got {actual}")),
    }
}

fn fits(shape: &str, actual: Option<&Value>) -> bool {
    let (name, argument) = shape.split_once(' ').unwrap_or((shape, ""));
    let Some(actual) = actual else { return name == "absent" };
    let text = actual.as_str();
    match name {
        "any" => !actual.is_null(),
        "string" => text.is_some_and(|text| !text.is_empty()),
        "number" => actual.is_number(),
        "about" => actual.as_f64().is_some_and(|number| is_about(number, argument)),
        "boolean" => actual.is_boolean(),
        "list" => actual.is_array(),
        "object" => actual.is_object(),
        "instant" => {
            text.and_then(|text| DateTime::parse_from_rfc3339(text).ok()).is_some_and(|at| {
                argument.is_empty()
                    || DateTime::parse_from_rfc3339(argument).is_ok_and(|expected| expected == at)
            })
        }
        "id" => text.is_some_and(|text| text.len() > argument.len() && text.starts_with(argument)),
        "match" => text.is_some_and(|text| {
            regex::Regex::new(argument).is_ok_and(|pattern| pattern.is_match(text))
        }),
        "contains" => text.is_some_and(|text| text.contains(argument)),
        _ => false,
    }
}

/// True when `number`, rounded to as many decimals as `worked_out` has, is that.
fn is_about(number: f64, worked_out: &str) -> bool {
    let decimals = worked_out.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("{number:.decimals$}") == worked_out
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_told_with_their_path() {
        let check = |expected: Value, actual: Value, found: &[&str]| {
            assert_eq!(differences(&expected, Some(&actual)), found, "{expected} against {actual}");
        };
        check(json!({"a": 1}), json!({"a": 1.0, "b": 2}), &[]);
        check(json!({"a": null}), json!({"a": null}), &[]);
        check(json!({"a": null}), json!({}), &["$.a: expected null, got nothing"]);
        check(json!({"a": "<absent>"}), json!({}), &[]);
        check(json!({"a": "<absent>"}), json!({"a": 1}), &["$.a: expected <absent>, got 1"]);
        check(json!([{"a": "<id dec_>"}]), json!([{"a": "dec_1"}]), &[]);
        check(json!([1, 2]), json!([1]), &["$: expected [1,2], got [1]"]);
        check(json!({"<some>": [{"k": 2}]}), json!([{"k": 1}, {"k": 2}]), &[]);
        check(json!("<instant 2026-07-04T08:00:00+04:00>"), json!("2026-07-04T04:00:00Z"), &[]);
        check(json!("<about 0.4353>"), json!(0.43528), &[]);
        check(json!("<about 0.4353>"), json!(0.4354), &["$: expected <about 0.4353>, got 0.4354"]);
        check(json!("<match ^a+$>"), json!("b"), &["$: expected <match ^a+$>, got \"b\""]);
    }
}
