//! How SQLite reaches the rows of a statement. Without statistics it may take an index on instants
//! where one on the customer is there, and then reads all customers of a tenant for each of them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::{Listed, customers_tables};

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
        for step in steps(&store, text) {
            if let Some(fault) = fault(&step, text, &tables, scan.is_some()) {
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
fn fault(step: &str, text: &str, tables: &BTreeSet<String>, may_scan: bool) -> Option<String> {
    let (kind, rest) = step.split_once(' ')?;
    let alias = rest.split(' ').next()?;
    let table = table_of(alias, text);
    if !tables.contains(table) || step.contains("customer_id=") {
        return None;
    }
    let wanted = [format!(" {alias}.customer_id ="), format!("{table}.customer_id =")];
    let spaced = text.replace('(', " ");
    // An id finds one row.
    let is_narrow = step.matches("_id=?").count() > step.matches("tenant_id=?").count();
    let is_named = !is_narrow && wanted.iter().any(|wanted| spaced.contains(wanted));
    match kind {
        "SEARCH" if is_named => Some(format!("reads other customers: {step}")),
        "SCAN" if !may_scan && !is_subquery(alias, text) => Some(format!("reads all rows: {step}")),
        _ => None,
    }
}

/// True when the name is, somewhere in the statement, that of rows between parentheses.
fn is_subquery(alias: &str, text: &str) -> bool {
    let after = |rest: &str| rest.trim_start().split([' ', ',', ')', '\n']).next() == Some(alias);
    text.split(')').skip(1).any(after)
}

/// The table behind a name in a statement: the word before it, or itself.
fn table_of<'t>(alias: &'t str, text: &'t str) -> &'t str {
    let words: Vec<&str> = text.split_whitespace().collect();
    let named = words.array_windows().find(|[before, table, name]| {
        name.trim_end_matches([',', ')', ';']) == alias
            && (["from", "join", "update", "into"].contains(before) || before.ends_with(','))
            && !table.is_empty()
    });
    named.map_or(alias, |[_, table, _]| table)
}
