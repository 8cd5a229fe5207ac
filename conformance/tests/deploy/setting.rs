//! The variables that chart and compose file set are settings of the programs, with values that the
//! programs accept.

use std::process::Command;

use conformance::process::program;

use super::{
    compose,
    manifest::{pods, resources, sets, texts},
    tool::{output, run},
};

/// A process: where it is set, its command line and its variables.
struct Started {
    /// For messages.
    place: String,
    /// Program and subcommand.
    command: Vec<String>,
    /// Its variables.
    environment: Vec<(String, String)>,
}

fn started() -> Vec<Started> {
    let composed = compose::composed();
    let programs = compose::programs(&composed);
    assert_eq!(programs.len(), 7, "{programs:?}");
    let of_compose = programs.into_iter().map(|(name, service)| Started {
        place: format!("compose.yaml: {name}"),
        command: texts(&service["command"]),
        environment: compose::variables(service),
    });
    let mut all: Vec<_> = of_compose.collect();
    for set in sets() {
        let resources = resources(&set);
        all.extend(pods(&resources).iter().map(|pod| Started {
            place: format!("{set}: {}", pod.name),
            command: texts(&pod.container["command"]),
            environment: pod.environment(),
        }));
    }
    assert!(all.len() >= 20, "{}", all.len());
    all
}

fn called(process: &Started, argument: &str) -> Command {
    let (name, subcommand) = process.command.split_first().unwrap();
    let mut command = Command::new(program(name).unwrap());
    command.args(subcommand).arg(argument).env_clear();
    command
}

#[test]
fn every_variable_of_chart_and_compose_file_is_a_setting_of_its_program() {
    for process in started() {
        let help = output(&mut called(&process, "--help"));
        for (name, _) in &process.environment {
            // A secret may come from a file: the setting is the one without `_FILE`.
            let setting = name.strip_suffix("_FILE").unwrap_or(name);
            let is_known =
                ["=", "]"].iter().any(|end| help.contains(&format!("[env: {setting}{end}")));
            assert!(is_known, "{}: {name} is no setting\n{help}", process.place);
        }
    }
}

#[test]
fn every_value_of_chart_and_compose_file_is_accepted_by_its_program() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "postgres://proffer:secret@database.example.com/proffer")
        .unwrap();
    let check = |process: &Started| {
        let mut command = called(process, "--check-config");
        for (name, value) in &process.environment {
            if name.ends_with("_FILE") {
                command.env(name, secret.path());
            } else {
                command.env(name, value);
            }
        }
        run(&mut command)
    };
    for mut process in started() {
        let done = check(&process);
        assert!(done.is_right, "{}\n{}{}", process.place, done.output, done.errors);
        // The check reads the variables: a wrong one is refused.
        if process.command.last().is_some_and(|last| last == "migrate") {
            continue;
        }
        process.environment.push(("PROFFER_LOG".to_owned(), "nonsense".to_owned()));
        assert!(!check(&process).is_right, "{}", process.place);
    }
}
