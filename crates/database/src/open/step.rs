//! The steps that make the tables of a store, and what each demands of programs that run beside it.
//!
//! The steps of the first version are kept in the table of sqlx, and a program of that version
//! refuses every other step there. Later steps are kept in a table of their own: their names begin
//! with `expand` or `contract needs <number>`, so that a program which does not know a step reads
//! there whether it may run.

use std::borrow::Cow;

use sqlx::migrate::{Migration, Migrator};

/// The table of the steps of the first version.
pub const FIRST_TABLE: &str = "_sqlx_migrations";
/// The table of all later steps.
pub const LATER_TABLE: &str = "schema_step";

/// The same steps in both dialects.
#[derive(Debug)]
pub struct Migrations {
    /// For SQLite.
    pub sqlite: &'static Migrator,
    /// For PostgreSQL.
    pub postgres: &'static Migrator,
}

/// What a step demands of programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// A step of the first version: every program must know it.
    First,
    /// Adds something; programs that do not know it go on working.
    Expand,
    /// Takes something away that programs stopped using when they learned the step of this number.
    Contract(i64),
}

impl Demand {
    /// The demand that a step's name states: `expand …`, `contract needs 0101 …`, or anything else
    /// in the first version.
    pub fn of(name: &str) -> Self {
        let mut words = name.split(' ');
        match (words.next(), words.next(), words.next().map(str::parse)) {
            (Some("expand"), ..) => Self::Expand,
            (Some("contract"), Some("needs"), Some(Ok(number))) => Self::Contract(number),
            _ => Self::First,
        }
    }

    /// True when a program that knows these steps, but not this one, may run beside it.
    pub fn admits(self, known: &[&Migration]) -> bool {
        match self {
            Self::First => false,
            Self::Expand => true,
            Self::Contract(number) => known.iter().any(|step| step.version == number),
        }
    }
}

/// A step that was applied.
#[derive(Debug, sqlx::FromRow)]
pub struct Applied {
    /// Its number.
    #[sqlx(rename = "version")]
    pub number: i64,
    /// Its name, such as `expand retention`.
    #[sqlx(rename = "description")]
    pub name: String,
    /// The checksum of its text.
    pub checksum: Vec<u8>,
}

/// A step as people read it: `0101 expand retention`.
pub fn spoken(number: i64, name: &str) -> String {
    format!("{number:04} {name}")
}

/// A migrator for each step of `all` in turn, and one without a step, which creates the table of
/// the later steps. Two crates share the tables, each with numbers of its own.
pub fn migrators(all: &[&Migration]) -> Vec<Migrator> {
    let one = |steps: Vec<Migration>, table| Migrator {
        migrations: steps.into(),
        ignore_missing: true,
        table_name: Cow::Borrowed(table),
        // Programs of the first version take this lock before they create the first tables.
        locking: table == FIRST_TABLE,
        ..Migrator::DEFAULT
    };
    let of_step = |step: &&Migration| match Demand::of(&step.description) {
        Demand::First => one(vec![(*step).clone()], FIRST_TABLE),
        _ => one(vec![(*step).clone()], LATER_TABLE),
    };
    all.iter().map(of_step).chain([one(Vec::new(), LATER_TABLE)]).collect()
}

/// True when a migrator's step runs outside a transaction, as an index that is built beside traffic
/// must.
pub fn is_beside_traffic(migrator: &Migrator) -> bool {
    migrator.iter().any(|step| step.no_tx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_step_says_what_it_demands() {
        for (name, expected) in [
            ("catalog", Demand::First),
            ("expand retention", Demand::Expand),
            ("expand", Demand::Expand),
            ("expanded", Demand::First),
            ("contract needs 0101 drop note", Demand::Contract(101)),
            ("contract drop note", Demand::First),
        ] {
            assert_eq!(Demand::of(name), expected, "{name}");
        }
    }
}
