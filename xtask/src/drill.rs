//! `cargo xtask drill`: builds the services that a drill starts, and runs the drill.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{command, repository, tool};

/// The version before this one: the last commit with only the steps of the first version.
const PREVIOUS: &str = "bfb24292af0221530e3ca5664ad909fac794e5fe";

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
    let subject = settings.arguments.first().map(String::as_str);
    let is_cluster = matches!(subject, Some("cluster" | "kill"));
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
    if settings.arguments.first().is_some_and(|subject| subject == "upgrade") {
        drill.args(["upgrade", "--previous"]).arg(previous(&root, profile)?);
    }
    command::run(
        drill
            .args(rest(&settings.arguments))
            .current_dir(&root)
            .env(testkit::SERVER_VARIABLE, &server.url),
    )
}

/// What follows `upgrade`, or all arguments: that word is passed with the previous version.
fn rest(arguments: &[String]) -> &[String] {
    match arguments {
        [subject, rest @ ..] if subject == "upgrade" => rest,
        all => all,
    }
}

/// Builds the `proffer` of the previous version. Its source and its build lie in `target/previous`.
fn previous(root: &Path, profile: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/previous");
    let source = folder.join(PREVIOUS);
    if !source.join("Cargo.toml").exists() {
        fs::create_dir_all(&source)?;
        let archive = folder.join("source.tar");
        let mut export = Command::new("git");
        export.args(["archive", "--output"]).arg(&archive).arg(PREVIOUS).current_dir(root);
        command::run(&mut export).with_context(|| {
            format!("this needs commit {PREVIOUS}: fetch the whole history of the repository")
        })?;
        command::run(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&source))?;
    }
    println!("building the previous version; the first build takes about ten minutes");
    let mut cargo = command::cargo();
    cargo
        .args(["build", "--quiet", "-p", "proffer", "--bins", "--target-dir"])
        .arg(folder.join("build"))
        .args(profile);
    command::run(cargo.current_dir(&source))?;
    let build = if profile.is_empty() { "debug" } else { "release" };
    Ok(folder.join("build").join(build).join("proffer"))
}
