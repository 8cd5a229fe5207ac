//! Runs other programs, and says which one failed.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, bail};

/// Runs `command` with this process's own input and output; a failure names it.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = spoken(command);
    let status = command.status().with_context(|| format!("cannot start `{name}`"))?;
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

/// True when the command runs and succeeds; its output is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The cargo that runs this task.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Cargo sets variables that name the package of this task. ring's build script reads them, so
    // ring and all that depends on it would be rebuilt whenever people and this task call cargo in
    // turn.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Clippy as a part of the build.
#[derive(Debug)]
pub struct Linter(PathBuf);

impl Linter {
    /// Clippy of the toolchain that builds.
    pub fn find() -> anyhow::Result<Self> {
        let printed = Command::new("rustc").args(["--print", "sysroot"]).output()?;
        let sysroot = String::from_utf8(printed.stdout)?;
        let driver = PathBuf::from(sysroot.trim()).join("bin/clippy-driver");
        if !driver.is_file() {
            bail!("clippy is missing: run `rustup component add clippy`");
        }
        Ok(Self(driver))
    }

    /// Makes `cargo` build the crates of this workspace through clippy; a warning is an error.
    /// `cargo clippy` would check all crates, with those they depend on, and nothing of that serves
    /// the build that follows.
    pub fn lint(&self, cargo: &mut Command) {
        // As `cargo clippy -- -D warnings` passes it on.
        let arguments = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";
        cargo.env("RUSTC_WORKSPACE_WRAPPER", &self.0).env("CLIPPY_ARGS", arguments);
    }
}

fn spoken(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
