//! Pages: their size, and the token of the next one.

/// Largest page.
pub const PAGE_MAX: i32 = 1_000;
/// Page size when the request names none.
const PAGE_DEFAULT: i32 = 100;
/// Bytes of stored resources after which a page ends, so that an answer stays far below the 4 MiB
/// it may have.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Some resources and the token of the next page; empty at the end.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// In the order of their ids.
    pub items: Vec<R>,
    /// Token of the next page.
    pub next: String,
}

/// Page size and the key to go on after, from a request's two fields; faults by field.
pub fn page(page_size: i32, page_token: &str) -> Result<(i32, String), Vec<(String, String)>> {
    let size = match page_size {
        0 => PAGE_DEFAULT,
        1..=PAGE_MAX => page_size,
        _ => {
            let message = format!("is {page_size}; it must be 1 to {PAGE_MAX}");
            return Err(vec![("page_size".to_owned(), message)]);
        }
    };
    let after = hex::decode(page_token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match after {
        Some(after) if !after.contains('\0') => Ok((size, after)),
        _ => Err(unknown_token()),
    }
}

/// The token of the page after `last`.
pub fn token(last: &str) -> String {
    hex::encode(last)
}

/// The fault of a token that no page gave.
pub(crate) fn unknown_token() -> Vec<(String, String)> {
    vec![("page_token".to_owned(), "is not a token of an earlier page".to_owned())]
}
