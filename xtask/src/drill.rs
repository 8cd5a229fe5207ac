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

/// The programs that a drill of the whole cluster starts besides.
const CLUSTER: &[&str] =
    &["-p", "catalog-svc", "-p", "decision-svc", "-p", "experiment-svc", "-p", "gateway"];

/// Arguments of `cargo xtask rehearse`.
#[derive(Debug, clap::Args)]
pub struct Rehearsal {
    /// Use the release build.
    #[arg(long)]
    pub release: bool,
    /// Time limit of the run. It ends with the round in which the time is up.
    #[arg(long, default_value_t = 5)]
    pub minutes: u64,
    /// Seed of every choice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl From<&Rehearsal> for Settings {
    fn from(rehearsal: &Rehearsal) -> Self {
        let (minutes, seed) = (rehearsal.minutes.to_string(), rehearsal.seed.to_string());
        let arguments = ["cluster", "--minutes", &minutes, "--seed", &seed];
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        Self { release: rehearsal.release, arguments }
    }
}

/// Builds the services and the drill, and runs the drill.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    tool::find_or_install()?;
    let root = repository::root()?;
    let is_cluster = settings.arguments.first().is_some_and(|subject| subject == "cluster");
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
        .args(if is_cluster { CLUSTER } else { &[] })
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
