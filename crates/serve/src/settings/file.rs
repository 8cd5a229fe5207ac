//! The settings file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use clap::{Arg, Command};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::argument::{Kind, is_secret, kind_of};

/// A known key is suggested when at most one letter in so many differs.
const LETTERS_PER_EDIT: usize = 3;

/// A key of the file.
#[derive(Debug)]
pub struct Entry {
    /// Where it is, for messages: the file, the line and the key.
    pub place: String,
    /// Its value, or the members of its list, as a flag would have them.
    pub values: Vec<String>,
}

/// The key that names the file of a secret.
pub fn key_of_secret(key: &str) -> String {
    format!("{key}-file")
}

/// A key that the file may have.
struct Known {
    kind: Kind,
    /// Set for a key that names the file of a secret: the key of the secret itself.
    secret: Option<String>,
}

/// Reads the file. Its keys are the flags of `command` and of all its subcommands, so that one file
/// serves them all. What is wrong with it goes to `faults`.
pub fn read(path: &Path, command: &Command, faults: &mut Vec<String>) -> BTreeMap<String, Entry> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.push(format!("--config: cannot read {}: {error}", path.display()));
            return BTreeMap::new();
        }
    };
    entries(&text, &path.display().to_string(), command, faults)
}

fn entries(
    text: &str,
    name: &str,
    command: &Command,
    faults: &mut Vec<String>,
) -> BTreeMap<String, Entry> {
    let line_at = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => {
            // The error itself would show the line, which may hold a secret.
            let line = error.span().map_or(1, |span| line_at(span.start));
            faults.push(format!("{name} line {line}: {}", one_line(error.message())));
            return BTreeMap::new();
        }
    };
    let known = known_keys(command);
    let mut found = BTreeMap::new();
    for (key, value) in &table {
        let line = line_at(key.span().start);
        let key = key.get_ref().as_ref();
        let place = format!("{name} line {line}: `{key}`");
        let Some(setting) = known.get(key) else {
            faults.push(format!("{place} is no setting{}", hint(key, &known)));
            continue;
        };
        match values(value, setting.kind) {
            Some(values) => drop(found.insert(key.to_owned(), Entry { place, values })),
            None => faults.push(format!("{place} {}", expected(setting.kind))),
        }
    }
    for (key, setting) in &known {
        let twice = setting.secret.as_ref().filter(|secret| found.contains_key(*secret));
        if let (Some(secret), Some(entry)) = (twice, found.get(key)) {
            faults.push(format!("{} and `{secret}` are both set: keep one of them", entry.place));
        }
    }
    found
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn known_keys(command: &Command) -> BTreeMap<String, Known> {
    let mut known = BTreeMap::new();
    for argument in settings_of(command) {
        let Some(key) = argument.get_long() else { continue };
        known.insert(key.to_owned(), Known { kind: kind_of(argument), secret: None });
        if is_secret(argument) {
            let secret = Some(key.to_owned());
            known.insert(key_of_secret(key), Known { kind: Kind::Text, secret });
        }
    }
    known
}

/// The settings that a file may hold: those with a variable, except the file itself.
pub fn settings_of(command: &Command) -> Vec<&Arg> {
    let is_setting =
        |argument: &&Arg| argument.get_env().is_some() && argument.get_id() != "config";
    let own = command.get_arguments().filter(is_setting);
    own.chain(command.get_subcommands().flat_map(settings_of)).collect()
}

fn hint(key: &str, known: &BTreeMap<String, Known>) -> String {
    let written = key.replace('_', "-");
    let distance = |known: &String| strsim::osa_distance(&written, known);
    let near: BTreeSet<_> = known.keys().map(|key| (distance(key), key)).collect();
    match near.first() {
        Some((edits, near)) if edits * LETTERS_PER_EDIT <= near.len().max(key.len()) => {
            format!("; did you mean `{near}`?")
        }
        _ => "; `--help` lists the flags, whose names are the keys".to_owned(),
    }
}

/// The value as flags have it; `None` when it is of another kind.
fn values(value: &Spanned<DeValue<'_>>, kind: Kind) -> Option<Vec<String>> {
    match (kind, value.get_ref()) {
        (Kind::Boolean, DeValue::Boolean(is_on)) => Some(vec![is_on.to_string()]),
        (Kind::Decimal, DeValue::Float(number)) => Some(vec![number.as_str().to_owned()]),
        (Kind::Number | Kind::Decimal, DeValue::Integer(number)) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(vec![number.to_string()])
        }
        (Kind::Text | Kind::Texts, DeValue::String(text)) => Some(vec![text.to_string()]),
        (Kind::Texts, DeValue::Array(texts)) => {
            let text = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
                DeValue::String(text) => Some(text.to_string()),
                _ => None,
            };
            texts.iter().map(text).collect()
        }
        _ => None,
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "must be true or false, without quotes",
        Kind::Number => "must be a whole number, without quotes",
        Kind::Decimal => "must be a number, without quotes",
        Kind::Text => "must be text in quotes",
        Kind::Texts => "must be a list of texts, such as [\"one\", \"two\"]",
    }
}
