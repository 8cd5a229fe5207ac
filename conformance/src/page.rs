//! The commands that a page shows, and the answers it prints under them.
//!
//! A shell fence (```` ```sh ````) holds commands. When the next fence is `json`, it is the answer
//! of the last command, and every key it prints must be in the real answer. Values are compared
//! literally, with these exceptions: numbers with a fraction, instants, and ids of decisions and
//! outcomes are compared by shape, and `"…"` matches anything.

use serde_json::Value;

/// A command and the answer printed under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Line of the command, from 1.
    pub line: usize,
    /// The command, with all its lines.
    pub command: String,
    /// The answer, when one is printed.
    pub answer: Option<Value>,
}

/// The `curl` and `grpcurl` commands of `text`.
pub fn commands(text: &str) -> anyhow::Result<Vec<Shown>> {
    let mut shown: Vec<Shown> = Vec::new();
    let (mut fence, mut json) = (None, String::new());
    let (mut is_open, mut may_answer) = (false, false);
    for (line, content) in (1..).zip(text.lines()) {
        if let Some(kind) = content.strip_prefix("```") {
            if fence.take().is_none() {
                let kind = kind.trim().to_owned();
                may_answer = may_answer && kind == "json";
                fence = Some(kind);
                json.clear();
            } else if may_answer && !json.is_empty() {
                let answer = serde_json::from_str(&json)
                    .map_err(|error| anyhow::anyhow!("line {line}: {error}"))?;
                if let Some(last) = shown.last_mut() {
                    last.answer = Some(answer);
                }
                may_answer = false;
            }
            is_open = false;
            continue;
        }
        match fence.as_deref() {
            Some("sh" | "bash" | "shell" | "console") => {
                let content = content.strip_prefix("$ ").unwrap_or(content);
                if is_open {
                    let last = shown.last_mut();
                    last.into_iter().for_each(|last| last.command.extend(["\n", content]));
                } else if content.starts_with("curl ") || content.starts_with("grpcurl ") {
                    shown.push(Shown { line, command: content.to_owned(), answer: None });
                    may_answer = true;
                } else {
                    continue;
                }
                is_open = shown.last().is_some_and(|last| goes_on(&last.command));
            }
            Some("json") => json.extend([content, "\n"]),
            _ => {}
        }
    }
    Ok(shown)
}

/// The first code block of this language.
pub fn snippet(text: &str, language: &str) -> Option<String> {
    let fence = format!("```{language}\n");
    let (_, after) = text.split_once(&fence)?;
    after.split_once("```").map(|(code, _)| code.to_owned())
}

fn goes_on(command: &str) -> bool {
    command.ends_with('\\') || command.matches('\'').count() % 2 == 1
}

/// The printed answer as an expectation.
pub fn expectation(printed: &Value) -> Value {
    match printed {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), expectation_at(key, value)))
            .collect::<Value>(),
        Value::Array(items) => items.iter().map(expectation).collect(),
        Value::Number(number) if number.is_f64() => "<number>".into(),
        Value::String(text) if text == "…" => "<any>".into(),
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => {
            "<instant>".into()
        }
        Value::String(text) => {
            match ["dec_", "out_", "con_"].iter().find(|prefix| text.starts_with(**prefix)) {
                Some(prefix) => format!("<id {prefix}>").into(),
                None => text.clone().into(),
            }
        }
        other => other.clone(),
    }
}

fn expectation_at(key: &str, value: &Value) -> Value {
    match key {
        "requestId" | "etag" | "salt" => "<string>".into(),
        "latencyMs" | "score" => "<number>".into(),
        "snapshot" => "<list>".into(),
        _ => expectation(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_come_with_their_answers() {
        let text = "# A\n```sh\n# start\ncargo run\ncurl -d '{\n  \"a\": 1\n}' $BASE\n```\n\n\
            answers\n\n```json\n{\"a\": 1}\n```\n\
            ```sh\ngrpcurl x list\n```\n```text\ncurl no\n```\n";
        let found = commands(text).unwrap();
        let check = |index: usize, line: usize, command: &str, answer: Option<Value>| {
            assert_eq!(found[index], Shown { line, command: command.to_owned(), answer });
        };
        check(0, 5, "curl -d '{\n  \"a\": 1\n}' $BASE", Some(json!({"a": 1})));
        check(1, 16, "grpcurl x list", None);
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn what_changes_from_run_to_run_is_a_shape() {
        let printed = json!({"decisionId": "dec_1", "rank": 1, "score": 1,
            "at": "2026-07-03T10:00:00Z", "p": 0.5});
        let expected = json!({"decisionId": "<id dec_>", "rank": 1, "score": "<number>",
            "at": "<instant>", "p": "<number>"});
        assert_eq!(expectation(&printed), expected);
    }
}
