//! Where the value of one setting comes from.

use std::{collections::BTreeMap, ffi::OsString, fs, path::PathBuf};

use clap::{
    Arg, ArgMatches, Command,
    builder::{BoolishValueParser, TypedValueParser as _},
    parser::ValueSource,
};

use super::{
    argument::{is_secret, is_switch, variable_of},
    file::{self, Entry},
};

/// A setting and the source that decides it.
#[derive(Debug)]
pub struct Choice<'a> {
    /// The setting.
    pub argument: &'a Arg,
    origin: Origin,
    values: Vec<OsString>,
}

#[derive(Debug)]
enum Origin {
    Flag,
    Variable(String),
    /// A file that a variable or a key names.
    SecretIn(String),
    Key(String),
}

/// The environment and the settings file.
pub struct Sources<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    file: BTreeMap<String, Entry>,
}

impl<'a> Sources<'a> {
    /// Reads the settings file, if one is named.
    pub fn open(
        command: &Command,
        levels: &[(&Command, &ArgMatches)],
        variable: &'a dyn Fn(&str) -> Option<OsString>,
        faults: &mut Vec<String>,
    ) -> Self {
        let mut sources = Self { variable, file: BTreeMap::new() };
        for (command_called, matches) in levels {
            let config =
                command_called.get_arguments().find(|argument| argument.get_id() == "config");
            let path = config.and_then(|config| sources.choice(config, matches, faults));
            if let Some(path) = path.and_then(|path| path.values.first().cloned()) {
                sources.file = file::read(&PathBuf::from(path), command, faults);
            }
        }
        sources
    }

    /// What decides this setting; `None` leaves it at its default.
    pub fn choice<'c>(
        &self,
        argument: &'c Arg,
        matches: &ArgMatches,
        faults: &mut Vec<String>,
    ) -> Option<Choice<'c>> {
        let id = argument.get_id().as_str();
        let by_variable = self.by_variable(argument, faults);
        if matches.value_source(id) == Some(ValueSource::CommandLine) {
            let values = match matches.get_raw(id) {
                Some(values) if !is_switch(argument) => values.map(OsString::from).collect(),
                _ => vec![OsString::from("true")],
            };
            return Some(Choice { argument, origin: Origin::Flag, values });
        }
        let (origin, values) = by_variable.or_else(|| self.by_key(argument, faults))?;
        Some(Choice { argument, origin, values })
    }

    fn by_variable(
        &self,
        argument: &Arg,
        faults: &mut Vec<String>,
    ) -> Option<(Origin, Vec<OsString>)> {
        let name = variable_of(argument)?;
        let value = (self.variable)(&name);
        let file_name = format!("{name}_FILE");
        let file = is_secret(argument).then(|| (self.variable)(&file_name)).flatten();
        match (value, file) {
            (Some(value), None) => Some((Origin::Variable(name), vec![value])),
            (None, Some(path)) => secret_in(file_name, &PathBuf::from(path), faults),
            (Some(_), Some(_)) => {
                faults.push(format!(
                    "{name} and {file_name} are both set: keep the one that holds the secret, and \
                     unset the other"
                ));
                None
            }
            (None, None) => None,
        }
    }

    fn by_key(&self, argument: &Arg, faults: &mut Vec<String>) -> Option<(Origin, Vec<OsString>)> {
        let key = argument.get_long()?;
        let words = |entry: &Entry| entry.values.iter().map(OsString::from).collect();
        if let Some(entry) = self.file.get(key) {
            return Some((Origin::Key(entry.place.clone()), words(entry)));
        }
        let entry = self.file.get(&file::key_of_secret(key))?;
        let path = entry.values.first()?;
        secret_in(entry.place.clone(), &PathBuf::from(path), faults)
    }
}

fn secret_in(
    named_by: String,
    path: &PathBuf,
    faults: &mut Vec<String>,
) -> Option<(Origin, Vec<OsString>)> {
    match fs::read_to_string(path) {
        Ok(text) => {
            // Editors and `kubectl` end a file with a line end that is no part of the secret.
            let text = text.strip_suffix('\n').unwrap_or(&text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            Some((Origin::SecretIn(named_by), vec![text.into()]))
        }
        Err(error) => {
            faults.push(format!("{named_by}: cannot read {}: {error}", path.display()));
            None
        }
    }
}

impl Choice<'_> {
    /// The words of a command line that set it; a fault when the value is no word of a switch.
    pub fn words(&self) -> Result<Vec<OsString>, String> {
        let Some(long) = self.argument.get_long() else { return Ok(self.values.clone()) };
        if is_switch(self.argument) {
            let value = self.values.first().cloned().unwrap_or_default();
            let is_on = BoolishValueParser::new().parse_ref(&Command::new(""), None, &value);
            let is_on = is_on.map_err(|_| self.fault(super::reason::TRUE_OR_FALSE))?;
            return Ok(if is_on { vec![format!("--{long}").into()] } else { Vec::new() });
        }
        let word = |value: &OsString| {
            let mut word = OsString::from(format!("--{long}="));
            word.push(value);
            word
        };
        Ok(self.values.iter().map(word).collect())
    }

    /// This choice is wrong for a `reason` that says what would be right.
    pub fn fault(&self, reason: &str) -> String {
        let place = match &self.origin {
            Origin::Flag => format!("--{}", self.argument.get_long().unwrap_or_default()),
            Origin::Variable(name) | Origin::SecretIn(name) => name.clone(),
            Origin::Key(place) => place.clone(),
        };
        if is_secret(self.argument) {
            return format!("{place}: {reason}");
        }
        let values: Vec<_> = self.values.iter().map(|value| value.to_string_lossy()).collect();
        format!("{place} `{}`: {reason}", values.join(","))
    }
}
