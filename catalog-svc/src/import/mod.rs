//! Reads a file of customer records row by row as it arrives. Reading blocks, so it needs a thread
//! of its own.

mod csv_rows;
mod incoming;
mod json_lines;

use std::io::{self, Read};

use crate::domain::{Faults, record::Changes, schema::Schema};

pub use incoming::Incoming;

/// Most bytes of a row in the file.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;
/// Most rows of a file.
pub const ROWS_MAX: u64 = 1_000_000;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values under a line of field names.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// A row of a file.
#[derive(Debug)]
pub struct FileRow {
    /// Place among the rows, from 1; the line of names is none.
    pub number: u64,
    /// Line of the file on which it begins, from 1.
    pub line: u64,
    /// Its customer, as far as it could be read.
    pub customer_id: String,
    /// What it sets, or its faults by field.
    pub read: Result<Changes, Faults>,
}

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The line of names does not fit the schema.
    #[error("the line of names does not fit")]
    Names(Faults),
    /// A row that is too long to be a record.
    #[error("the row that begins on line {line} has more than {ROW_BYTES_MAX} bytes")]
    Row {
        /// Where it begins.
        line: u64,
    },
    /// More rows than a file may have.
    #[error("the file has more than {ROWS_MAX} rows; send the others as another file")]
    Rows,
    /// The bytes stopped coming.
    #[error("the file broke off before its end")]
    Broken(#[source] io::Error),
}

/// Reads all rows of a file and hands each to `take`, until that says to stop.
pub fn read(
    format: Format,
    schema: &Schema,
    bytes: Incoming,
    take: &mut dyn FnMut(FileRow) -> bool,
) -> Result<(), FileError> {
    match format {
        Format::Csv => csv_rows::read(schema, bytes, take),
        Format::JsonLines => json_lines::read(schema, bytes, take),
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
mod tests {
    use super::*;
    use crate::domain::schema::FieldType;

    fn schema() -> Schema {
        let fields = [
            ("name", FieldType::String),
            ("visits", FieldType::Integer),
            ("spent", FieldType::Decimal),
            ("member", FieldType::Boolean),
            ("born", FieldType::Date),
            ("seen", FieldType::Timestamp),
        ];
        let fields = fields.map(|(name, of_type)| (name.to_owned(), of_type));
        Schema { id: "schema_customer".into(), name: "Customer".into(), fields: fields.into() }
    }

    /// Rows as `number@line customer field=value …` or their faults; a file in pieces of every size
    /// reads the same.
    fn check(format: Format, file: &str, expected: &[&str]) {
        for size in [1, 2, 7, file.len().max(1)] {
            let chunks: Vec<Vec<u8>> = file.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
            let mut told = Vec::new();
            let ended = read(format, &schema(), Incoming::of(chunks), &mut |row| {
                let read = match row.read {
                    Ok(changes) => changes
                        .into_iter()
                        .map(|(name, value)| format!(" {name}={value:?}"))
                        .collect::<String>(),
                    Err(faults) => faults
                        .into_iter()
                        .map(|(field, text)| format!(" !{field}: {text}"))
                        .collect(),
                };
                told.push(format!("{}@{} {}{read}", row.number, row.line, row.customer_id));
                true
            });
            if let Err(error) = ended {
                told.push(match error {
                    FileError::Names(faults) => format!("{faults:?}"),
                    other => other.to_string(),
                });
            }
            assert_eq!(told, expected, "{file:?} in pieces of {size}");
        }
    }

    #[test]
    fn a_csv_cell_is_read_by_its_fields_type_and_an_empty_one_is_nothing() {
        check(
            Format::Csv,
            "\u{feff}customerId,name,visits,spent,member,born,seen\r\n\
             a,\"Ann, \"\"A\"\"\",3,19.90,true,2026-07-03,2026-07-03T12:00:00+02:00\r\n\
             b,,,,,,\r\n\r\nc,,,,,,",
            &[
                "1@2 a born=Some(Date(2026-07-03)) member=Some(Boolean(true)) \
                 name=Some(Text(\"Ann, \\\"A\\\"\")) \
                 seen=Some(Timestamp(2026-07-03T10:00:00Z)) spent=Some(Decimal(\"19.90\")) \
                 visits=Some(Integer(3))",
                "2@3 b born=None member=None name=None seen=None spent=None visits=None",
                "3@5 c born=None member=None name=None seen=None spent=None visits=None",
            ],
        );
    }

    #[test]
    fn a_csv_row_is_refused_by_field_and_the_others_are_read() {
        check(
            Format::Csv,
            "visits,customerId,member\n1.5,a,yes\n2,b,false\n3,\"two\nlines\",true\n,,\n4,e\n\
             5,f,true,6\n6,g,true",
            &[
                "1@2 a !visits: must be an integer, not the number 1.5 !member: must be true or \
                 false, not the string `yes`",
                "2@3 b member=Some(Boolean(false)) visits=Some(Integer(2))",
                "3@4 two\nlines !customerId: must not hold control characters",
                "4@6  !customerId: is required",
                "5@7 e !: has 2 cells; the line of names has 3",
                "6@8 f !: has 4 cells; the line of names has 3",
                "7@9 g member=Some(Boolean(true)) visits=Some(Integer(6))",
            ],
        );
    }

    #[test]
    fn a_line_of_names_that_does_not_fit_refuses_the_file() {
        let told = |file: &str, expected: &str| check(Format::Csv, file, &[expected]);
        told(
            "",
            "[(\"names\", \"the file is empty: the first line must name the fields, `customerId` \
             among them\")]",
        );
        told("name,visits\n", "[(\"names\", \"`customerId` is missing\")]");
        told(
            "customerId,visit,name,name\n",
            "[(\"names\", \"`visit` is not a field of schema `Customer`; did you mean \
             `visits`?\"), (\"names\", \"`name` is given twice\")]",
        );
    }

    #[test]
    fn a_json_line_is_an_object_with_exact_numbers() {
        check(
            Format::JsonLines,
            "{\"customerId\":\"a\",\"name\":\"\\u00e4\",\"visits\":3,\"spent\":0.1000,\
             \"member\":true}\n\n\
             {\"spent\":\"12345678901234567890.1234\",\"customerId\":\"b\",\"born\":null}",
            &[
                "1@1 a member=Some(Boolean(true)) name=Some(Text(\"ä\")) \
                 spent=Some(Decimal(\"0.1000\")) visits=Some(Integer(3))",
                "2@3 b born=None spent=Some(Decimal(\"12345678901234567890.1234\"))",
            ],
        );
    }

    #[test]
    fn a_json_line_is_refused_by_field_and_the_others_are_read() {
        check(
            Format::JsonLines,
            "{\"customerId\":\"a\",\"visits\":\"3\",\"colour\":[1]}\n[1]\n{\"customerId\":7}\n\
             {\"customerId\":\"d\"\n\
             {\"customerId\":\"e\",\"name\":\"x\",\"name\":\"y\"}\n\
             {\"customerId\":\"f\",\"name\":{}}\n{\"customerId\":\"g\"}\n",
            &[
                "1@1 a !visits: must be an integer, not the string `3` !colour: is not a field of \
                 schema `Customer`; \
                 known are born, member, name, seen, spent, visits",
                "2@2  !: is not a JSON object: invalid type: sequence, expected an object at \
                 column 0",
                "3@3  !customerId: must be a string",
                "4@4  !: is not a JSON object: EOF while parsing an object at column 17",
                "5@5 e !name: is given twice",
                "6@6 f !name: must be a string, not a list",
                "7@7 g",
            ],
        );
    }

    #[test]
    fn a_row_too_long_to_be_a_record_ends_the_file() {
        for (format, head) in [(Format::Csv, "customerId,name\n"), (Format::JsonLines, "")] {
            let row = |size: usize| match format {
                Format::Csv => format!("a,\"{}\n", "x".repeat(size)),
                Format::JsonLines => {
                    format!("{{\"customerId\":\"a\",\"name\":\"{}", "x".repeat(size))
                }
            };
            let file = format!("{head}{}", row(2 * ROW_BYTES_MAX + 100_000));
            let chunks = file.as_bytes().chunks(65_536).map(<[u8]>::to_vec).collect();
            let ended = read(format, &schema(), Incoming::of(chunks), &mut |_| true);
            assert!(matches!(ended, Err(FileError::Row { .. })), "{format:?} {ended:?}");
        }
    }
}
