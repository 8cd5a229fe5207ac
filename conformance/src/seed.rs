//! The calls of the seed documents, as `seeds/*.sh` has them.

use anyhow::Context as _;
use serde_json::Value;

use crate::Call;

/// One call of a seed file, counted from 1.
pub fn call(file: &str, number: usize) -> anyhow::Result<Call> {
    let path = format!("{}/seeds/{file}.sh", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let scripts = split(&text);
    let script = number.checked_sub(1).and_then(|index| scripts.get(index));
    let script = script
        .with_context(|| format!("{file}.sh has {} calls, no number {number}", scripts.len()))?;
    parse(script).with_context(|| format!("{file}.sh, call {number}"))
}

/// The text of each call.
fn split(text: &str) -> Vec<String> {
    let mut scripts: Vec<String> = Vec::new();
    for line in text.lines() {
        let is_comment = line.starts_with('#');
        match scripts.last_mut() {
            _ if line.starts_with("curl ") => scripts.push(format!("{line}\n")),
            Some(last) if !is_comment => last.extend([line, "\n"]),
            _ => {}
        }
    }
    scripts
}

/// What a call asks, for the doors that are not curl.
fn parse(script: &str) -> anyhow::Result<Call> {
    let mut words = script.split_whitespace().skip_while(|word| *word != "-X").skip(1);
    let method = words.next().context("no method")?.to_owned();
    let path = words
        .next()
        .and_then(|url| url.strip_prefix("$BASE"))
        .context("no address below $BASE")?
        .to_owned();
    let body = match script.split_once("-d '") {
        None => None,
        Some((_, rest)) => {
            let (body, _) = rest.split_once('\'').context("a body without its closing quote")?;
            Some(serde_json::from_str::<Value>(body)?)
        }
    };
    Ok(Call { method, path, body, script: Some(script.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_of_the_seeds_is_found() {
        let check = |file: &str, calls: usize, last: &str| {
            assert_eq!(call(file, calls).unwrap().path, last);
            assert!(call(file, calls + 1).is_err());
        };
        check("winback-tutorial", 11, "/api/v1/experiments");
        check("outcome-types", 3, "/api/v1/outcome-types/quote_requested");
        assert_eq!(call("winback-tutorial", 3).unwrap().body.unwrap()["priority"], 70);
    }
}
