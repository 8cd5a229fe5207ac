//! `cargo xtask drill`: builds what a drill starts and runs it.

use std::process::Command;

use crate::{command, repository, tool};

/// What to drill.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Uses the release build: quicker, and what a figure is quoted from.
    #[arg(long)]
    pub release: bool,
    /// Passed on to the drill, for example `policy --minutes 30 --seed 7`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub arguments: Vec<String>,
}

/// Builds what drills start, and the drill, and runs it.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    tool::find_or_install()?;
    let root = repository::root()?;
    let profile: &[&str] = if settings.release { &["--release"] } else { &[] };
    let mut cargo = command::cargo();
    cargo
        .args([
            "build",
            "--quiet",
            "-p",
            "policy-svc",
            "-p",
            "proffer",
            "-p",
            "conformance",
            "--bins",
        ])
        .args(profile);
    command::run(cargo.current_dir(&root))?;
    let folder = if settings.release { "release" } else { "debug" };
    let program = root.join("target").join(folder).join("drill");
    let server = testkit::Postgres::start()?;
    let mut drill = Command::new(program);
    command::run(
        drill
            .args(&settings.arguments)
            .current_dir(&root)
            .env(testkit::SERVER_VARIABLE, &server.url),
    )
}
