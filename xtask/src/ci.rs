//! `cargo xtask ci`: what `.ci/run` calls.

use std::{process::Command, time::Instant};

use crate::{command, repository, test, tidy, tool};

/// Runs every step, the quick ones first, and stops at the first that fails.
pub fn run() -> anyhow::Result<()> {
    let root = repository::root()?;
    let cargo = || {
        let mut cargo = command::cargo();
        cargo.current_dir(&root);
        cargo
    };
    step("format", || command::run(cargo().args(["fmt", "--all", "--check"])))?;
    step("tidy", tidy::run)?;
    step("tools", || {
        tool::deploy::find_or_install()?;
        tool::find_or_install().map(drop)
    })?;
    step("contracts", || {
        let buf = tool::find_or_install()?.buf;
        command::run(Command::new(buf).args(["lint", "proto"]).current_dir(&root))
    })?;
    let settings = test::Settings { is_linted: true, ..Default::default() };
    step("lint and test", || test::run(&settings))
}

fn step(name: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    println!("== {name}");
    #[expect(
        clippy::disallowed_methods,
        reason = "a build step is timed for people; nothing is decided by it"
    )]
    let start = Instant::now();
    let done = work();
    let seconds = start.elapsed().as_secs_f64();
    println!("== {name} {} in {seconds:.1} s", if done.is_ok() { "passed" } else { "FAILED" });
    done
}
