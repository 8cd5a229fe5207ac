//! The repository's own commands: `cargo xtask test`, `ci`, `tidy`, `bless`, `db`, `drill`,
//! `bench`.

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

/// Checks, tests and tends this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs every test: both stores, all doors. Installs what it needs; what follows is passed on
    /// to the runner.
    Test(test::Settings),
    /// Everything a change must pass: formatting, tidy, contracts, lints and every test.
    Ci,
    /// Checks the invariants of ARCHITECTURE.md that a program can check.
    Tidy,
    /// Rewrites the golden files; review them as a diff.
    Bless,
    /// Starts a private PostgreSQL for tests and keeps it until Ctrl-C.
    Db,
    /// Load on processes that are killed, judged by a log kept outside of them: `cargo xtask drill
    /// policy`.
    Drill(drill::Settings),
    /// Comparisons within one run: both terms, an A/A pair, the ratio.
    Bench(bench::Settings),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test(settings) => test::run(&settings),
        Task::Ci => ci::run(),
        Task::Tidy => tidy::run(),
        Task::Bless => test::bless(),
        Task::Db => db::run(),
        Task::Drill(settings) => drill::run(&settings),
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
