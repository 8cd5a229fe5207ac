//! The table of all settings, for the documentation.

use clap::{Arg, Command};

use super::argument::{is_secret, is_switch, variable_of};

/// One row of the table.
#[derive(PartialEq, Eq)]
struct Row {
    flag: String,
    variable: String,
    key: String,
    default: String,
    help: String,
}

/// A Markdown table of the settings of `programs`, each a name and its command. Programs that have
/// a setting in common share its row.
pub fn settings_table(programs: &[(&str, Command)]) -> String {
    let mut rows: Vec<(Row, Vec<&str>)> = Vec::new();
    for (program, command) in programs {
        for row in command.get_arguments().filter_map(row) {
            match rows.iter_mut().find(|(known, _)| *known == row) {
                Some((_, names)) => names.push(program),
                None => rows.push((row, vec![program])),
            }
        }
    }
    // Stable: settings of one flag keep the order of their programs.
    rows.sort_by(|(one, _), (other, _)| one.flag.cmp(&other.flag));
    let mut text = String::from(
        "| flag | variable | key in the file | default | programs | meaning |\n\
         |---|---|---|---|---|---|\n",
    );
    for (row, names) in rows {
        let Row { flag, variable, key, default, help } = row;
        let names = if names.len() == programs.len() { "all".to_owned() } else { names.join(", ") };
        let cells = [&flag, &variable, &key, &default, &names, &help].map(String::as_str);
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    text
}

fn row(argument: &Arg) -> Option<Row> {
    let (variable, long) = (variable_of(argument)?, argument.get_long()?);
    let flag = match argument.get_value_names().filter(|_| !is_switch(argument)) {
        Some([name, ..]) => format!("`--{long} <{name}>`"),
        _ => format!("`--{long}`"),
    };
    let is_file_itself = argument.get_id() == "config";
    let (variable, key) = match (is_secret(argument), is_file_itself) {
        (true, _) => (
            format!("`{variable}`, `{variable}_FILE`"),
            format!("`{long}`, `{}`", super::file::key_of_secret(long)),
        ),
        (false, true) => (format!("`{variable}`"), String::new()),
        (false, false) => (format!("`{variable}`"), format!("`{long}`")),
    };
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = match defaults.as_slice() {
        [] if is_switch(argument) => "`false`".to_owned(),
        [] => String::new(),
        defaults => format!("`{}`", defaults.join(",")),
    };
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string);
    let help = help.unwrap_or_default().replace('|', "\\|");
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Row { flag: flag.replace('|', "\\|"), variable, key, default, help })
}
