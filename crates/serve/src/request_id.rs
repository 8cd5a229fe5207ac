//! The id under which a request is found in logs: the caller's own, or a new one.

use http::HeaderMap;

/// The header, in requests and answers.
pub const REQUEST_ID: &str = "x-request-id";
/// Longest id taken from a caller.
const CHARS_MAX: usize = 128;

/// The id of a request with these headers.
pub fn of(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let fits =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '+' | '=');
    match given {
        Some(id) if !id.is_empty() && id.len() <= CHARS_MAX && id.chars().all(fits) => {
            id.to_owned()
        }
        _ => uuid::Uuid::now_v7().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let id = |given: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(given).unwrap());
            of(&headers)
        };
        assert_eq!(id("trace-1_a.b"), "trace-1_a.b");
        for odd in ["", "a b", "<script>", &"x".repeat(CHARS_MAX + 1)] {
            assert_ne!(id(odd), odd);
            assert_eq!(id(odd).len(), 36);
        }
        assert_eq!(of(&HeaderMap::new()).len(), 36);
    }
}
