//! What differs between the texts for SQLite and PostgreSQL.

use crate::{Database, Transaction};

/// The SQL that a store understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// What a column holds; any of them may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// Bytes.
    Bytes,
}

/// Names and kinds of columns. The first is a number of 0 or more in every row.
pub type Columns = &'static [(&'static str, Kind)];

/// For how many rows the text of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// One.
    One,
    /// Any other number.
    Many,
}

impl Count {
    /// That of so many rows.
    pub fn of(count: usize) -> Self {
        if count == 1 { Self::One } else { Self::Many }
    }
}

impl Dialect {
    /// The table of rows bound from parameter `first` on. Join others to it with `cross join …
    /// where`: SQLite keeps that order and begins with these rows. A plain join may begin with all
    /// rows of a tenant.
    pub fn table(self, columns: Columns, count: Count, first: usize) -> String {
        let names = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        match (self, count) {
            (Self::Sqlite, Count::One) => {
                let cell =
                    |(number, (name, _)): (usize, &(&str, Kind))| format!("${number} as {name}");
                format!(
                    "(select {})",
                    (first..).zip(columns).map(cell).collect::<Vec<_>>().join(", ")
                )
            }
            (Self::Sqlite, Count::Many) => {
                let cell = |(place, (name, kind)): (usize, &(&str, Kind))| match kind {
                    Kind::Bytes => format!("unhex(value ->> {place}) as {name}"),
                    _ => format!("value ->> {place} as {name}"),
                };
                let cells = columns.iter().enumerate().map(cell).collect::<Vec<_>>().join(", ");
                // `json_each` would write each element as text and parse it again for every cell.
                format!("(select {cells} from jsonb_each(${first}))")
            }
            (Self::Postgres, _) => {
                let parameter = |(number, (_, kind)): (usize, &(&str, Kind))| match kind {
                    Kind::Text => format!("${number}::text[]"),
                    Kind::Integer => format!("${number}::bigint[]"),
                    Kind::Boolean => format!("${number}::boolean[]"),
                    Kind::Bytes => format!("${number}::bytea[]"),
                };
                let parameters =
                    (first..).zip(columns).map(parameter).collect::<Vec<_>>().join(", ");
                let number = columns.first().map_or("", |(name, _)| name);
                // The planner expects few rows to fulfill the condition. So it begins with these
                // rows and finds the others by key, also in a new table without statistics.
                format!(
                    "(select * from unnest({parameters}) rows ({names})
                     where abs({number}) = {number})"
                )
            }
        }
    }

    /// How many parameters the rows are bound to.
    pub fn parameters(self, columns: Columns, count: Count) -> usize {
        match (self, count) {
            (Self::Sqlite, Count::Many) => 1,
            _ => columns.len(),
        }
    }

    /// Computes a part of a `with` once, before the parts that use it. SQLite begins with it in any
    /// case, and a temporary table would only cost time.
    pub fn once(self) -> &'static str {
        match self {
            Self::Sqlite => "not materialized",
            Self::Postgres => "materialized",
        }
    }

    /// An expression for the text of a JSON array of these columns.
    pub fn array(self, columns: &str) -> String {
        match self {
            Self::Sqlite => format!("json_array({columns})"),
            Self::Postgres => format!("json_build_array({columns})::text"),
        }
    }

    /// `select` with row locks. SQLite needs none: its writer is alone.
    pub fn locking(self, select: &str) -> String {
        match self {
            Self::Sqlite => select.to_owned(),
            Self::Postgres => format!("{select} for update"),
        }
    }

    /// The condition that `column` is one of the texts bound to a parameter by
    /// [`Select::bind_any`](crate::Select::bind_any).
    pub fn is_any(self, column: &str, count: Count, parameter: usize) -> String {
        match (self, count) {
            (_, Count::One) => format!("{column} = ${parameter}"),
            (Self::Postgres, Count::Many) => format!("{column} = any(${parameter}::text[])"),
            (Self::Sqlite, Count::Many) => {
                format!("{column} in (select value from json_each(${parameter}))")
            }
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
