//! Rows that travel to a statement in one parameter, as a JSON array of objects: as many as wanted, in one round trip,
//! under one prepared text. `value ->> 'name'` reads a field on either store.

use crate::{Database, Transaction};

/// Which words a store has for JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// A table with one `value` per object of the array in parameter `number`. PostgreSQL's planner takes the condition
    /// for one that few fulfil, so it begins with these rows and finds the others by key, in a young table too, of which
    /// it knows nothing.
    pub fn elements(self, number: usize) -> String {
        match self {
            Self::Sqlite => format!("json_each(${number})"),
            Self::Postgres => format!(
                "(select value from jsonb_array_elements(${number}::jsonb) value where jsonb_typeof(value) = 'object') rows"
            ),
        }
    }

    /// An expression for the text of a JSON array of these columns.
    pub fn array(self, columns: &str) -> String {
        match self {
            Self::Sqlite => format!("json_array({columns})"),
            Self::Postgres => format!("json_build_array({columns})::text"),
        }
    }
}

impl Database {
    /// Which store it is.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

impl Transaction {
    /// Which store it is on.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}
