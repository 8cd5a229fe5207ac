//! `cargo xtask bench`: comparisons within one run.

use crate::{command, repository, tool};

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Passed on, for example `engine --rounds 9` or `load --reserve`; `help` lists the names. When
    /// left out, everything but `peers`, which takes minutes to build: the report takes about ten
    /// minutes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// Builds the workspace of the benches and runs it against a private PostgreSQL.
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
