//! Reads a file of customer records row by row as it arrives. Reading blocks, so it needs a thread
//! of its own.

mod csv;
mod encoding;
mod incoming;
mod json_lines;
mod turn;

use std::io::{self, Read};

use crate::domain::{Faults, record::Changes, schema::Schema};

pub use csv::Separator;
pub use incoming::Incoming;
pub use turn::Turns;

/// Most bytes of a row in the file.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;
/// Most rows of a file.
pub const ROWS_MAX: u64 = 1_000_000;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Separated values under a header line; none when the header line shows what separates them.
    Csv(Option<Separator>),
    /// One JSON object a line.
    JsonLines,
}

/// A row of a file.
#[derive(Debug)]
pub struct FileRow {
    /// Place among the rows, from 1; the header line is none.
    pub number: u64,
    /// Line of the file on which it begins, from 1.
    pub line: u64,
    /// Its customer, as far as it could be read.
    pub customer_id: String,
    /// What it sets, or its faults by field.
    pub read: Result<Changes, Faults>,
}

/// Why a file cannot be read on. Each text goes on after the words "the file".
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// What is wrong with the file as such: its header line, its encoding, its line ends.
    #[error("{}", .0.join("; "))]
    File(Vec<String>),
    /// A row that is too long to be a record.
    #[error(
        "has more than {ROW_BYTES_MAX} bytes in the row that begins on line {line}{}",
        .quote.map(|line| format!(": the quote opened on line {line} is not closed"))
            .unwrap_or_default()
    )]
    Row {
        /// Where it begins.
        line: u64,
        /// Where the quote in which it breaks off was opened.
        quote: Option<u64>,
    },
    /// More rows than a file may have.
    #[error("has more than {ROWS_MAX} rows; send the others as another file")]
    Rows,
    /// The bytes stopped coming.
    #[error("broke off before its end")]
    Broken(#[source] io::Error),
}

impl FileError {
    fn of_file(fault: impl Into<String>) -> Self {
        Self::File(vec![fault.into()])
    }
}

/// Reads all rows of a file and hands each to `take`, until that says to stop. Returns what
/// separates the cells of CSV.
pub fn read(
    format: Format,
    schema: &Schema,
    bytes: Incoming,
    take: &mut dyn FnMut(FileRow) -> bool,
) -> Result<Option<Separator>, FileError> {
    match format {
        Format::Csv(declared) => csv::read(schema, bytes, declared, take).map(Some),
        Format::JsonLines => json_lines::read(schema, bytes, take).map(|()| None),
    }
}

/// The faults of a row with those of its customer id.
fn checked(customer_id: &str, read: Result<Changes, Faults>) -> Result<Changes, Faults> {
    match wire::text::id_fault(customer_id) {
        None => read,
        Some(message) => {
            let mut faults = vec![(crate::domain::record::CUSTOMER_ID.to_owned(), message)];
            faults.extend(read.err().unwrap_or_default());
            Err(faults)
        }
    }
}

fn is_too_long(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

/// The bytes of a file, counted anew for each row.
trait Counted: Read {
    /// A row begins.
    fn begin_row(&mut self);
}

#[cfg(test)]
mod tests;
