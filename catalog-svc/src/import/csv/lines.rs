//! Splits a CSV file into rows strictly. What RFC 4180 forbids is never read as something else:
//! each line of such a row is returned with its fault, and reading goes on with the next line.

use std::io::{BufRead as _, BufReader};

use super::super::{
    Counted as _, FileError, Incoming, encoding, encoding::Fault as EncodingFault, is_too_long,
};

/// The cells of a row, without their quotes.
#[derive(Debug, Default)]
pub struct Cells {
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// A line of a row that cannot be read.
#[derive(Debug)]
pub struct Faulty {
    /// Its number, from 1.
    pub line: u64,
    /// What it holds.
    pub text: Vec<u8>,
    /// What is wrong and how to correct it.
    pub message: String,
}

/// What comes next in a file.
#[derive(Debug)]
pub enum Next {
    /// A row that begins on this line; its cells are in [`Lines::cells`].
    Row(u64),
    /// A row that cannot be read; [`Lines::faulty`] returns its lines.
    Faulty(FaultyRow),
    /// Nothing.
    End,
}

/// A row that cannot be read.
#[derive(Clone, Copy, Debug)]
pub struct FaultyRow {
    first: u64,
    quote: Option<u64>,
    /// On its last line; none when the file ends within the quote.
    fault: Option<Fault>,
}

/// The rows of a file.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<Incoming>,
    /// Number of the last line that was read.
    line: u64,
    is_ended: bool,
    /// The lines of the present row with their ends, and where each begins.
    raw: Vec<u8>,
    starts: Vec<usize>,
    cells: Cells,
}

/// Why a line is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A cell ends with a quote, and more text follows.
    AfterQuote,
    /// A quote in a cell that does not begin with one.
    Quote,
    /// A carriage return that ends no line.
    Return,
}

enum Step {
    Done,
    /// The row goes on in the next line.
    Open,
    Fault(Fault),
}

/// Reads the lines of one row.
struct Row<'a> {
    cells: &'a mut Cells,
    separator: u8,
    /// The line on which the open quote stood.
    quote: Option<u64>,
}

impl Cells {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cells in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }
}

/// The cells of one line; none when it is no row by itself.
pub fn cells_of(line: &[u8], separator: u8) -> Option<Cells> {
    let mut cells = Cells::default();
    let step = Row { cells: &mut cells, separator, quote: None }.line(line, 1);
    matches!(step, Step::Done).then_some(cells)
}

impl Lines {
    /// The rows of a file.
    pub fn new(bytes: Incoming) -> Self {
        let reader = BufReader::with_capacity(64 * 1024, bytes);
        let (raw, starts, cells) = (Vec::new(), Vec::new(), Cells::default());
        Self { reader, line: 0, is_ended: false, raw, starts, cells }
    }

    /// The cells of the row that was read last.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// True when the first line is the whole file and has no end.
    pub fn is_one_line(&self) -> bool {
        self.is_ended && self.line == 1
    }

    /// The next line that is not empty, with its end.
    pub fn line(&mut self) -> Result<Option<&[u8]>, FileError> {
        loop {
            self.raw.clear();
            self.starts.clear();
            self.reader.get_mut().begin_row();
            if !self.read_line(None)? {
                return Ok(None);
            }
            if !content(&self.raw).is_empty() {
                return Ok(Some(&self.raw));
            }
        }
    }

    /// The next row.
    pub fn next(&mut self, separator: u8) -> Result<Next, FileError> {
        if self.line()?.is_none() {
            return Ok(Next::End);
        }
        let first = self.line;
        self.cells.clear();
        let mut quote = None;
        loop {
            let start = self.starts.last().copied().unwrap_or_default();
            let line = self.raw.get(start..).unwrap_or_default();
            let mut row = Row { cells: &mut self.cells, separator, quote };
            let step = row.line(line, self.line);
            quote = row.quote;
            match step {
                Step::Done => return Ok(Next::Row(first)),
                Step::Fault(fault) => {
                    return Ok(Next::Faulty(FaultyRow { first, quote, fault: Some(fault) }));
                }
                Step::Open => {
                    if !self.read_line(quote)? {
                        return Ok(Next::Faulty(FaultyRow { first, quote, fault: None }));
                    }
                }
            }
        }
    }

    /// Reads one more line of the present row. False at the end of the file.
    fn read_line(&mut self, quote: Option<u64>) -> Result<bool, FileError> {
        let start = self.raw.len();
        let read = self.reader.read_until(b'\n', &mut self.raw);
        match read {
            Ok(0) => {
                self.is_ended = true;
                return Ok(false);
            }
            Ok(_) => self.is_ended = !self.raw.ends_with(b"\n"),
            Err(error) if is_too_long(&error) => {
                let fault = (self.line == 0).then(|| EncodingFault::of(&self.raw)).flatten();
                let line = self.line + 1 - self.starts.len() as u64;
                // Of a line that was cut, an odd number of quotes leaves one open.
                let cut = self.raw.get(start..).unwrap_or_default();
                let is_open = cut.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
                let quote = quote.or_else(|| is_open.then_some(self.line + 1));
                return Err(match fault {
                    Some(fault) => FileError::of_file(fault.to_string()),
                    None => FileError::Row { line, quote },
                });
            }
            Err(error) => return Err(FileError::Broken(error)),
        }
        if self.line == 0 && self.raw.starts_with(encoding::MARK) {
            self.raw.drain(..encoding::MARK.len());
        }
        self.line += 1;
        self.starts.push(start);
        Ok(true)
    }

    /// The lines of a row that cannot be read, which must be the present one.
    pub fn faulty(&self, row: FaultyRow) -> impl Iterator<Item = Faulty> {
        let FaultyRow { first, quote, fault } = row;
        let ends = self.starts.iter().copied().skip(1).chain([self.raw.len()]);
        let lines = self.starts.iter().zip(ends).zip(first..);
        lines
            .map(|((start, end), line)| (line, self.raw.get(*start..end).unwrap_or_default()))
            .filter(|(_, text)| !content(text).is_empty())
            .map(move |(line, text)| {
                let message = message(line, self.line, quote, fault);
                Faulty { line, text: content(text).to_vec(), message }
            })
    }
}

/// What is wrong with a line of a row that ends on line `last`.
fn message(line: u64, last: u64, quote: Option<u64>, fault: Option<Fault>) -> String {
    match (fault, quote) {
        (Some(fault), _) if line == last => fault.spoken(quote.filter(|opened| *opened != line)),
        (_, Some(opened)) if opened == line => {
            format!("the quote opened on line {line} is not closed")
        }
        (_, Some(opened)) if opened < line => {
            format!("is within the quote opened on line {opened}, which is not closed")
        }
        _ => format!("is part of a row that cannot be read: see line {last}"),
    }
}

impl Fault {
    fn spoken(self, opened: Option<u64>) -> String {
        let opened = opened.map(|line| format!(" opened on line {line}")).unwrap_or_default();
        match self {
            Self::AfterQuote => format!(
                "has text after the closing quote of the cell{opened}; write a quote within a cell \
                 twice"
            ),
            Self::Quote => "has a quote within a cell that does not begin with one; put the whole \
                            cell in quotes, and write each quote within it twice"
                .to_owned(),
            Self::Return => "has a carriage return within a cell; put the cell in quotes, and end \
                             lines with LF or CRLF"
                .to_owned(),
        }
    }
}

/// A line without its end.
pub fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl Row<'_> {
    /// Reads a line with its end.
    fn line(&mut self, line: &[u8], number: u64) -> Step {
        let mut rest = line;
        let mut is_quoted = self.quote.is_some();
        loop {
            if !is_quoted && let Some(inner) = rest.strip_prefix(b"\"") {
                (self.quote, rest, is_quoted) = (Some(number), inner, true);
            }
            let after = match is_quoted {
                true => self.quoted(rest),
                false => match self.plain(rest) {
                    Ok(after) => Some(after),
                    Err(fault) => return Step::Fault(fault),
                },
            };
            let Some(after) = after else { return Step::Open };
            rest = match after.split_first() {
                Some((byte, rest)) if *byte == self.separator => rest,
                _ if content(after).is_empty() => {
                    self.end_cell();
                    return Step::Done;
                }
                _ => return Step::Fault(Fault::AfterQuote),
            };
            self.end_cell();
            is_quoted = false;
        }
    }

    fn end_cell(&mut self) {
        self.quote = None;
        self.cells.ends.push(self.cells.text.len());
    }

    /// Takes a cell to its closing quote and returns what follows; none when it does not close.
    fn quoted<'b>(&mut self, mut rest: &'b [u8]) -> Option<&'b [u8]> {
        loop {
            let Some(end) = rest.iter().position(|byte| *byte == b'"') else {
                self.cells.text.extend_from_slice(rest);
                return None;
            };
            let (inner, after) = rest.split_at(end);
            self.cells.text.extend_from_slice(inner);
            let after = after.get(1..).unwrap_or_default();
            match after.strip_prefix(b"\"") {
                None => return Some(after),
                Some(more) => {
                    self.cells.text.push(b'"');
                    rest = more;
                }
            }
        }
    }

    /// Takes a cell without quotes and returns what follows.
    fn plain<'b>(&mut self, rest: &'b [u8]) -> Result<&'b [u8], Fault> {
        let end = rest.iter().position(|byte| *byte == self.separator);
        let end = end.unwrap_or_else(|| content(rest).len());
        let (cell, after) = rest.split_at_checked(end).unwrap_or((rest, b""));
        if cell.contains(&b'"') {
            return Err(Fault::Quote);
        }
        if cell.contains(&b'\r') {
            return Err(Fault::Return);
        }
        self.cells.text.extend_from_slice(cell);
        Ok(after)
    }
}
