//! Words why a setting refuses a value, and which values are right.

use std::{error::Error as _, ffi::OsString};

use clap::{
    Arg, Command,
    error::{ContextKind, ContextValue},
};

use super::argument::{Kind, is_secret, kind_of};

/// What a switch takes.
pub const TRUE_OR_FALSE: &str = "write true or false";

/// Why the parser of this setting refuses `words`; `None` when it takes them.
pub fn refusal(argument: &Arg, words: &[OsString]) -> Option<String> {
    let alone = argument.clone().env(None::<&'static str>).global(false).exclusive(false);
    let command = Command::new("setting").no_binary_name(true).disable_help_flag(true).arg(alone);
    let error = command.try_get_matches_from(words).err()?;
    Some(match kind_of(argument) {
        Kind::Boolean => TRUE_OR_FALSE.to_owned(),
        kind => worded(kind, is_secret(argument), &error),
    })
}

fn worded(kind: Kind, is_secret: bool, error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        let text = source.to_string();
        return match text.split_once(" is not in ") {
            Some((_, range)) => format!("write a whole number in {range}"),
            None if kind == Kind::Number => "write a whole number".to_owned(),
            None => text,
        };
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(words)) if !words.is_empty() => {
            format!("write one of {}", words.join(", "))
        }
        // The rendered error may repeat the value.
        _ if is_secret => "the value cannot be read".to_owned(),
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    }
}
