//! `cargo xtask tidy`: what ARCHITECTURE.md says about the code and a program can check.
//!
//! Each rule looks at text, not at types: it is quick, it needs no build, and what it cannot see a
//! test or clippy does.

mod contract;
mod manifest;
mod migration;
mod name;
mod page;
mod rust;
mod source;
mod text;
mod threat;

use std::{fmt, path::Path};

use anyhow::bail;

use crate::repository::{self, SourceFile};
use source::Rust;

/// Something to mend.
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
    let found = check(&repository::root()?)?;
    for violation in &found {
        println!("{violation}");
    }
    if !found.is_empty() {
        bail!("tidy found {} to mend", found.len());
    }
    Ok(())
}

/// Everything that is to be mended below `root`.
pub fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    Ok(check_files(&repository::source_files(root)?))
}

fn check_files(files: &[SourceFile]) -> Vec<Violation> {
    // A workspace of its own that puts services, stores and peers together to measure them; none of
    // it is served.
    let files: Vec<_> =
        files.iter().filter(|file| !file.path.starts_with("bench/")).cloned().collect();
    let files = files.as_slice();
    let is_rust = |file: &&SourceFile| file.path.ends_with(".rs");
    let rust: Vec<Rust> =
        files.iter().filter(is_rust).map(|file| Rust::read(&file.path, &file.text)).collect();
    let mut found = Vec::new();
    rust::check(&rust, &mut found);
    name::check(files, &rust, &mut found);
    text::check(files, &mut found);
    manifest::check(files, &mut found);
    migration::check(files, &mut found);
    contract::check(files, &rust, &mut found);
    page::check(files, &mut found);
    threat::check(files, &rust, &mut found);
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let found = check(&repository::root().unwrap()).unwrap();
        let listed: Vec<_> = found.iter().map(Violation::to_string).collect();
        assert!(listed.is_empty(), "{}", listed.join("\n"));
    }

    /// A rule that never fires guards nothing: each must find the fault planted for it, at its
    /// line.
    #[test]
    fn every_rule_finds_the_fault_planted_for_it() {
        let check = |path: &str, text: &str, expected: &str| {
            let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
            let listed: Vec<_> = check_files(&[file]).iter().map(Violation::to_string).collect();
            assert!(
                listed.iter().any(|line| line.contains(expected)),
                "{path}: no `{expected}` in {listed:#?}"
            );
        };
        let doc = "//! Doc.\n";
        let rust = |code: &str| format!("{doc}{code}\n");
        check(
            "a-svc/src/domain/x.rs",
            &rust("use proffer_proto::values;"),
            "x.rs:2: `proffer_proto` in a pure place",
        );
        check(
            "a-svc/src/domain/x.rs",
            &rust("use tonic::Status;"),
            "x.rs:2: `tonic` in a pure place",
        );
        check("a-svc/src/domain/x.rs", &rust("async fn f() {}"), "x.rs:2: `async` in a pure place");
        check(
            "crates/formula/src/x.rs",
            &rust("use std::fs;"),
            "x.rs:2: `std::fs` in a pure place",
        );
        check(
            "a-svc/src/store/x.rs",
            &rust("use proffer_proto::values;"),
            "x.rs:2: proto types outside",
        );
        check("a-svc/src/grpc/x.rs", &rust("use sqlx::query;"), "x.rs:2: `sqlx` outside a store");
        check(
            "a-svc/src/grpc/x.rs",
            &rust("const A: &str = \"select a from b\";"),
            "x.rs:2: SQL outside a store",
        );
        check("a-svc/src/x.rs", &rust("fn f(x: f64) -> f64 { x.powf(2.0) }"), "x.rs:2: `.powf(`");
        check("a-svc/src/x.rs", &rust("static mut A: u8 = 0;"), "x.rs:2: a global that changes");
        check(
            "a-svc/src/x.rs",
            &rust("static A: Mutex<u8> = Mutex::new(0);"),
            "x.rs:2: a global that changes",
        );
        check("a-svc/src/x.rs", &rust(concat!("fn f() { to", "do!() }")), "x.rs:2: unfinished");
        check(
            "a-svc/src/x.rs",
            &rust(concat!("#[ig", "nore]\nfn f() {}")),
            "x.rs:2: a test that does not run",
        );
        check("a-svc/tests/x.rs", &rust("fn test_one() {}"), "x.rs:2: a test's name is a sentence");
        check("a-svc/src/x.rs", "fn f() {}\n", "x.rs:1: what is this file for");
        check("a-svc/src/main.rs", &rust(&"// x\n".repeat(60)), "main.rs:41: longer than 40 lines");
        check("a-svc/src/x.rs", &rust(&"// x\n".repeat(700)), "longer than 500 lines");
        check("a-svc/src/utils.rs", doc, "utils.rs:1: `utils` says nothing");
        check("crates/common/src/lib.rs", doc, "lib.rs:1: `common` says nothing");
        check("a-svc/src/x.rs", &rust("pub struct OfferManager;"), "x.rs:2: `OfferManager`");
        check("a.md", concat!("# A\nTO", "DO later\n"), "a.md:2: unfinished");
        check("a.md", concat!("see /wo", "rk/x\n"), "a.md:1: a path of one machine");
        check(
            "a-svc/Cargo.toml",
            "[dependencies]\npolicy-svc.workspace = true\n",
            "Cargo.toml:2: no service imports",
        );
        check("a-svc/Cargo.toml", "[package]\n", "Cargo.toml:1: the workspace's lints");
        check(
            "crates/new/Cargo.toml",
            "[lints]\nworkspace = true\n",
            "Cargo.toml:1: `crates/new` has no line",
        );
        check("a/migrations/sqlite/0100_x.sql", "-- Why.\n", "0100_x.sql:1: has no twin");
        check(
            "a/migrations/sqlite/0100_x.sql",
            "create table x;\n",
            "0100_x.sql:1: says nothing about why",
        );
        check("README.md", "```sh\nmake all\n```\n", "README.md:2: no test runs `make all`");
        check("docs/api.md", "```sh\nmake all\n```\n", "docs/api.md:2: no test runs `make all`");
        check(
            "docs/threat-model.md",
            "| P1 | `a-svc::x::y` |\n",
            "threat-model.md:1: `a-svc::x::y` is no test of `a-svc::x`",
        );
        let reasons =
            "enum ErrorReason {\n  ERROR_REASON_UNSPECIFIED = 0;\n  ERROR_REASON_LATE = 1;\n}\n";
        check(
            "proto/proffer/errors/v1/error_reason.proto",
            reasons,
            "error_reason.proto:3: `ErrorReason::Late`",
        );
    }

    #[test]
    fn words_in_comments_strings_and_tests_do_not_count_as_code() {
        let text = "//! About tonic.\nconst A: &str = \"tonic\";\n// tonic\n#[cfg(test)]\nmod tests {\n    use tonic::Status;\n}\n";
        let file = SourceFile { path: "a-svc/src/domain/x.rs".to_owned(), text: text.to_owned() };
        let found = check_files(&[file]);
        assert!(!found.iter().any(|violation| violation.what.contains("pure place")), "{found:?}");
    }
}
