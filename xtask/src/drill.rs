//! `cargo xtask drill`: builds the services that a drill starts, and runs the drill.

use std::process::Command;

use crate::{command, repository, tool};

/// Arguments of `cargo xtask drill`.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// Use the release build.
    #[arg(long)]
    pub release: bool,
    /// Arguments of the drill, for example `policy --minutes 30 --seed 7`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    pub arguments: Vec<String>,
}

/// Builds the services and the drill, and runs the drill.
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
