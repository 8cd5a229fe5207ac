//! Names for bound rows within a statement: parameters for one row, a table for several.

use crate::{Columns, Count, Dialect};

/// Bound rows under a name. For SQLite a single row is its parameters: a table of one row would be
/// built again wherever it is joined.
#[derive(Clone, Debug)]
pub struct Bound {
    columns: Columns,
    seen: Seen,
}

#[derive(Clone, Debug)]
enum Seen {
    /// One row, from this parameter on.
    Parameters(usize),
    /// A table under a name. PostgreSQL makes it of an array per column, from this parameter on.
    Table { name: &'static str, table: String, arrays_from: Option<usize> },
}

impl Dialect {
    /// The rows bound from parameter `first` on, as `name`.
    pub fn bound(self, name: &'static str, columns: Columns, count: Count, first: usize) -> Bound {
        let seen = match (self, count) {
            (Self::Sqlite, Count::One) => Seen::Parameters(first),
            _ => Seen::Table {
                name,
                table: self.table(columns, count, first),
                arrays_from: (self == Self::Postgres).then_some(first),
            },
        };
        Bound { columns, seen }
    }
}

impl Bound {
    /// The `with` of a statement: the rows, then `others`; nothing when there is neither.
    pub fn with(&self, others: &[&str]) -> String {
        let rows = match &self.seen {
            Seen::Parameters(_) => None,
            Seen::Table { name, table, .. } => {
                Some(format!("{name} as (select * from {table} {name})"))
            }
        };
        let parts: Vec<&str> =
            rows.iter().map(String::as_str).chain(others.iter().copied()).collect();
        if parts.is_empty() { String::new() } else { format!("with {}", parts.join(", ")) }
    }

    /// A cell of a row, by its column, which must be one of the rows'.
    pub fn cell(&self, column: &str) -> String {
        match &self.seen {
            Seen::Parameters(first) => format!("${}", first + self.place(column)),
            Seen::Table { name, .. } => format!("{name}.{column}"),
        }
    }

    /// The condition that the text `other` equals a cell. For PostgreSQL it says as well that it is
    /// one of all cells of the column: by that a customer's rows are found by their key, and on
    /// their servers, whatever the planner knows about the table.
    pub fn is_cell(&self, other: &str, column: &str) -> String {
        let condition = format!("{other} = {}", self.cell(column));
        match self.seen {
            Seen::Table { arrays_from: Some(first), .. } => {
                format!("{condition} and {other} = any(${}::text[])", first + self.place(column))
            }
            _ => condition,
        }
    }

    fn place(&self, column: &str) -> usize {
        let place = self.columns.iter().position(|(name, _)| *name == column);
        debug_assert!(place.is_some(), "{column} is not among {:?}", self.columns);
        place.unwrap_or_default()
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
