//! The proof that every statement of a service has a form that a distributed PostgreSQL runs, with
//! tables spread by `customer_id`. Seen on Citus 12.1; CockroachDB and YugabyteDB refuse less,
//! except that a table is written twice.
//!
//! It also checks that SQLite need not compile a statement again for other values.
//!
//! Refused are row locks on several customers; a subquery for each of the rows sent along
//! (`unnest`, a named part); a join of such rows with several customers' tables; a table written
//! twice in one statement; named parts that write about several customers. A statement that names
//! one customer runs on one server: only the rule about tables written twice holds for it.

mod literal;
#[cfg(feature = "database")]
mod plan;
mod query;
mod rule;
#[cfg(test)]
mod tests;
mod token;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[cfg(feature = "database")]
pub use plan::assert_reached;

/// The tests of a service's statements, which `$store::statements` lists for a dialect.
#[macro_export]
macro_rules! statement_tests {
    ($store:path) => {
        use ::database::{Dialect, Statement};
        use $store as store;

        fn listed(all: &[Statement]) -> Vec<$crate::statement::Listed<'_>> {
            all.iter().map(Statement::listed).collect()
        }

        #[test]
        fn every_statement_can_be_spread() {
            let [postgres, sqlite] = [Dialect::Postgres, Dialect::Sqlite].map(store::statements);
            let folder = env!("CARGO_MANIFEST_DIR");
            $crate::statement::assert_spreadable(folder, &listed(&postgres), &listed(&sqlite));
        }

        /// Otherwise a read of one customer would cost what all customers of the tenant cost.
        #[test]
        fn every_statement_finds_a_customers_rows_by_the_customer() {
            let all = store::statements(Dialect::Sqlite);
            $crate::statement::assert_reached(env!("CARGO_MANIFEST_DIR"), &listed(&all));
        }
    };
}

/// A statement of a service: what it is for, its text, and why it may read rows of all customers.
pub type Listed<'a> = (&'a str, &'a str, Option<&'a str>);

/// Checks that every listed statement can be spread, and that the service has no other: each text
/// in `src/` that looks like SQL must be part of a listed one. `folder` is the service's, with its
/// migrations; `others` are listed texts that never reach PostgreSQL.
///
/// # Panics
/// With everything that is wrong.
#[track_caller]
pub fn assert_spreadable(folder: &str, postgres: &[Listed<'_>], others: &[Listed<'_>]) {
    let folder = Path::new(folder);
    let tables = customers_tables(folder);
    assert!(!tables.is_empty(), "no table of {} has a customer_id", folder.display());
    let mut found = BTreeSet::new();
    for (name, text, scan) in postgres {
        for fault in rule::faults(text, &tables, scan.is_some()) {
            found.insert(format!("{name}: {fault}"));
        }
    }
    for (name, text, _) in postgres.iter().chain(others) {
        if has_bare_limit(text) {
            found.insert(format!("{name}: SQLite compiles it for every execution: `limit $1 + 0`"));
        }
    }
    let texts: Vec<_> =
        postgres.iter().chain(others).map(|(_, text, _)| literal::flat(text)).collect();
    for file in sources(&folder.join("src")) {
        let source = fs::read_to_string(&file).expect("a source file can be read");
        let literals = literal::sql_literals(&source);
        for literal in literals.iter().filter(|literal| !is_listed(literal, &texts)) {
            let file = file.strip_prefix(folder).unwrap_or(&file).display();
            found.insert(format!("{file}: no listed statement has `{literal}`"));
        }
    }
    let listed: Vec<_> = found.into_iter().collect();
    assert!(listed.is_empty(), "{}", listed.join("\n"));
}

/// True when a parameter alone is the limit. SQLite's planner looks at the value of such a
/// parameter, and compiles the statement again each time a value is bound.
fn has_bare_limit(text: &str) -> bool {
    text.split("limit $").skip(1).any(|rest| {
        let rest = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        !rest.trim_start().starts_with('+')
    })
}

fn is_listed(literal: &str, texts: &[String]) -> bool {
    texts.iter().any(|text| literal::is_part(literal, text))
}

/// Tables with a `customer_id`, by the migrations for PostgreSQL.
fn customers_tables(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder.join("migrations/postgres")).expect("the service's migrations");
    let mut tables = BTreeSet::new();
    for file in files {
        let path = file.expect("a migration").path();
        let text = fs::read_to_string(path).expect("a migration can be read");
        for table in text.split("create table ").skip(1) {
            let (name, columns) = table.split_once('(').unwrap_or_default();
            let columns = columns.split(";").next().unwrap_or_default();
            if columns.split_whitespace().any(|word| word == "customer_id") {
                tables.insert(name.trim().to_owned());
            }
        }
    }
    tables
}

/// Rust files below a folder, but for those of tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the service's sources") {
        let path = entry.expect("a source file").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}
