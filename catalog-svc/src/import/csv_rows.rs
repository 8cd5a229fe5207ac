//! Reads CSV: a header line, then one record per row.

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::{Counted as _, FileError, FileRow, Incoming, checked, is_too_long};
use crate::domain::{
    Faults,
    field_value::Given,
    name::{hint, quoted},
    record::{self, CUSTOMER_ID, Changes},
    schema::{FieldType, Schema},
};

/// Field of faults of the line of names.
const NAMES: &str = "names";

/// A column of the file: the customer's id, or a field of the schema.
enum Column {
    CustomerId,
    Field(String, FieldType),
}

/// Reads the rows.
pub fn read(
    schema: &Schema,
    bytes: Incoming,
    take: &mut dyn FnMut(FileRow) -> bool,
) -> Result<(), FileError> {
    // A line feed ends a row, so that lines are counted alike however the file arrives; a carriage
    // return before it is taken off the last cell.
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .buffer_capacity(64 * 1024)
        .from_reader(bytes);
    let mut cells = ByteRecord::new();
    let mut next = |cells: &mut ByteRecord| {
        let line = reader.position().line();
        reader.get_mut().begin_row();
        match reader.read_byte_record(cells) {
            // Empty lines are passed over; the row knows where it begins.
            Ok(is_there) => {
                Ok(is_there.then(|| cells.position().map_or(line, csv::Position::line)))
            }
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) if is_too_long(&error) => Err(FileError::Row { line }),
                csv::ErrorKind::Io(error) => Err(FileError::Broken(error)),
                other => Err(FileError::Broken(std::io::Error::other(format!("{other:?}")))),
            },
        }
    };
    let columns = match next(&mut cells)? {
        Some(_) => columns(schema, &cells).map_err(FileError::Names)?,
        None => {
            let text = format!(
                "the file is empty: the first line must name the fields, `{CUSTOMER_ID}` among them"
            );
            return Err(FileError::Names(vec![(NAMES.to_owned(), text)]));
        }
    };
    let mut number = 0;
    while let Some(line) = next(&mut cells)? {
        if cells.len() == 1 && cells.get(0).is_some_and(|cell| without_return(cell).is_empty()) {
            continue;
        }
        number += 1;
        let (customer_id, read) = row(schema, &columns, &cells);
        if !take(FileRow { number, line, read: checked(&customer_id, read), customer_id }) {
            break;
        }
    }
    Ok(())
}

fn columns(schema: &Schema, names: &ByteRecord) -> Result<Vec<Column>, Faults> {
    let (mut columns, mut faults) = (Vec::with_capacity(names.len()), Faults::new());
    let mut fault = |text: String| faults.push((NAMES.to_owned(), text));
    let mut seen: Vec<&[u8]> = Vec::with_capacity(names.len());
    for name in names.iter().map(without_return) {
        // Spreadsheets mark the file as UTF-8 before its first name, and may quote that.
        let name = match name.strip_prefix(b"\xef\xbb\xbf") {
            Some(marked) if seen.is_empty() => marked
                .strip_prefix(b"\"")
                .and_then(|name| name.strip_suffix(b"\""))
                .unwrap_or(marked),
            _ => name,
        };
        let text = std::str::from_utf8(name).unwrap_or_default();
        if seen.contains(&name) {
            fault(format!("`{}` is given twice", quoted(text)));
        } else if text == CUSTOMER_ID {
            columns.push(Column::CustomerId);
        } else if let Some(of_type) = schema.fields.get(text) {
            columns.push(Column::Field(text.to_owned(), *of_type));
        } else {
            let hint = hint(text, schema.fields.keys().map(String::as_str));
            fault(format!("`{}` is not a field of schema `{}`{hint}", quoted(text), schema.name));
        }
        seen.push(name);
    }
    if !seen.contains(&CUSTOMER_ID.as_bytes()) {
        fault(format!("`{CUSTOMER_ID}` is missing"));
    }
    if faults.is_empty() { Ok(columns) } else { Err(faults) }
}

fn row(
    schema: &Schema,
    columns: &[Column],
    cells: &ByteRecord,
) -> (String, Result<Changes, Faults>) {
    let mut customer_id = String::new();
    let (mut given, mut faults) = (Vec::with_capacity(columns.len()), Faults::new());
    for (place, (column, cell)) in columns.iter().zip(cells).enumerate() {
        let text =
            std::str::from_utf8(if place + 1 == cells.len() { without_return(cell) } else { cell });
        match (column, text) {
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
            format!("has {} cells; the line of names has {}", cells.len(), columns.len()),
        ));
        return (customer_id, Err(faults));
    }
    let read = record::parse(schema, given);
    match read {
        read if faults.is_empty() => (customer_id, read),
        read => {
            faults.extend(read.err().unwrap_or_default());
            (customer_id, Err(faults))
        }
    }
}

fn without_return(cell: &[u8]) -> &[u8] {
    cell.strip_suffix(b"\r").unwrap_or(cell)
}

/// A cell as its field's type writes it; an empty one is nothing.
fn cell_of(of_type: FieldType, text: &str) -> Given<'_> {
    match (of_type, text) {
        (_, "") => Given::Null,
        (FieldType::Integer, text) => match text.parse() {
            Ok(number) => Given::Integer(number),
            Err(_) => Given::Decimal(text),
        },
        (FieldType::Decimal, text) => Given::Decimal(text),
        (FieldType::Boolean, "true") => Given::Boolean(true),
        (FieldType::Boolean, "false") => Given::Boolean(false),
        (_, text) => Given::Text(text),
    }
}
