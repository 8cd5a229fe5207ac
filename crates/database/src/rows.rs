//! Rows bound to a statement: any number, in one round trip, under one prepared text. PostgreSQL
//! gets an array per column. SQLite gets one row as parameters and several as one JSON array. The
//! statement sees a table with these columns, unless it names them by [`Bound`](crate::Bound).

use std::borrow::Cow;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use serde::{Serialize, Serializer, ser::SerializeSeq as _};
use sqlx::{
    Postgres, Sqlite,
    query::{Query, QueryAs},
};

use crate::{Cell, Columns, Count, Dialect, Kind};

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
        Count::of(self.count)
    }

    /// The table of these rows, bound from parameter `first` on; see [`Dialect::table`].
    pub fn table(&self, dialect: Dialect, first: usize) -> String {
        dialect.table(self.names, self.count(), first)
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

#[cfg(test)]
mod tests;
