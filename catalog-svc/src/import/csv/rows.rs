//! Reads the rows of a CSV file as records of a schema.

use super::{
    super::{FileError, FileRow, Incoming, checked},
    header::{self, Column, Separator},
    lines::{Cells, Faulty, Lines, Next},
};
use crate::domain::{
    Faults,
    field_value::Given,
    name::Hints,
    record::{self, CUSTOMER_ID, Changes},
    schema::{FieldType, Schema},
};

/// Reads the rows; returns what separates their cells.
pub fn read(
    schema: &Schema,
    bytes: Incoming,
    declared: Option<Separator>,
    take: &mut dyn FnMut(FileRow) -> bool,
) -> Result<Separator, FileError> {
    let mut file = Lines::new(bytes);
    let (columns, separator) = header::read(schema, &mut file, declared)?;
    let (mut number, mut hints) = (0, Hints::default());
    loop {
        match file.next(separator.byte())? {
            Next::End => return Ok(separator),
            Next::Row(line) => {
                number += 1;
                let (customer_id, read) = row(schema, &columns, file.cells(), &mut hints);
                let read = checked(&customer_id, read);
                if !take(FileRow { number, line, read, customer_id }) {
                    return Ok(separator);
                }
            }
            Next::Faulty(row) => {
                for faulty in file.faulty(row) {
                    number += 1;
                    if !take(refused(number, &columns, separator, faulty)) {
                        return Ok(separator);
                    }
                }
            }
        }
    }
}

/// A line that is no row: refused, with its customer as far as the cells before a quote say it.
fn refused(number: u64, columns: &[Column], separator: Separator, faulty: Faulty) -> FileRow {
    let Faulty { line, text, message } = faulty;
    let plain = text.split(|byte| *byte == b'"').next().unwrap_or_default();
    let place = columns.iter().position(|column| matches!(column, Column::CustomerId));
    let mut cells = plain.split(|byte| *byte == separator.byte());
    let customer_id = place.and_then(|place| cells.nth(place)).unwrap_or_default();
    let customer_id = String::from_utf8_lossy(customer_id).into_owned();
    FileRow { number, line, customer_id, read: Err(vec![(String::new(), message)]) }
}

fn row(
    schema: &Schema,
    columns: &[Column],
    cells: &Cells,
    hints: &mut Hints,
) -> (String, Result<Changes, Faults>) {
    let mut customer_id = String::new();
    let (mut given, mut faults) = (Vec::with_capacity(columns.len()), Faults::new());
    for (column, cell) in columns.iter().zip(cells.iter()) {
        match (column, std::str::from_utf8(cell)) {
            (Column::CustomerId, Ok(text)) => customer_id = text.to_owned(),
            (Column::CustomerId, Err(_)) => {
                faults.push((CUSTOMER_ID.to_owned(), "is not UTF-8".to_owned()))
            }
            (Column::Field(name, of_type), Ok(text)) => {
                given.push((name.as_str(), cell_of(*of_type, text)))
            }
            (Column::Field(name, _), Err(_)) => {
                faults.push((name.clone(), "is not UTF-8".to_owned()))
            }
        }
    }
    if cells.len() != columns.len() {
        faults.push((
            String::new(),
            format!("has {} cells; the header line has {}", cells.len(), columns.len()),
        ));
        return (customer_id, Err(faults));
    }
    let read = record::parse(schema, given, hints);
    match read {
        read if faults.is_empty() => (customer_id, read),
        read => {
            faults.extend(read.err().unwrap_or_default());
            (customer_id, Err(faults))
        }
    }
}

/// A cell as its field's type writes it; an empty one is nothing. Spreadsheets write `TRUE`.
fn cell_of(of_type: FieldType, text: &str) -> Given<'_> {
    match (of_type, text) {
        (_, "") => Given::Null,
        (FieldType::Integer, text) => match text.parse() {
            Ok(number) => Given::Integer(number),
            Err(_) => Given::Decimal(text),
        },
        (FieldType::Decimal, text) => Given::Decimal(text),
        (FieldType::Boolean, text) if text.eq_ignore_ascii_case("true") => Given::Boolean(true),
        (FieldType::Boolean, text) if text.eq_ignore_ascii_case("false") => Given::Boolean(false),
        (_, text) => Given::Text(text),
    }
}
