//! `proffer check-config`, the flag of the same name, and the settings file.

use std::{fs, process::Command};

use super::process::{LOCAL, Process};

/// Exit code, standard output and standard error of `proffer` with these arguments.
fn checked(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proffer"));
    command.env_remove("PROFFER_CONFIG").envs(environment.iter().copied());
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_check_prints_every_fault_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    for command in [&["check-config"][..], &["serve", "--check-config"]] {
        let wrong = ["--listen", "0.0.0.0:1", "--admin-listen", "9090", "--data", &data];
        let variables = [("PROFFER_LOG", "verbose"), ("PROFFER_MAX_IN_FLIGHT", "0")];
        let (code, output, said) = checked(&[command, &wrong].concat(), &variables);
        assert_eq!((code, output.as_str()), (Some(1), ""), "{said}");
        assert!(said.starts_with("error: 4 settings are wrong\n"), "{said}");
        for fault in [
            "\n  --admin-listen `9090`: write an address and a port",
            "\n  PROFFER_LOG `verbose`: `verbose` is no level",
            "\n  PROFFER_MAX_IN_FLIGHT `0`: write a whole number in 1..=100000",
            "\n  --listen 0.0.0.0:1 may be reached from other machines",
        ] {
            assert!(said.contains(fault), "{said}");
        }
        let right = ["--listen", "127.0.0.1:1", "--data", &data];
        let (code, output, said) = checked(&[command, &right].concat(), &[]);
        assert_eq!((code, said.as_str()), (Some(0), ""));
        assert_eq!(output, "the settings are right; nothing was started\n");
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn one_file_serves_every_subcommand() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proffer.toml");
    let data = folder.path().join("data");
    let text = format!("data = \"{}\"\nno-reflection = true\nlog = \"error\"\n", data.display());
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let (code, output, said) = checked(&["migrate", "--config", &file], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(output.starts_with("catalog: applied 0001 history, 0100 catalog\n"), "{output}");
    let (code, output, _) = checked(&["migrate"], &[("PROFFER_CONFIG", &file)]);
    assert_eq!((code, output.matches(": up to date\n").count()), (Some(0), 4), "{output}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_proffer"));
    command.arg("serve").args(LOCAL).args(["--migrate", "off", "--config", &file]);
    let serve = Process::start(&mut command);
    assert!(serve.line().ends_with(&format!("data in {}", data.display())));
    serve.stop("TERM");
}
