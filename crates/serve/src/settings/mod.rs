//! The settings of a program: flags, environment variables, a TOML file and defaults.
//!
//! Everything follows from the program's one `clap` struct. A setting is an argument with an
//! environment variable. Its key in the file is its flag without the dashes before it. A setting
//! whose value `--help` hides is a secret: the variable with `_FILE` after its name may name a file
//! that holds it, and no message repeats it.
//!
//! A flag wins over a variable, a variable over the file, the file over the default.

mod argument;
mod choice;
mod file;
mod parser;
mod place;
mod reason;
mod retain;
mod secret;
mod table;

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgMatches, Command};

pub use parser::{address, log_filter, neighbour_url};
pub use place::{PlaceSettings, StoreSettings};
pub use retain::{RetentionLimit, RetentionSettings, limit as retention_limit};
pub use secret::Secret;
pub use table::settings_table;

use choice::{Choice, Sources};

/// Where settings come from besides flags and variables.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SourceSettings {
    /// TOML file with settings. Each key is a flag without the dashes before it.
    #[arg(long, env = "PROFFER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Check all settings, print every fault, and exit without starting anything.
    #[arg(long)]
    pub check_config: bool,
}

/// The settings of a program.
pub trait Checked: clap::Parser {
    /// What is wrong with values that are right one by one. Each text names the setting and what
    /// would be right.
    fn faults(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why there are no settings.
#[derive(Debug)]
pub enum Refusal {
    /// The command line cannot be read, or asks for help.
    Usage(clap::Error),
    /// Every fault of the settings, in the order of the flags.
    Faults(Vec<String>),
}

/// The settings of this process; `None` when they were only to be checked, and are right. Help and
/// an unreadable command line end the process as they do with `clap`.
pub fn settings<T: Checked>(
    arguments: impl IntoIterator<Item = OsString>,
) -> anyhow::Result<Option<T>> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    match read(&arguments, &|name| std::env::var_os(name)) {
        Ok(Some(settings)) => Ok(Some(settings)),
        Ok(None) => {
            println!("{RIGHT}");
            Ok(None)
        }
        Err(Refusal::Usage(error)) => error.exit(),
        Err(Refusal::Faults(faults)) => Err(anyhow::anyhow!(listed(&faults))),
    }
}

/// What a check says about settings without a fault.
pub const RIGHT: &str = "the settings are right; nothing was started";

fn listed(faults: &[String]) -> String {
    match faults {
        [one] => one.clone(),
        many => format!("{} settings are wrong\n  {}", many.len(), many.join("\n  ")),
    }
}

/// Reads settings from `arguments`, the first of which is the program's name, from the environment
/// `variable`, and from the file that one of them names.
pub fn read<T: Checked>(
    arguments: &[OsString],
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<T>, Refusal> {
    let original = || without_values(T::command()).try_get_matches_from(arguments);
    let matches = lenient(T::command())
        .try_get_matches_from(arguments)
        // Help names variables and defaults, and shows no value of the environment.
        .map_err(|error| Refusal::Usage(original().err().unwrap_or(error)))?;
    let command = T::command();
    let levels = levels(&command, &matches);
    let mut faults = Vec::new();
    let sources = Sources::open(&command, &levels, variable, &mut faults);
    let mut chosen: Vec<OsString> = arguments.first().cloned().into_iter().collect();
    for (number, (command, matches)) in levels.iter().enumerate() {
        if number > 0 {
            chosen.push(command.get_name().into());
        }
        for argument in command.get_arguments() {
            let choice = sources.choice(argument, matches, &mut faults);
            chosen.extend(
                choice.and_then(|choice| checked(&choice, &mut faults)).unwrap_or_default(),
            );
        }
    }
    let matches = without_variables(T::command()).try_get_matches_from(chosen);
    let settings = matches.and_then(|mut matches| T::from_arg_matches_mut(&mut matches));
    let settings = settings.map_err(Refusal::Usage)?;
    faults.extend(settings.faults());
    let is_check = levels.iter().any(|(_, matches)| {
        matches.try_get_one::<bool>("check_config").ok().flatten().is_some_and(|is_set| *is_set)
    });
    match (faults.is_empty(), is_check) {
        (false, _) => Err(Refusal::Faults(faults)),
        (true, true) => Ok(None),
        (true, false) => Ok(Some(settings)),
    }
}

/// The words of the command line that set this choice. `None` and a fault when the value is wrong:
/// the default then takes its place, so that the other faults are found too.
fn checked(choice: &Choice<'_>, faults: &mut Vec<String>) -> Option<Vec<OsString>> {
    let words = choice.words().and_then(|words| match reason::refusal(choice.argument, &words) {
        None => Ok(words),
        Some(reason) => Err(choice.fault(&reason)),
    });
    words.map_err(|fault| faults.push(fault)).ok()
}

/// The commands from the program to the subcommand that was called, with what was given to each.
fn levels<'a>(command: &'a Command, matches: &'a ArgMatches) -> Vec<(&'a Command, &'a ArgMatches)> {
    let mut levels = vec![(command, matches)];
    let (mut command, mut matches) = (command, matches);
    while let Some((name, below)) = matches.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        (command, matches) = (found, below);
        levels.push((command, matches));
    }
    levels
}

/// Takes any value, so that a wrong one does not hide the others.
fn lenient(command: Command) -> Command {
    without_variables(command).mut_args(take_any).mut_subcommands(lenient)
}

fn take_any(argument: clap::Arg) -> clap::Arg {
    if argument::is_switch(&argument) {
        argument
    } else {
        argument.value_parser(clap::builder::ValueParser::os_string())
    }
}

/// Help may end up in a ticket, so it shows no value of the environment, secret or not.
fn without_values(command: Command) -> Command {
    command.mut_args(|argument| argument.hide_env_values(true)).mut_subcommands(without_values)
}

fn without_variables(command: Command) -> Command {
    command
        .mut_args(|argument| argument.env(None::<&'static str>))
        .mut_subcommands(without_variables)
}

#[cfg(test)]
mod tests;
