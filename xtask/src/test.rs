//! `cargo xtask test` and `cargo xtask bless`.

use std::process::Command;

use crate::{command, repository, tool};

/// Names the folder of the programs that check `deploy/`.
const DEPLOY_TOOLS_VARIABLE: &str = "PROFFER_TEST_DEPLOY_TOOLS";

/// How many tests nextest runs at once.
const THREADS_VARIABLE: &str = "NEXTEST_TEST_THREADS";

/// Arguments of `cargo xtask test`.
#[derive(Debug, Default, clap::Args)]
pub struct Settings {
    /// Arguments of the test runner, for example `-p policy-svc`. Without arguments all tests run.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
    /// True builds through clippy, and a warning fails.
    #[arg(skip)]
    pub is_linted: bool,
}

/// Runs the tests with the servers and tools they need.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    println!("the first build takes about ten minutes on two processors, later ones less");
    let tools = tool::find_or_install()?;
    let root = repository::root()?;
    let linter = settings.is_linted.then(command::Linter::find).transpose()?;
    let cargo = || {
        let mut cargo = command::cargo();
        cargo.current_dir(&root);
        if let Some(linter) = &linter {
            linter.lint(&mut cargo);
        }
        cargo
    };
    let mut deploy_tools = None;
    if needs_binaries(&settings.arguments) {
        deploy_tools = Some(tool::deploy::find_or_install()?);
        command::run(cargo().args(["build", "--quiet", "--workspace", "--bins"]))?;
    }
    // Uses a running server if there is one; a private one ends with this process.
    let mut private = None;
    let url = match std::env::var(testkit::SERVER_VARIABLE) {
        Ok(url) => url,
        Err(_) => private.insert(testkit::Postgres::start()?).url.clone(),
    };
    let with_tools = |command: &mut Command| {
        command
            .env(testkit::SERVER_VARIABLE, &url)
            .env("PROFFER_TEST_GRPCURL", &tools.grpcurl)
            .env("PROFFER_TEST_PYTHON", &tools.python)
            .envs(deploy_tools.iter().map(|folder| (DEPLOY_TOOLS_VARIABLE, folder)));
        command::run(command)
    };
    if settings.arguments.is_empty() {
        with_tools(cargo().args(["test", "--quiet", "--workspace", "--doc"]))?;
    }
    let has_nextest = tool::has_nextest();
    let runner: &[&str] = if has_nextest { &["nextest", "run"] } else { &["test"] };
    if !has_nextest {
        println!("cargo-nextest is not installed: running `cargo test`, which is slower to read");
    }
    let mut cargo = cargo();
    if std::env::var_os(THREADS_VARIABLE).is_none() {
        // Many tests wait for processes: with one test per processor a third of their time is idle.
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        cargo.env(THREADS_VARIABLE, (processors + processors.div_ceil(2)).to_string());
    }
    let scope: &[&str] = if names_packages(&settings.arguments) { &[] } else { &["--workspace"] };
    let tested = with_tools(cargo.args(runner).args(scope).args(&settings.arguments));
    drop(private);
    tested
}

/// Checks what `deploy/` has: renders, lints and runs it with the real tools.
pub fn deploy() -> anyhow::Result<()> {
    let arguments = ["-p", "conformance", "--test", "deploy"];
    run(&Settings { arguments: arguments.map(str::to_owned).to_vec(), is_linted: false })
}

/// Rewrites the golden files by running the tests that own them. These tests need no server.
pub fn bless() -> anyhow::Result<()> {
    let deploy_tools = tool::deploy::find_or_install()?;
    let mut cargo = command::cargo();
    cargo.current_dir(repository::root()?).env(testkit::UPDATE_VARIABLE, "1");
    cargo.env(DEPLOY_TOOLS_VARIABLE, deploy_tools);
    command::run(cargo.args(["test", "--quiet", "--workspace", "golden"]))?;
    println!("golden files are rewritten; review them with `git diff`");
    Ok(())
}

/// True when the conformance tests may run: they start the built binaries.
fn needs_binaries(arguments: &[String]) -> bool {
    !names_packages(arguments) || arguments.iter().any(|argument| argument.contains("conformance"))
}

fn names_packages(arguments: &[String]) -> bool {
    let is_package =
        |argument: &String| argument.starts_with("-p") || argument.starts_with("--package");
    arguments.iter().any(is_package)
}
