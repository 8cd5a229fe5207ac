//! The texts of one statement, for each database and for one row or several.

use crate::{Count, Dialect};

/// The texts of a statement that rows are bound to, made once: `static FOUND: LazyLock<Texts> =
/// LazyLock::new(|| Texts::new(…))`.
#[derive(Debug)]
pub struct Texts {
    sqlite: [String; 2],
    postgres: [String; 2],
}

impl Texts {
    /// The texts that `make` gives.
    pub fn new(make: impl Fn(Dialect, Count) -> String) -> Self {
        let both = |dialect| [make(dialect, Count::One), make(dialect, Count::Many)];
        Self { sqlite: both(Dialect::Sqlite), postgres: both(Dialect::Postgres) }
    }

    /// The text for a store and a number of rows.
    pub fn get(&self, dialect: Dialect, count: Count) -> &str {
        let [one, many] = match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        };
        match count {
            Count::One => one,
            Count::Many => many,
        }
    }
}
