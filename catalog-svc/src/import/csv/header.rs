//! The header line of a CSV file: what its columns are, and what separates them.

use std::collections::HashSet;

use super::{
    super::{FileError, encoding},
    lines::{self, Lines, cells_of},
};
use crate::domain::{
    name::{HINTS_MAX, Hints, quoted},
    record::CUSTOMER_ID,
    schema::{FieldType, Schema},
};

/// What separates the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
}

/// A column of the file: the customer's id, or a field of the schema.
#[derive(Debug)]
pub enum Column {
    /// The customer's id.
    CustomerId,
    /// A field and its type.
    Field(String, FieldType),
}

/// A line before the header that names the separator, as spreadsheets write it.
const DECLARATION: &[u8] = b"sep=";

impl Separator {
    /// The order in which they are tried.
    const ALL: [Self; 3] = [Self::Comma, Self::Semicolon, Self::Tab];

    /// Its byte.
    pub fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }

    fn spoken(self) -> &'static str {
        match self {
            Self::Comma => "`,`",
            Self::Semicolon => "`;`",
            Self::Tab => "a tab",
        }
    }

    /// The separator under which most cells of a header line are known names, then the one that
    /// yields most cells, then the first.
    fn of_header(schema: &Schema, line: &[u8]) -> Self {
        let mut best = (Self::Comma, (0, 0));
        for separator in Self::ALL {
            let Some(cells) = cells_of(line, separator.byte()) else { continue };
            let known = cells.iter().filter(|cell| is_known(schema, cell)).count();
            if (known, cells.len()) > best.1 {
                best = (separator, (known, cells.len()));
            }
        }
        best.0
    }
}

fn is_known(schema: &Schema, cell: &[u8]) -> bool {
    let name = std::str::from_utf8(cell).unwrap_or_default();
    name == CUSTOMER_ID || schema.fields.contains_key(name)
}

/// Reads the header line, and finds the separator unless it is declared.
pub fn read(
    schema: &Schema,
    file: &mut Lines,
    declared: Option<Separator>,
) -> Result<(Vec<Column>, Separator), FileError> {
    let mut declared = declared;
    let mut line = next(file)?;
    if let Some(named) = declaration(&line)? {
        match declared {
            Some(other) if other != named => {
                return Err(FileError::of_file(format!(
                    "says `sep=`, but {} was declared as its separator",
                    other.spoken()
                )));
            }
            _ => declared = Some(named),
        }
        line = next(file)?;
    }
    let separator = declared.unwrap_or_else(|| Separator::of_header(schema, &line));
    let columns = columns(schema, &line, separator);
    columns.map(|columns| (columns, separator)).map_err(|mut faults| {
        if file.is_one_line() {
            faults.push(encoding::NO_LINE_ENDS.to_owned());
        } else if separator != Separator::Comma {
            let spoken = separator.spoken();
            faults.push(format!("is read with {spoken} as its separator; `separator` declares it"));
        }
        FileError::File(faults)
    })
}

/// The next line that is not empty.
fn next(file: &mut Lines) -> Result<Vec<u8>, FileError> {
    let Some(line) = file.line()?.map(<[u8]>::to_vec) else {
        return Err(FileError::of_file(format!(
            "is empty: the first line must name the fields, `{CUSTOMER_ID}` among them"
        )));
    };
    match encoding::Fault::of(&line) {
        Some(fault) => Err(FileError::of_file(fault.to_string())),
        None => Ok(line),
    }
}

/// The separator that the line declares, if it declares one.
fn declaration(line: &[u8]) -> Result<Option<Separator>, FileError> {
    let line = lines::content(line);
    let Some((word, named)) = line.split_at_checked(DECLARATION.len()) else { return Ok(None) };
    if !word.eq_ignore_ascii_case(DECLARATION) {
        return Ok(None);
    }
    let found = Separator::ALL.into_iter().find(|separator| named == [separator.byte()]);
    let fault = || FileError::of_file("says `sep=`, which takes `,`, `;` or a tab");
    found.map(Some).ok_or_else(fault)
}

/// The columns, or what is wrong with the line.
fn columns(schema: &Schema, line: &[u8], separator: Separator) -> Result<Vec<Column>, Vec<String>> {
    let Some(cells) = cells_of(line, separator.byte()) else {
        return Err(vec!["has a header line whose quotes do not fit".to_owned()]);
    };
    let most = schema.fields.len() + 1;
    let mut faults = Vec::new();
    if cells.len() > most {
        faults.push(format!(
            "has {} columns in its header line, more than the {most} that `{CUSTOMER_ID}` and the \
             fields of schema `{}` can be",
            cells.len(),
            schema.name
        ));
    }
    let (mut columns, mut hints) = (Vec::new(), Hints::default());
    let mut seen: HashSet<&str> = HashSet::new();
    for name in cells.iter().map(|name| std::str::from_utf8(name).unwrap_or_default()) {
        let shown = quoted(name);
        if faults.len() > HINTS_MAX {
            break;
        }
        if !seen.insert(name) {
            faults.push(format!("has `{shown}` twice in its header line"));
        } else if name == CUSTOMER_ID {
            columns.push(Column::CustomerId);
        } else if let Some(of_type) = schema.fields.get(name) {
            columns.push(Column::Field(name.to_owned(), *of_type));
        } else {
            let known =
                std::iter::once(CUSTOMER_ID).chain(schema.fields.keys().map(String::as_str));
            faults.push(format!(
                "has `{shown}` in its header line, which is not a field of schema `{}`{}",
                schema.name,
                hints.hint(name, known)
            ));
        }
    }
    if !seen.contains(CUSTOMER_ID) && faults.len() <= HINTS_MAX {
        faults.push(format!("has no `{CUSTOMER_ID}` in its header line"));
    }
    if faults.is_empty() { Ok(columns) } else { Err(faults) }
}
