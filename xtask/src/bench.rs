//! `cargo xtask bench`: builds the benchmarks and runs them against a private PostgreSQL.

use crate::{command, repository, tool};

/// Arguments of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Arguments of the benchmark, for example `engine --rounds 9` or `load --reserve`. `help`
    /// lists the names. Without arguments everything but `peers` runs, in about ten minutes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// Builds the workspace `bench` and runs it against a private PostgreSQL.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    tool::find_or_install()?;
    let root = repository::root()?;
    let server = testkit::Postgres::start()?;
    let mut cargo = command::cargo();
    cargo.args([
        "run",
        "--quiet",
        "--release",
        "--manifest-path",
        "bench/Cargo.toml",
        "--target-dir",
        "target/bench",
    ]);
    if settings.arguments.iter().any(|argument| argument == "peers") {
        cargo.args(["--features", "peers"]);
    }
    cargo.arg("--");
    match settings.arguments.as_slice() {
        [] => cargo.arg("all"),
        arguments => cargo.args(arguments),
    };
    command::run(cargo.current_dir(&root).env(testkit::SERVER_VARIABLE, &server.url))
}
