//! Pages: their size, and the token of the next one.

use sha2::{Digest as _, Sha256};

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

/// One list. The tokens of its pages are refused by every other list.
#[derive(Clone, Copy, Debug)]
pub struct Listing([u8; MARK_BYTES]);

/// Bytes of a token that name its list.
const MARK_BYTES: usize = 8;

impl Listing {
    /// The list that these parts name: what it lists, of whom, and by which filters.
    pub fn new(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let mut mark = [0; MARK_BYTES];
        for (byte, hashed) in mark.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
        Self(mark)
    }

    /// Page size and the key to go on after, from a request's two fields; faults by field.
    pub fn page(
        &self,
        page_size: i32,
        page_token: &str,
    ) -> Result<(i32, String), Vec<(String, String)>> {
        let size = match page_size {
            0 => PAGE_DEFAULT,
            1..=PAGE_MAX => page_size,
            _ => {
                let message = format!("is {page_size}; it must be 1 to {PAGE_MAX}");
                return Err(vec![("page_size".to_owned(), message)]);
            }
        };
        if page_token.is_empty() {
            return Ok((size, String::new()));
        }
        let bytes = hex::decode(page_token).unwrap_or_default();
        let after = bytes.strip_prefix(&self.0).map(<[u8]>::to_vec);
        let after = after.and_then(|after| String::from_utf8(after).ok());
        match after {
            Some(after) if !after.is_empty() && !after.contains('\0') => Ok((size, after)),
            _ => Err(unknown_token()),
        }
    }

    /// The token of the page after `last`.
    pub fn token(&self, last: &str) -> String {
        hex::encode([&self.0, last.as_bytes()].concat())
    }
}

/// The fault of a token that no page gave.
pub(crate) fn unknown_token() -> Vec<(String, String)> {
    vec![("page_token".to_owned(), "is not a token of an earlier page".to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_by_its_own_list_only() {
        let own = Listing::new(&["contacts", "ann"]);
        let token = own.token("c_7");
        assert_eq!(own.page(5, &token), Ok((5, "c_7".to_owned())));
        assert_eq!(own.page(0, ""), Ok((PAGE_DEFAULT, String::new())));
        for other in
            [&["contacts", "bob"][..], &["consents", "ann"], &["contacts"], &["contactsann"]]
        {
            assert_eq!(Listing::new(other).page(5, &token), Err(unknown_token()), "{other:?}");
        }
        for odd in [&token[..token.len() - 1], &token[..16], "zz", "c_7", &hex::encode("c_7")] {
            assert_eq!(own.page(5, odd), Err(unknown_token()), "{odd}");
        }
    }
}
