//! Names for bound rows within a statement: parameters for one row, a table for several.

use crate::{Columns, Count, Dialect};

/// Bound rows under a name. To SQLite one row alone is its parameters: of a table it would make a
/// new one, and fill it, wherever the table is joined.
#[derive(Clone, Debug)]
pub struct Bound {
    columns: Columns,
    seen: Seen,
}

#[derive(Clone, Debug)]
enum Seen {
    /// One row, from this parameter on.
    Parameters(usize),
    /// A table under a name.
    Table { name: &'static str, table: String },
}

impl Dialect {
    /// The rows bound from parameter `first` on, as `name`.
    pub fn bound(self, name: &'static str, columns: Columns, count: Count, first: usize) -> Bound {
        let seen = match (self, count) {
            (Self::Sqlite, Count::One) => Seen::Parameters(first),
            _ => Seen::Table { name, table: self.table(columns, count, first) },
        };
        Bound { columns, seen }
    }
}

impl Bound {
    /// The `with` of a statement: the rows, then `others`; nothing when there is neither.
    pub fn with(&self, others: &[&str]) -> String {
        let rows = match &self.seen {
            Seen::Parameters(_) => None,
            Seen::Table { name, table } => {
                Some(format!("{name} as (select * from {table} {name})"))
            }
        };
        let parts: Vec<&str> =
            rows.iter().map(String::as_str).chain(others.iter().copied()).collect();
        if parts.is_empty() { String::new() } else { format!("with {}", parts.join(", ")) }
    }

    /// A cell of a row, by its column, which must be one of the rows'.
    pub fn cell(&self, column: &str) -> String {
        let place = self.columns.iter().position(|(name, _)| *name == column);
        debug_assert!(place.is_some(), "{column} is not among {:?}", self.columns);
        match &self.seen {
            Seen::Parameters(first) => format!("${}", first + place.unwrap_or_default()),
            Seen::Table { name, .. } => format!("{name}.{column}"),
        }
    }

    /// The rows to join others to.
    pub fn rows(&self) -> &str {
        match &self.seen {
            Seen::Parameters(_) => "(select 1)",
            Seen::Table { name, .. } => name,
        }
    }

    /// The rows with a table, which a `where` picks from.
    pub fn joined(&self, table: &str) -> String {
        match &self.seen {
            Seen::Parameters(_) => table.to_owned(),
            Seen::Table { name, .. } => format!("{name} cross join {table}"),
        }
    }
}
