//! The repository's own commands: `cargo xtask test`, `deploy`, `ci`, `tidy`, `bless`, `db`,
//! `drill`, `rehearse`, `bench`.

mod bench;
mod ci;
mod command;
mod db;
mod drill;
mod repository;
mod test;
mod tidy;
mod tool;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Checks, tests and measures this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs every test, on both databases, over gRPC and REST. Installs the tools it needs and
    /// passes further arguments to the test runner.
    Test(test::Settings),
    /// Runs the tests of `deploy/`: rendered, linted and run with helm, kubectl, promtool and the
    /// rest, without Docker and without a cluster. They are part of `test` too.
    Deploy,
    /// Runs everything a change must pass: formatting, tidy, contracts, lints and every test.
    Ci,
    /// Checks those rules of ARCHITECTURE.md that a program can check.
    Tidy,
    /// Rewrites the golden files. Review the changes as a diff.
    Bless,
    /// Starts a private PostgreSQL for tests and stops it on Ctrl-C.
    Db,
    /// Puts load on processes, kills some of them, and checks the result against a log kept
    /// outside of them; see docs/drills.md.
    Drill(drill::Settings),
    /// Rolls, kills and adds replicas of every service under load: no call may fail with one retry,
    /// and no cap may be passed; see docs/drills.md.
    Rehearse(drill::Rehearsal),
    /// Runs benchmarks; each prints two terms, an A/A pair and the ratio. See docs/performance.md.
    Bench(bench::Settings),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test(settings) => test::run(&settings),
        Task::Deploy => test::deploy(),
        Task::Ci => ci::run(),
        Task::Tidy => tidy::run(),
        Task::Bless => test::bless(),
        Task::Db => db::run(),
        Task::Drill(settings) => drill::run(&settings),
        Task::Rehearse(rehearsal) => drill::run(&(&rehearsal).into()),
        Task::Bench(settings) => bench::run(&settings),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
