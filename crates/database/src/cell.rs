//! Values that are bound to a statement.

use std::borrow::Cow;

use rusqlite::types::{ToSqlOutput, ValueRef};

/// The value of a column in one row.
#[derive(Debug)]
pub enum Cell<'a> {
    /// For [`Kind::Text`](crate::Kind::Text).
    Text(Option<Cow<'a, str>>),
    /// For [`Kind::Integer`](crate::Kind::Integer).
    Integer(Option<i64>),
    /// For [`Kind::Boolean`](crate::Kind::Boolean).
    Boolean(Option<bool>),
    /// For [`Kind::Bytes`](crate::Kind::Bytes).
    Bytes(Option<&'a [u8]>),
}

impl Cell<'_> {
    /// The value that SQLite binds.
    pub(crate) fn value(&self) -> ToSqlOutput<'_> {
        ToSqlOutput::Borrowed(match self {
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Integer(Some(number)) => ValueRef::Integer(*number),
            Self::Boolean(Some(is)) => ValueRef::Integer((*is).into()),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Text(None) | Self::Integer(None) | Self::Boolean(None) | Self::Bytes(None) => {
                ValueRef::Null
            }
        })
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
