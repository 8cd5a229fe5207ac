//! Rules about Rust code: first comments, purity, where SQL may be, globals, names of tests.

use super::{
    Violation,
    source::{Rust, has_word},
};

/// What a pure place may not name: input, output, waiting, clocks, chance, the wire.
const IMPURE: [&str; 15] = [
    "proffer_proto",
    "prost",
    "tonic",
    "sqlx",
    "database",
    "tokio",
    "async",
    ".await",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "Utc::now",
    "Instant",
    "getrandom",
];
/// Standard functions whose last bits differ between machines.
const INEXACT: [&str; 12] = [
    ".powf(",
    ".powi(",
    ".exp(",
    ".exp2(",
    ".exp_m1(",
    ".ln(",
    ".ln_1p(",
    ".log2(",
    ".log10(",
    ".cbrt(",
    "f64::exp",
    "f64::powf",
];
/// Types of values that change behind a shared reference.
const CHANGING: [&str; 7] =
    ["Mutex", "RwLock", "Atomic", "RefCell", "Cell<", "DashMap", "OnceLock"];
/// Words that begin SQL, and what must follow somewhere.
const SQL: [(&str, &str); 4] =
    [("select ", " from "), ("insert ", "into "), ("update ", " set "), ("delete ", "from ")];

/// Checks all files.
pub fn check(files: &[Rust], found: &mut Vec<Violation>) {
    for file in files {
        doc(file, found);
        purity(file, found);
        places(file, found);
        globals(file, found);
        tests(file, found);
    }
}

fn doc(file: &Rust, found: &mut Vec<Violation>) {
    if !file.has_doc && !file.path.ends_with("/tests.rs") && file.path.contains("/src/") {
        let what = "what is this file for? open it with a `//!` sentence";
        found.push(Violation::new(&file.path, 1, what));
    }
}

fn is_pure_place(path: &str) -> bool {
    path.contains("-svc/src/domain/") || path.starts_with("crates/formula/src/")
}

fn purity(file: &Rust, found: &mut Vec<Violation>) {
    for (line, code) in file.product() {
        if is_pure_place(&file.path) {
            let changing = CHANGING.iter().filter(|kind| code.contains(**kind));
            for word in IMPURE.iter().filter(|word| has_word(code, word)).chain(changing) {
                let what = format!(
                    "`{word}` in a pure place: pass in what it would fetch, or move this out of \
                     domain/"
                );
                found.push(Violation::new(&file.path, line, what));
            }
        }
        for word in INEXACT.iter().filter(|word| code.contains(**word)) {
            let what = format!("`{word}` gives other bits on other machines: use its twin in libm");
            found.push(Violation::new(&file.path, line, what));
        }
        for word in ["todo!", "unimplemented!", "dbg!"].iter().filter(|word| has_word(code, word)) {
            found.push(Violation::new(&file.path, line, format!("unfinished: `{word}`")));
        }
    }
}

fn places(file: &Rust, found: &mut Vec<Violation>) {
    let path = file.path.as_str();
    let is_test = path.contains("/tests/");
    let in_any = |folders: &[&str]| folders.iter().any(|folder| path.contains(folder));
    let may_sql =
        is_test || in_any(&["/store/", "crates/history/", "crates/database/", "crates/testkit/"]);
    let is_service = path.contains("-svc/src/");
    let may_proto = in_any(&["/grpc/", "/messages/", "/neighbours/", "/deciding/"])
        || ["/app.rs", "/configuration.rs", "/gate/kept.rs"]
            .iter()
            .any(|file| path.ends_with(file));
    for ((line, code), strings) in file.product().zip(&file.strings) {
        if is_service && !may_proto && !is_pure_place(path) && has_word(code, "proffer_proto") {
            let what = "proto types outside grpc/, neighbours/, messages/ and deciding/: pass \
                        domain types";
            found.push(Violation::new(path, line, what));
        }
        if !may_sql && has_word(code, "sqlx") {
            found.push(Violation::new(path, line, "`sqlx` outside a store: ask the store instead"));
        }
        if !may_sql && !path.starts_with("xtask/") && strings.iter().any(|text| is_sql(text)) {
            found.push(Violation::new(
                path,
                line,
                "SQL outside a store: give the store a function for it",
            ));
        }
    }
}

fn is_sql(text: &str) -> bool {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    SQL.iter().any(|(first, then)| flat.starts_with(first) && flat.contains(then))
}

fn globals(file: &Rust, found: &mut Vec<Violation>) {
    if file.path.starts_with("crates/testkit/") || file.path.starts_with("conformance/") {
        return;
    }
    for (line, code) in file.product() {
        let code = code.trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        let is_changing = |declared: &str| CHANGING.iter().any(|kind| declared.contains(kind));
        let changes = code
            .strip_prefix("static ")
            .is_some_and(|rest| rest.starts_with("mut ") || is_changing(rest));
        if changes || code.starts_with("thread_local!") {
            found.push(Violation::new(
                &file.path,
                line,
                "a global that changes: make it a field of what needs it",
            ));
        }
    }
}

fn tests(file: &Rust, found: &mut Vec<Violation>) {
    for (line, code) in file.lines() {
        if code.contains("#[ignore") {
            let what = "a test that does not run: assert today's behavior and say why it is wrong";
            found.push(Violation::new(&file.path, line, what));
        }
        if code.contains("fn test_") {
            found.push(Violation::new(
                &file.path,
                line,
                "a test's name is a sentence about behavior, without `test_`",
            ));
        }
    }
}
