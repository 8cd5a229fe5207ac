//! Rows that travel to a statement: as many as wanted, in one round trip, under one prepared text.
//! PostgreSQL takes an array per column; SQLite takes one row as parameters and several as one JSON
//! array. The statement sees a table with these columns in any case, unless it names them by way of
//! [`Bound`](crate::Bound).

use std::borrow::Cow;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use sqlx::{
    Postgres, Sqlite,
    query::{Query, QueryAs},
};

use crate::{Database, Transaction};

/// Which words a store has.
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

/// The value of a column in one row.
#[derive(Debug)]
pub enum Cell<'a> {
    /// For [`Kind::Text`].
    Text(Option<Cow<'a, str>>),
    /// For [`Kind::Integer`].
    Integer(Option<i64>),
    /// For [`Kind::Boolean`].
    Boolean(Option<bool>),
    /// For [`Kind::Bytes`].
    Bytes(Option<&'a [u8]>),
}

/// For how many rows the text of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// One.
    One,
    /// Any other number.
    Many,
}

/// Rows with the same columns.
#[derive(Debug)]
pub struct Rows<'a> {
    names: Columns,
    columns: Vec<Column<'a>>,
    count: usize,
}

#[derive(Debug)]
enum Column<'a> {
    Text(Vec<Option<Cow<'a, str>>>),
    Integer(Vec<Option<i64>>),
    Boolean(Vec<Option<bool>>),
    Bytes(Vec<Option<&'a [u8]>>),
}

impl<'a> Rows<'a> {
    /// No rows yet.
    pub fn new(columns: Columns) -> Self {
        let column = |(_, kind): &(&str, Kind)| match kind {
            Kind::Text => Column::Text(Vec::new()),
            Kind::Integer => Column::Integer(Vec::new()),
            Kind::Boolean => Column::Boolean(Vec::new()),
            Kind::Bytes => Column::Bytes(Vec::new()),
        };
        Self { names: columns, columns: columns.iter().map(column).collect(), count: 0 }
    }

    /// Adds a row; a value that is missing, or of another kind than its column, is null.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell<'a>>) {
        let mut cells = row.into_iter();
        for column in &mut self.columns {
            match (column, cells.next()) {
                (Column::Text(column), Some(Cell::Text(text))) => column.push(text),
                (Column::Integer(column), Some(Cell::Integer(number))) => column.push(number),
                (Column::Boolean(column), Some(Cell::Boolean(is))) => column.push(is),
                (Column::Bytes(column), Some(Cell::Bytes(bytes))) => column.push(bytes),
                (Column::Text(column), _) => column.push(None),
                (Column::Integer(column), _) => column.push(None),
                (Column::Boolean(column), _) => column.push(None),
                (Column::Bytes(column), _) => column.push(None),
            }
        }
        self.count += 1;
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// For which a statement about them must be.
    pub fn count(&self) -> Count {
        if self.count == 1 { Count::One } else { Count::Many }
    }

    /// The table of these rows, bound from parameter `first` on; see [`Dialect::table`].
    pub fn table(&self, dialect: Dialect, first: usize) -> String {
        dialect.table(self.names, self.count(), first)
    }
}

impl Dialect {
    /// The table of rows bound from parameter `first` on. Join others to it with `cross join …
    /// where`: SQLite keeps that order, so it begins with these rows; of a plain join it may begin
    /// with all that a tenant has.
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
                // `jsonb_each` hands its elements over as they lie there; `json_each` writes each
                // out as text, to be read again for every cell.
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
                // The planner takes the condition for one that few fulfil, so it begins with these
                // rows and finds the others by key, in a young table too, of which it knows
                // nothing.
                format!(
                    "(select * from unnest({parameters}) rows ({names}) where abs({number}) = {number})"
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

    /// Makes a part of a `with` be worked out once, before what follows from it. SQLite begins with
    /// it in any case, and to it a table of its own would only be a cost.
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
}

/// A statement to which rows may be bound.
pub trait BindRows<'q>: Sized {
    /// Binds the rows to the next parameters.
    fn bind_rows(self, rows: &'q Rows<'_>) -> Self;
}

/// A store that takes rows.
pub trait TakesRows: sqlx::Database {
    /// Binds them to a statement.
    fn bind<'q>(
        query: Query<'q, Self, Self::Arguments>,
        rows: &Rows<'_>,
    ) -> Query<'q, Self, Self::Arguments>;

    /// Binds them to a statement that reads.
    fn bind_as<'q, O>(
        query: QueryAs<'q, Self, O, Self::Arguments>,
        rows: &'q Rows<'_>,
    ) -> QueryAs<'q, Self, O, Self::Arguments>;
}

impl<'q, D: TakesRows> BindRows<'q> for Query<'q, D, D::Arguments> {
    fn bind_rows(self, rows: &'q Rows<'_>) -> Self {
        D::bind(self, rows)
    }
}

impl<'q, D: TakesRows, O> BindRows<'q> for QueryAs<'q, D, O, D::Arguments> {
    fn bind_rows(self, rows: &'q Rows<'_>) -> Self {
        D::bind_as(self, rows)
    }
}

macro_rules! bound {
    ($query:expr, $rows:expr) => {
        $rows.columns.iter().fold($query, |query, column| match column {
            Column::Text(values) => query.bind(values),
            Column::Integer(values) => query.bind(values),
            Column::Boolean(values) => query.bind(values),
            Column::Bytes(values) => query.bind(values),
        })
    };
}

impl TakesRows for Postgres {
    fn bind<'q>(
        query: Query<'q, Self, Self::Arguments>,
        rows: &Rows<'_>,
    ) -> Query<'q, Self, Self::Arguments> {
        bound!(query, rows)
    }

    fn bind_as<'q, O>(
        query: QueryAs<'q, Self, O, Self::Arguments>,
        rows: &'q Rows<'_>,
    ) -> QueryAs<'q, Self, O, Self::Arguments> {
        bound!(query, rows)
    }
}

/// The only row, cell by cell; or all of them in one.
macro_rules! bound_on_sqlite {
    ($query:expr, $rows:expr) => {
        match $rows.count() {
            Count::One => $rows.columns.iter().fold($query, |query, column| match column {
                Column::Text(values) => query.bind(values.first().and_then(Option::as_deref)),
                Column::Integer(values) => query.bind(values.first().copied().flatten()),
                Column::Boolean(values) => query.bind(values.first().copied().flatten()),
                Column::Bytes(values) => query.bind(values.first().copied().flatten()),
            }),
            Count::Many => $query.bind($rows.json()),
        }
    };
}

impl TakesRows for Sqlite {
    fn bind<'q>(
        query: Query<'q, Self, Self::Arguments>,
        rows: &Rows<'_>,
    ) -> Query<'q, Self, Self::Arguments> {
        bound_on_sqlite!(query, rows)
    }

    fn bind_as<'q, O>(
        query: QueryAs<'q, Self, O, Self::Arguments>,
        rows: &'q Rows<'_>,
    ) -> QueryAs<'q, Self, O, Self::Arguments> {
        bound_on_sqlite!(query, rows)
    }
}

impl Rows<'_> {
    /// The values of the parameters that SQLite takes them as.
    pub(crate) fn put<'r>(&'r self, values: &mut Vec<ToSqlOutput<'r>>) {
        match self.count() {
            Count::One => values.extend(self.columns.iter().map(Column::first)),
            Count::Many => values.push(ToSqlOutput::Owned(Value::Text(self.json()))),
        }
    }

    fn json(&self) -> String {
        // INVARIANT: text, numbers and booleans in arrays are JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.count).map(|place| Row { rows: self, place }))
    }
}

impl Column<'_> {
    /// Of the only row.
    fn first(&self) -> ToSqlOutput<'_> {
        fn text(text: &str) -> ValueRef<'_> {
            ValueRef::Text(text.as_bytes())
        }
        let number = |number: Option<i64>| number.map(ValueRef::Integer);
        let value = match self {
            Column::Text(values) => values.first().and_then(Option::as_deref).map(text),
            Column::Integer(values) => number(values.first().copied().flatten()),
            Column::Boolean(values) => number(values.first().copied().flatten().map(i64::from)),
            Column::Bytes(values) => values.first().copied().flatten().map(ValueRef::Blob),
        };
        ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null))
    }
}

struct Row<'r> {
    rows: &'r Rows<'r>,
    place: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cells = serializer.serialize_seq(Some(self.rows.columns.len()))?;
        for column in &self.rows.columns {
            match column {
                Column::Text(values) => cells.serialize_element(&values.get(self.place))?,
                Column::Integer(values) => cells.serialize_element(&values.get(self.place))?,
                Column::Boolean(values) => cells.serialize_element(&values.get(self.place))?,
                Column::Bytes(values) => cells.serialize_element(
                    &values.get(self.place).copied().flatten().map(hex::encode),
                )?,
            }
        }
        cells.end()
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(text.as_str().into()))
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Into::into))
    }
}

impl From<Option<String>> for Cell<'_> {
    fn from(text: Option<String>) -> Self {
        Self::Text(text.map(Into::into))
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<usize> for Cell<'_> {
    fn from(number: usize) -> Self {
        Self::Integer(i64::try_from(number).ok())
    }
}

impl From<Option<i64>> for Cell<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Cell<'_> {
    fn from(is: bool) -> Self {
        Self::Boolean(Some(is))
    }
}

impl<'a> From<&'a [u8]> for Cell<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Some(bytes))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, PoolSizes, Select};

    const COLUMNS: Columns = &[
        ("place", Kind::Integer),
        ("word", Kind::Text),
        ("number", Kind::Integer),
        ("truth", Kind::Boolean),
        ("bytes", Kind::Bytes),
    ];

    type Sent = (Option<&'static str>, Option<i64>, Option<bool>, Option<&'static [u8]>);
    type Found = (Option<String>, Option<i64>, Option<i64>, Option<Vec<u8>>);

    const ROWS: [Sent; 4] = [
        (Some("o'clock \"\u{ff}\" \\ \u{1f550}"), Some(i64::MAX), Some(true), Some(&[0, 255, 34])),
        (Some(""), Some(i64::MIN), Some(false), Some(&[])),
        (None, None, None, None),
        (Some("null"), Some(0), Some(true), Some(b"[]")),
    ];

    /// Sends rows between other parameters and takes them back.
    async fn arrive(database: &Database, sent: &[Sent]) {
        let mut rows = Rows::new(COLUMNS);
        for (place, (word, number, truth, bytes)) in sent.iter().enumerate() {
            rows.push([
                place.into(),
                (*word).into(),
                (*number).into(),
                Cell::Boolean(*truth),
                Cell::Bytes(*bytes),
            ]);
        }
        let dialect = database.dialect();
        let sql = format!(
            "select word, number, cast(case when truth then 1 when not truth then 0 end as bigint), bytes
             from {} asked where $1 = 'first' and ${} = 'last' order by place",
            rows.table(dialect, 2),
            2 + dialect.parameters(COLUMNS, rows.count()),
        );
        let select = || Select::new(sql.as_str()).bind("first").bind_rows(&rows).bind("last");
        let (found, briefly): (Vec<Found>, Vec<Found>) =
            (select().all(database).await.unwrap(), select().brief().all(database).await.unwrap());
        assert_eq!(found, briefly);
        let found = found.iter().map(|(word, number, truth, bytes)| {
            (word.as_deref(), *number, truth.map(|truth| truth == 1), bytes.as_deref())
        });
        assert_eq!(found.collect::<Vec<_>>(), sent);
    }

    async fn all_arrive(location: Location) {
        let database = Database::open(&location, "rows", PoolSizes::default(), &[]).await.unwrap();
        arrive(&database, &[]).await;
        arrive(&database, &ROWS).await;
        for row in ROWS {
            arrive(&database, &[row]).await;
        }
    }

    #[tokio::test]
    async fn none_one_or_many_arrive_as_they_were_sent_on_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        all_arrive(Location::Folder(folder.path().to_owned())).await;
    }

    #[tokio::test]
    async fn none_one_or_many_arrive_as_they_were_sent_on_postgres() {
        all_arrive(Location::Url(testkit::fresh_database_url().await)).await;
    }
}
