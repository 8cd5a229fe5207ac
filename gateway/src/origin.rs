//! Decides which web pages may call. A browser sends the origin of its page; other callers send
//! none.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue, header};

/// Headers a page may send beside those every page may.
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("content-type, idempotency-key, x-request-id");
/// Headers of an answer a page may read beside those every page may.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("x-request-id, retry-after");

/// The origins that may call.
#[derive(Clone, Debug, Default)]
pub struct Origins(HashSet<String>);

/// Where a request comes from, as far as that matters.
#[derive(Debug, PartialEq, Eq)]
pub enum Caller {
    /// No browser, or none that says so.
    Program,
    /// A page of an allowed origin.
    Page(HeaderValue),
    /// A page of any other origin.
    Foreign,
}

impl Origins {
    /// These origins, such as `https://console.example.com`.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        Self(allowed.into_iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect())
    }

    /// Who sent a request with these headers.
    pub fn caller(&self, headers: &HeaderMap) -> Caller {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Caller::Program,
            (Some(origin), None) if origin.to_str().is_ok_and(|origin| self.0.contains(origin)) => {
                Caller::Page(origin.clone())
            }
            _ => Caller::Foreign,
        }
    }
}

/// Tells the browser that the page may read the answer.
pub fn admit(page: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page.clone());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
}

/// Tells the browser what the page may send.
pub fn admit_methods(allowed: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &[&'static str], expected: &Caller) {
        let allowed = Origins::new(["https://console.example.com/".to_owned()]);
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        assert_eq!(&allowed.caller(&headers), expected, "{origins:?}");
    }

    #[test]
    fn only_a_listed_origin_may_call_from_a_page() {
        check(&[], &Caller::Program);
        check(
            &["https://console.example.com"],
            &Caller::Page(HeaderValue::from_static("https://console.example.com")),
        );
        check(&["http://console.example.com"], &Caller::Foreign);
        check(&["https://console.example.com.evil.test"], &Caller::Foreign);
        check(&["null"], &Caller::Foreign);
        check(&[""], &Caller::Foreign);
        check(&["https://console.example.com", "https://evil.test"], &Caller::Foreign);
    }
}
