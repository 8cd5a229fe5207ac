//! Whether a file is UTF-8 with lines, seen from its first line.

use std::fmt;

/// Marks a file as UTF-8.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// A file that is one line without an end.
pub const NO_LINE_ENDS: &str = "has no line ends: end each line with LF or CRLF; `curl -d` removes \
                                them, `--data-binary` does not";

/// Why the first line of a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its bytes are those of UTF-16.
    Utf16,
    /// The byte at this place, from 1, is not UTF-8.
    Byte(usize),
    /// Carriage returns alone end its lines.
    Returns,
}

impl Fault {
    /// What is wrong with this line, if anything.
    pub fn of(line: &[u8]) -> Option<Self> {
        let is_utf_16 = [b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| line.starts_with(*mark));
        if is_utf_16 || line.contains(&0) {
            return Some(Self::Utf16);
        }
        if let Err(error) = std::str::from_utf8(line) {
            // A line that was cut may end within a character.
            return error.error_len().map(|_| Self::Byte(error.valid_up_to() + 1));
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.contains(&b'\r').then_some(Self::Returns)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf16 => f.write_str("is not UTF-8, it seems to be UTF-16: save it as UTF-8"),
            Self::Byte(place) => write!(f, "is not UTF-8 at byte {place}: save it as UTF-8"),
            Self::Returns => f.write_str(
                "has carriage returns without line feeds: end each line with LF or CRLF",
            ),
        }
    }
}
