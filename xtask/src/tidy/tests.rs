//! A rule that never fires guards nothing: each must find the fault planted for it, at its line.

use super::*;

const DOC: &str = "//! Doc.\n";

#[test]
fn the_repository_is_tidy() {
    let files = repository::source_files(&repository::root().unwrap()).unwrap();
    let listed: Vec<_> = check_files(&files).iter().map(Violation::to_string).collect();
    assert!(listed.is_empty(), "{}", listed.join("\n"));
}

fn check(path: &str, text: &str, expected: &str) {
    let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
    let listed: Vec<_> = check_files(&[file]).iter().map(Violation::to_string).collect();
    assert!(
        listed.iter().any(|line| line.contains(expected)),
        "{path}: no `{expected}` in {listed:#?}"
    );
}

/// A file that opens with its sentence.
fn code(text: &str) -> String {
    format!("{DOC}{text}\n")
}

#[test]
fn pure_places_name_nothing_impure() {
    check(
        "a-svc/src/domain/x.rs",
        &code("use proffer_proto::values;"),
        "x.rs:2: `proffer_proto` in a pure place",
    );
    check("a-svc/src/domain/x.rs", &code("use tonic::Status;"), "x.rs:2: `tonic` in a pure place");
    check("a-svc/src/domain/x.rs", &code("async fn f() {}"), "x.rs:2: `async` in a pure place");
    check(
        "a-svc/src/domain/x.rs",
        &code("struct S(Mutex<u8>);"),
        "x.rs:2: `Mutex` in a pure place",
    );
    check("crates/formula/src/x.rs", &code("use std::fs;"), "x.rs:2: `std::fs` in a pure place");
}

#[test]
fn proto_types_and_sql_have_their_places() {
    check(
        "a-svc/src/store/x.rs",
        &code("use proffer_proto::values;"),
        "x.rs:2: proto types outside",
    );
    check("a-svc/src/grpc/x.rs", &code("use sqlx::query;"), "x.rs:2: `sqlx` outside a store");
    check(
        "a-svc/src/grpc/x.rs",
        &code("const A: &str = \"select a from b\";"),
        "x.rs:2: SQL outside a store",
    );
}

#[test]
fn code_is_exact_finished_and_without_globals() {
    check("a-svc/src/x.rs", &code("fn f(x: f64) -> f64 { x.powf(2.0) }"), "x.rs:2: `.powf(`");
    check("a-svc/src/x.rs", &code("static mut A: u8 = 0;"), "x.rs:2: a global that changes");
    check(
        "a-svc/src/x.rs",
        &code("static A: Mutex<u8> = Mutex::new(0);"),
        "x.rs:2: a global that changes",
    );
    check("a-svc/src/x.rs", &code(concat!("fn f() { to", "do!() }")), "x.rs:2: unfinished");
    check(
        "a-svc/src/x.rs",
        &code(concat!("#[ig", "nore]\nfn f() {}")),
        "x.rs:2: a test that does not run",
    );
    check("a-svc/tests/x.rs", &code("fn test_one() {}"), "x.rs:2: a test's name is a sentence");
}

#[test]
fn files_functions_and_lines_have_a_size() {
    check("a-svc/src/x.rs", "fn f() {}\n", "x.rs:1: what is this file for");
    check("a-svc/src/main.rs", &code(&"// x\n".repeat(60)), "main.rs:41: longer than 40 lines");
    check("a-svc/src/x.rs", &code(&"// x\n".repeat(700)), "longer than 500 lines");
    check(
        "a-svc/src/x.rs",
        &code(&format!("fn f() {{\n{}}}", "// x\n".repeat(80))),
        "x.rs:2: `f` has 82 lines, more than 80",
    );
    let wide = "x".repeat(101);
    check("a-svc/src/x.rs", &code(&format!("// {wide}")), "x.rs:2: 104 columns, more than 100");
    check("a/x.proto", &format!("// {wide}\n"), "x.proto:1: 104 columns");
    check("a/migrations/sqlite/0100_x.sql", &format!("-- {wide}\n"), "x.sql:1: 104 columns");
}

#[test]
fn names_and_texts_say_something() {
    check("a-svc/src/utils.rs", DOC, "utils.rs:1: `utils` says nothing");
    check("crates/common/src/lib.rs", DOC, "lib.rs:1: `common` says nothing");
    check("a-svc/src/x.rs", &code("pub struct OfferManager;"), "x.rs:2: `OfferManager`");
    check("a.md", concat!("# A\nTO", "DO later\n"), "a.md:2: unfinished");
    check("a.md", concat!("see /wo", "rk/x\n"), "a.md:1: a path of one machine");
}

#[test]
fn manifests_and_migrations_keep_their_rules() {
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
    let migration = |text: &str, expected: &str| {
        check("a/migrations/sqlite/0100_x.sql", &format!("-- Why.\n{text}"), expected);
    };
    let customer = "create table c (tenant_id text, customer_id text, a text";
    let begins = "it must begin with tenant_id, customer_id";
    migration(&format!("{customer}, primary key (tenant_id, a));"), "0100_x.sql:2: a key of `c`");
    migration(
        &format!("{customer}, primary key (tenant_id, customer_id), unique (a));"),
        &format!("a key of `c` is (a): {begins}"),
    );
    migration(&format!("{customer});"), "the primary key of `c` must begin");
    migration(
        "create unique index i on c (customer_id, tenant_id);",
        &format!("a key of `c` is (customer_id, tenant_id): {begins}"),
    );
    migration("create table d (a text primary key);", "`d` has no customer_id");
}

#[test]
fn pages_and_contracts_name_what_exists() {
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
    let text = "//! About tonic.\nconst A: &str = \"tonic\";\n// tonic\n#[cfg(test)]\n\
                mod tests {\n    use tonic::Status;\n}\n";
    let file = SourceFile { path: "a-svc/src/domain/x.rs".to_owned(), text: text.to_owned() };
    let found = check_files(&[file]);
    assert!(!found.iter().any(|violation| violation.what.contains("pure place")), "{found:?}");
}
