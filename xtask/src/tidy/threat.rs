//! The threat model names tests that exist.

use std::collections::BTreeMap;

use super::{Violation, source::Rust};
use crate::repository::SourceFile;

const THREATS: &str = "docs/threat-model.md";
/// What a row says that names no test.
const DEBT: &str = "No test";

/// Checks every row: each test it names is in a file below that crate and module, and a row
/// without one says so.
pub fn check(files: &[SourceFile], rust: &[Rust], found: &mut Vec<Violation>) {
    let Some(threats) = files.iter().find(|file| file.path == THREATS) else { return };
    let known: BTreeMap<&str, Vec<&str>> = rust.iter().fold(BTreeMap::new(), |mut known, file| {
        tests(file).into_iter().for_each(|test| known.entry(test).or_default().push(&file.path));
        known
    });
    for (line, text) in (1..).zip(threats.text.lines()) {
        let names = names(text);
        for name in &names {
            let (place, test) = name.rsplit_once("::").unwrap_or_default();
            let lies_there = |path: &&str| {
                place.split("::").all(|part| path.split(['/', '.']).any(|own| own == part))
            };
            if !known.get(test).is_some_and(|paths| paths.iter().any(lies_there)) {
                let what = format!(
                    "`{name}` is no test of `{place}`: name the one that shows it, or write it"
                );
                found.push(Violation::new(THREATS, line, what));
            }
        }
        if is_row(text) && names.is_empty() && !text.contains(DEBT) {
            found.push(Violation::new(
                THREATS,
                line,
                format!("a danger without a test: name one, or say `{DEBT}`"),
            ));
        }
    }
}

/// A row begins with the id of its danger, such as `P7`.
fn is_row(line: &str) -> bool {
    let id = line
        .strip_prefix("| ")
        .and_then(|rest| rest.split_once(" |"))
        .map(|(id, _)| id)
        .unwrap_or_default();
    let mut letters = id.chars();
    letters.next().is_some_and(|first| first.is_ascii_uppercase())
        && id.len() > 1
        && letters.all(|letter| letter.is_ascii_digit())
}

/// What is in backticks and is a path of a test.
fn names(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("::")).collect()
}

/// The tests of a file.
fn tests(file: &Rust) -> Vec<&str> {
    let (mut found, mut is_test) = (Vec::new(), false);
    for (_, code) in file.lines() {
        let code = code.trim();
        if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, rest)) = code.split_once("fn ").filter(|_| is_test) {
            found.extend(rest.split(['(', '<']).next());
            is_test = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_tests_that_exist_or_its_debt() {
        let code = "//! Doc.\n#[test]\nfn it_holds() {}\nfn helper() {}\n";
        let check = |row: &str, expected: &[&str]| {
            let files = [SourceFile {
                path: THREATS.to_owned(),
                text: format!("| id | shown by |\n|---|---|\n{row}\n"),
            }];
            let rust =
                [Rust::read("a-svc/tests/x.rs", code), Rust::read("crates/b/src/x.rs", code)];
            let mut found = Vec::new();
            super::check(&files, &rust, &mut found);
            let listed: Vec<_> = found.iter().map(Violation::to_string).collect();
            assert_eq!(listed.len(), expected.len(), "{listed:?}");
            assert!(
                listed.iter().zip(expected).all(|(line, expected)| line.contains(expected)),
                "{listed:?}"
            );
        };
        check("| P1 | `a-svc::x::it_holds`, `b::x::it_holds` |", &[]);
        check(
            "| P1 | `c-svc::x::it_holds` |",
            &["threat-model.md:3: `c-svc::x::it_holds` is no test of `c-svc::x`"],
        );
        check("| P1 | `a-svc::y::it_holds` |", &["`a-svc::y::it_holds` is no test of `a-svc::y`"]);
        check("| P1 | `a-svc::helper` |", &["`a-svc::helper` is no test"]);
        check("| P1 | nothing |", &["threat-model.md:3: a danger without a test"]);
        check("| P1 | No test: it cannot be seen. |", &[]);
        check("| danger | nothing |", &[]);
    }
}
