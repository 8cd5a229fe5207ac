//! `cargo xtask tidy`: what ARCHITECTURE.md says about the code and a program can check.
//!
//! Each rule looks at text, not at types: it is quick, it needs no build, and what it cannot see a
//! test or clippy does.

mod circle;
mod contract;
mod key;
mod landed;
mod manifest;
mod mention;
mod migration;
mod module;
mod name;
mod page;
mod path;
mod rust;
mod size;
mod source;
mod text;
mod threat;
mod word;

use std::fmt;

use anyhow::bail;

use crate::repository::{self, SourceFile};
use source::Rust;

/// A fault, where it is, and how to mend it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    path: String,
    line: usize,
    what: String,
}

impl Violation {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Checks the repository and prints what is to be mended.
pub fn run() -> anyhow::Result<()> {
    let files = repository::source_files(&repository::root()?)?;
    let found = check_files(&files);
    for violation in &found {
        println!("{violation}");
    }
    println!("{}", size::summary(&rust_files(&files)));
    if !found.is_empty() {
        bail!("tidy found {} to mend", found.len());
    }
    Ok(())
}

fn rust_files(files: &[SourceFile]) -> Vec<Rust> {
    let is_rust = |file: &&SourceFile| file.path.ends_with(".rs");
    files.iter().filter(is_rust).map(|file| Rust::read(&file.path, &file.text)).collect()
}

/// Everything that is to be mended in `files`.
fn check_files(files: &[SourceFile]) -> Vec<Violation> {
    let mut rust = rust_files(files);
    let mut found = Vec::new();
    size::check(files, &rust, &mut found);
    word::check(files, &rust, &mut found);
    circle::check(&rust, &mut found);
    mention::check(files, &mut found);
    // The benchmarks put services, stores and peers together to measure them; none of it is served.
    let is_served = |path: &str| !path.starts_with("bench/");
    let files: Vec<_> = files.iter().filter(|file| is_served(&file.path)).cloned().collect();
    rust.retain(|file| is_served(&file.path));
    rust::check(&rust, &mut found);
    name::check(&files, &rust, &mut found);
    text::check(&files, &mut found);
    manifest::check(&files, &mut found);
    migration::check(&files, &mut found);
    key::check(&files, &mut found);
    landed::check(&files, &mut found);
    contract::check(&files, &rust, &mut found);
    page::check(&files, &mut found);
    threat::check(&files, &rust, &mut found);
    found.sort();
    found
}

#[cfg(test)]
mod tests;
