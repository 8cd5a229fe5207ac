//! How SQLite reaches the rows of a statement. Without statistics it may take an index on instants
//! where one on the customer is there, and then reads all customers of a tenant for each of them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{Listed, customers_tables, rule::Reads};

/// Checks that SQLite finds the rows of customers by the customer wherever a statement names one,
/// and reads no such table as a whole unless it says why. `folder` is the service's, with its
/// migrations.
///
/// # Panics
/// With everything that is wrong.
#[track_caller]
pub fn assert_reached(folder: &str, statements: &[Listed<'_>]) {
    let folder = Path::new(folder);
    let tables = customers_tables(folder);
    let store = store(folder);
    let mut found = BTreeSet::new();
    for (name, text, scan) in statements {
        let reads = Reads::of(text, &tables);
        for step in steps(&store, text) {
            if let Some(fault) = fault(&step, &reads, scan.is_some()) {
                found.insert(format!("{name}: {fault}"));
            }
        }
    }
    let listed: Vec<_> = found.into_iter().collect();
    assert!(listed.is_empty(), "{}", listed.join("\n"));
}

/// A store in memory with the tables of a service.
fn store(folder: &Path) -> Connection {
    let store = Connection::open_in_memory().expect("a store in memory");
    let history = Path::new(env!("CARGO_MANIFEST_DIR")).join("../history");
    for folder in [history.as_path(), folder] {
        let files = fs::read_dir(folder.join("migrations/sqlite")).expect("migrations for SQLite");
        let paths: BTreeSet<PathBuf> =
            files.map(|file| file.expect("a migration").path()).collect();
        for path in paths {
            let text = fs::read_to_string(&path).expect("a migration can be read");
            let applied = store.execute_batch(&text);
            applied.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
    store
}

/// How SQLite goes about a statement: `SEARCH o USING INDEX … (tenant_id=? AND …)`.
fn steps(store: &Connection, text: &str) -> Vec<String> {
    let explained = store.prepare(&format!("explain query plan {text}"));
    let mut explained = explained.unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut rows = explained.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().expect("a step") {
        found.push(row.get(3).expect("its text"));
    }
    found
}

/// What is wrong with a step.
fn fault(step: &str, reads: &Reads, may_scan: bool) -> Option<String> {
    let (kind, rest) = step.split_once(' ')?;
    let alias = rest.split(' ').next()?;
    if !reads.tables.contains(alias) || step.contains("customer_id=") {
        return None;
    }
    // An id finds one row.
    let is_narrow = step.matches("_id=?").count() > step.matches("tenant_id=?").count();
    match kind {
        "SEARCH" if !is_narrow && reads.by_customer.contains(alias) => {
            Some(format!("reads other customers: {step}"))
        }
        "SCAN" if !may_scan && !reads.rows.contains(alias) => {
            Some(format!("reads all rows: {step}"))
        }
        _ => None,
    }
}
