//! helm, kubectl, promtool and the Python programs, which `cargo xtask deploy` installs.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Names the folder with their `bin` folder.
const VARIABLE: &str = "PROFFER_TEST_DEPLOY_TOOLS";

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file below `deploy/`.
pub fn file(path: &str) -> PathBuf {
    root().join("deploy").join(path)
}

/// Its text.
pub fn text(path: &str) -> String {
    let path = file(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder of the programs: the one that is named, or the one below `target`.
pub fn folder() -> PathBuf {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("target/tools/deploy"));
    assert!(
        folder.join("bin/helm").exists(),
        "helm is not in {}: run these tests with `cargo xtask deploy` or `cargo xtask test`",
        folder.display()
    );
    folder.join("bin")
}

/// A command of one of the programs, run at the root of the repository.
pub fn command(program: &str) -> Command {
    with_tools(Command::new(folder().join(program)))
}

/// `command` at the root of the repository, with the programs in its path and without a cluster.
pub fn with_tools(mut command: Command) -> Command {
    let folder = folder();
    let path = std::env::var("PATH").unwrap_or_default();
    command.current_dir(root()).env("PATH", format!("{}:{path}", folder.display()));
    // Helm keeps a cache, and kubectl reads a cluster from the user's folder.
    command.env("HOME", std::env::temp_dir()).env("KUBECONFIG", "/dev/null");
    command
}

/// What a command printed, and whether it succeeded.
#[derive(Debug)]
pub struct Done {
    /// Its exit code was 0.
    pub is_right: bool,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

/// Runs `command` to its end.
pub fn run(command: &mut Command) -> Done {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Done {
        is_right: done.status.success(),
        output: String::from_utf8_lossy(&done.stdout).into_owned(),
        errors: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// The output of a command that must succeed.
#[track_caller]
pub fn output(command: &mut Command) -> String {
    let done = run(command);
    assert!(done.is_right, "{command:?}\n{}{}", done.output, done.errors);
    done.output
}
