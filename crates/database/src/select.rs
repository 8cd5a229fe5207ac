//! Read statements: one text for both databases, run inside or outside a transaction.

use std::{borrow::Cow, pin::pin};

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    BindRows as _, Cell, Database, DatabaseError, Dialect, Readers, Rows, Transaction,
    measure::Measured, told::Told,
};

/// Bound rows up to which SQLite is queried on the calling thread.
const FEW: usize = 8;

/// A statement that reads: its text, with `$1`, `$2`, … for its parameters, and their values.
#[derive(Debug)]
pub struct Select<'a> {
    sql: Cow<'a, str>,
    parameters: Vec<Parameter<'a>>,
    is_brief: bool,
}

#[derive(Debug)]
enum Parameter<'a> {
    Cell(Cell<'a>),
    Rows(&'a Rows<'a>),
    Any(&'a [&'a str]),
}

/// What a row is read into: a tuple of texts, whole numbers, numbers, booleans, bytes, and options
/// of them.
pub trait Row:
    Send
    + Unpin
    + 'static
    + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
    + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
    + for<'r> TryFrom<&'r rusqlite::Row<'r>, Error = rusqlite::Error>
{
}

impl<T> Row for T where
    T: Send
        + Unpin
        + 'static
        + for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow>
        + for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>
        + for<'r> TryFrom<&'r rusqlite::Row<'r>, Error = rusqlite::Error>
{
}

/// Where a statement reads.
#[derive(Debug)]
pub enum Source<'a> {
    /// On any free connection.
    Outside(&'a Database),
    /// Inside a transaction, under its locks.
    Within(&'a mut Transaction),
    /// On the caller's connection, without a transaction.
    Alone(&'a mut PgConnection),
}

impl Source<'_> {
    /// The dialect of the store.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Outside(database) => database.dialect(),
            Self::Within(transaction) => transaction.dialect(),
            Self::Alone(_) => Dialect::Postgres,
        }
    }
}

impl<'a> From<&'a Database> for Source<'a> {
    fn from(database: &'a Database) -> Self {
        Self::Outside(database)
    }
}

impl<'a> From<&'a mut Transaction> for Source<'a> {
    fn from(transaction: &'a mut Transaction) -> Self {
        Self::Within(transaction)
    }
}

impl<'a> From<&'a mut Source<'_>> for Source<'a> {
    fn from(source: &'a mut Source<'_>) -> Self {
        match source {
            Source::Outside(database) => Self::Outside(database),
            Source::Within(transaction) => Self::Within(transaction),
            Source::Alone(connection) => Self::Alone(connection),
        }
    }
}

macro_rules! bound {
    ($query:expr, $parameters:expr, $any:expr) => {
        $parameters.iter().fold($query, |query, parameter| match parameter {
            Parameter::Cell(Cell::Text(text)) => query.bind(text.as_deref()),
            Parameter::Cell(Cell::Integer(number)) => query.bind(*number),
            Parameter::Cell(Cell::Boolean(is)) => query.bind(*is),
            Parameter::Cell(Cell::Bytes(bytes)) => query.bind(*bytes),
            Parameter::Rows(rows) => query.bind_rows(rows),
            Parameter::Any([only]) => query.bind(*only),
            Parameter::Any(texts) => query.bind($any(texts)),
        })
    };
}

fn array<'t>(texts: &'t [&'t str]) -> &'t [&'t str] {
    texts
}

fn json(texts: &[&str]) -> String {
    // INVARIANT: an array of texts is JSON.
    serde_json::to_string(texts).unwrap_or_default()
}

impl<'a> Select<'a> {
    /// A statement without parameters. The text must be the service's own: values are bound.
    pub fn new(sql: impl Into<Cow<'a, str>>) -> Self {
        Self { sql: sql.into(), parameters: Vec::new(), is_brief: false }
    }

    /// Binds a value to the next parameter.
    pub fn bind(mut self, value: impl Into<Cell<'a>>) -> Self {
        self.parameters.push(Parameter::Cell(value.into()));
        self
    }

    /// Binds rows to the next parameters.
    pub fn bind_rows(mut self, rows: &'a Rows<'a>) -> Self {
        self.parameters.push(Parameter::Rows(rows));
        self
    }

    /// Binds texts to the next parameter, as [`Dialect::is_any`] reads them. The text of the
    /// statement must be the one for their [`Count`].
    pub fn bind_any(mut self, texts: &'a [&'a str]) -> Self {
        self.parameters.push(Parameter::Any(texts));
        self
    }

    /// Says that it mostly finds a few rows by their keys, or, when rows are bound, a few for each.
    /// With at most [`FEW`] bound rows SQLite is then read on the calling thread: waking another
    /// thread costs more than the reading.
    pub fn brief(mut self) -> Self {
        self.is_brief = true;
        self
    }

    /// All rows.
    pub async fn all<T: Row>(self, source: impl Into<Source<'_>>) -> Result<Vec<T>, DatabaseError> {
        match source.into() {
            Source::Outside(database) => {
                let measured = Measured::begin(database.name(), "read");
                measured.end(self.found(Source::Outside(database)).await)
            }
            // The transaction is measured as a whole.
            source => self.found(source).await,
        }
    }

    async fn found<T: Row>(self, source: Source<'_>) -> Result<Vec<T>, DatabaseError> {
        let sql = |sql: Cow<'_, str>| AssertSqlSafe(sql.into_owned());
        Ok(match source {
            Source::Outside(Database::Sqlite { readers, .. }) => {
                return self.of_file(readers).await;
            }
            Source::Outside(Database::Postgres(link)) => {
                let mut connection = link.acquire().await?;
                let query = bound!(sqlx::query_as(sql(self.sql)), self.parameters, array);
                link.unless_away(pin!(query.fetch_all(&mut *connection))).await?
            }
            Source::Within(Transaction::Sqlite(inner)) => {
                bound!(sqlx::query_as(sql(self.sql)), self.parameters, json)
                    .fetch_all(&mut **inner)
                    .await?
            }
            Source::Within(Transaction::Postgres(inner)) => {
                let link = inner.link();
                let query = bound!(sqlx::query_as(sql(self.sql)), self.parameters, array);
                link.unless_away(pin!(query.fetch_all(&mut **inner))).await?
            }
            Source::Alone(connection) => {
                bound!(sqlx::query_as(sql(self.sql)), self.parameters, array)
                    .fetch_all(connection)
                    .await?
            }
        })
    }

    /// The first row, if there is any.
    pub async fn optional<T: Row>(
        self,
        source: impl Into<Source<'_>>,
    ) -> Result<Option<T>, DatabaseError> {
        Ok(self.all(source).await?.into_iter().next())
    }

    /// The only row of a statement that always has one.
    pub async fn one<T: Row>(self, source: impl Into<Source<'_>>) -> Result<T, DatabaseError> {
        self.optional(source)
            .await?
            .ok_or_else(|| DatabaseError::Corrupt("a statement without a row".to_owned()))
    }

    async fn of_file<T: Row>(self, readers: &Readers) -> Result<Vec<T>, DatabaseError> {
        let is_about_few = |parameter: &Parameter<'_>| match parameter {
            Parameter::Cell(_) => true,
            Parameter::Rows(rows) => rows.len() <= FEW,
            Parameter::Any(texts) => texts.len() <= FEW,
        };
        let mut values = Vec::with_capacity(self.parameters.len());
        self.parameters.iter().for_each(|parameter| parameter.put(&mut values));
        if self.is_brief && self.parameters.iter().all(is_about_few) {
            // Lets other tasks run between many short reads.
            tokio::task::coop::consume_budget().await;
            let told = Told::begin(&self.sql);
            if let Some(rows) =
                readers.ask_briefly(|connection| rows(connection, &self.sql, &values))?
            {
                told.end(rows.len());
                return Ok(rows);
            }
        }
        let values: Vec<_> = values.into_iter().map(owned).collect();
        let told = Told::begin(&self.sql);
        let sql = self.sql.into_owned();
        let found = readers.ask(move |connection| rows(connection, &sql, &values)).await?;
        told.end(found.len());
        Ok(found)
    }
}

impl Parameter<'_> {
    fn put<'p>(&'p self, values: &mut Vec<ToSqlOutput<'p>>) {
        match self {
            Self::Cell(cell) => values.push(cell.value()),
            Self::Rows(rows) => rows.put(values),
            Self::Any([only]) => {
                values.push(ToSqlOutput::Borrowed(ValueRef::Text(only.as_bytes())));
            }
            Self::Any(texts) => values.push(ToSqlOutput::Owned(Value::Text(json(texts)))),
        }
    }
}

fn owned(value: ToSqlOutput<'_>) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(match value {
        ToSqlOutput::Owned(value) => value,
        ToSqlOutput::Borrowed(value) => Value::try_from(value).unwrap_or(Value::Null),
        // INVARIANT: a cell makes no other.
        _ => Value::Null,
    })
}

/// The rows that a statement finds in an open file.
fn rows<T: Row>(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[ToSqlOutput<'_>],
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    for place in 1..=statement.parameter_count() {
        // SQLite numbers parameters as they come in the text; `$2` may come before `$1`.
        let number = statement
            .parameter_name(place)
            .and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), place))?;
        statement.raw_bind_parameter(place, value)?;
    }
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(T::try_from(row)?);
    }
    Ok(rows)
}
