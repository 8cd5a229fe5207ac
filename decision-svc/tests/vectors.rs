//! The published vectors of assignment, checked in another language.

#![allow(clippy::panic)]

use std::process::Command;

/// Names the Python that tests use; `python3` without it.
const PYTHON_VARIABLE: &str = "PROFFER_TEST_PYTHON";

/// `src/domain/assignment/tests.rs` checks the same file in Rust.
#[test]
fn the_published_vectors_of_assignment_hold_in_python() {
    let python = std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/vectors/check.py");
    let vectors = include_str!("../../proto/vectors/assignment.csv");
    let ran = Command::new(&python).arg(script).output();
    let ran = ran.unwrap_or_else(|error| panic!("{python} does not run ({error}): install it"));
    let (shown, errors) =
        (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{errors}");
    let rows = vectors.lines().skip(1).filter(|line| !line.is_empty()).count();
    assert_eq!(shown.trim(), format!("{rows} vectors hold"));
}
