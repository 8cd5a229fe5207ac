//! Reads CSV as RFC 4180 writes it: a header line, then one record per row.

mod header;
mod lines;
mod rows;

pub use header::Separator;
pub(super) use rows::read;
