//! Decides which web pages may call. A browser sends the origin of its page; other callers send
//! none.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue, Uri, header};
use serve::{Hosts, authority, is_from_another_site};

/// Headers that a page may send, besides the safe-listed ones.
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("content-type, idempotency-key, if-match, x-request-id");
/// Headers that a page may read, besides the safe-listed ones.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("etag, retry-after, x-request-id");
/// How long a browser may keep the answer to a preflight request.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// The origins that may call, and the hosts under which the gateway may be called.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: HashSet<String>,
    hosts: Hosts,
}

/// The origin of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Caller {
    /// No origin: not a page.
    Program,
    /// A page that may call: of an allowed origin, or of the gateway's own.
    Page(HeaderValue),
    /// Any other page.
    Foreign,
}

/// Why a request is refused because of its host.
#[derive(Debug, PartialEq, Eq)]
pub enum HostFault {
    /// It names none.
    Missing,
    /// It names one that is not listed.
    Unknown(String),
}

impl Origins {
    /// Allowed origins, such as `https://console.example.com`, and hosts.
    pub fn new(allowed: impl IntoIterator<Item = String>, hosts: Hosts) -> Self {
        let allowed = allowed.into_iter().map(|origin| folded(&origin)).collect();
        Self { allowed, hosts }
    }

    /// The origin of a request.
    pub fn caller(&self, uri: &Uri, headers: &HeaderMap) -> Caller {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) if is_from_another_site(headers) => Caller::Foreign,
            (None, _) => Caller::Program,
            (Some(origin), None) if self.is_listed(origin) => Caller::Page(origin.clone()),
            (Some(origin), None)
                if !is_from_another_site(headers)
                    && self.is_own(origin, authority(uri, headers)) =>
            {
                Caller::Page(origin.clone())
            }
            _ => Caller::Foreign,
        }
    }

    /// Checks the host of a request.
    pub fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), HostFault> {
        match authority(uri, headers) {
            None => Err(HostFault::Missing),
            Some(authority) if self.hosts.knows(authority) => Ok(()),
            Some(authority) => Err(HostFault::Unknown(authority.to_owned())),
        }
    }

    /// True for a listed origin.
    fn is_listed(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.allowed.contains(&folded(origin)))
    }

    /// True for the gateway's own origin under a known host. The scheme may differ: a proxy in
    /// front may add encryption.
    fn is_own(&self, origin: &HeaderValue, authority: Option<&str>) -> bool {
        let own = || {
            let (_, host) = origin.to_str().ok()?.split_once("://")?;
            let is_own = authority?.eq_ignore_ascii_case(host);
            Some(is_own && self.hosts.knows(host))
        };
        own().unwrap_or_default()
    }
}

/// Reads an allowed origin as a flag gives it: scheme, host and perhaps a port.
pub fn parse_origin(text: &str) -> Result<String, String> {
    let origin = folded(text);
    let uri: Option<Uri> = origin.parse().ok();
    let fits = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.path().trim_matches('/').is_empty()
            && uri.query().is_none()
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    };
    match uri {
        Some(uri) if fits(&uri) => Ok(origin),
        _ => Err("must be an origin, such as https://console.example.com".to_owned()),
    }
}

/// Reads an allowed host as a flag gives it: a name without scheme or port.
pub fn parse_host(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err("must be a host name without scheme and port, such as proffer.example.com".to_owned())
}

fn folded(origin: &str) -> String {
    origin.trim().trim_end_matches('/').to_ascii_lowercase()
}

/// Adds the headers that let a page read the answer.
pub fn admit(page: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page.clone());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
}

/// Answers a preflight request: what the page may send.
pub fn admit_methods(allowed: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allowed.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        let hosts = Hosts::new(["proffer.example.com".to_owned()]);
        Origins::new(["https://console.example.com/".to_owned()], hosts)
    }

    fn headers(listed: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in listed {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn check(host: &'static str, origins_of: &[&'static str], expected: &Caller) {
        let mut headers = headers(&[(header::HOST, host)]);
        for origin in origins_of {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let got = origins().caller(&Uri::from_static("/api/v1/offers"), &headers);
        assert_eq!(&got, expected, "{origins_of:?} at {host}");
    }

    fn page(origin: &'static str) -> Caller {
        Caller::Page(HeaderValue::from_static(origin))
    }

    #[test]
    fn only_a_listed_origin_may_call_from_a_page() {
        let host = "127.0.0.1:8080";
        check(host, &[], &Caller::Program);
        check(host, &["https://console.example.com"], &page("https://console.example.com"));
        check(host, &["http://console.example.com"], &Caller::Foreign);
        check(host, &["https://console.example.com.evil.test"], &Caller::Foreign);
        check(host, &["null"], &Caller::Foreign);
        check(host, &[""], &Caller::Foreign);
        check(host, &["https://console.example.com", "https://evil.test"], &Caller::Foreign);
    }

    #[test]
    fn a_page_of_the_own_origin_may_call_under_a_known_host() {
        for (host, origin) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("localhost:8080", "http://localhost:8080"),
            ("proffer.example.com", "https://proffer.example.com"),
        ] {
            check(host, &[origin], &page(origin));
        }
        for (host, origin) in [
            ("evil.example:8080", "http://evil.example:8080"),
            ("127.0.0.1:8080", "http://127.0.0.1:3000"),
            ("127.0.0.1:8080", "http://localhost:8080"),
            ("localhost", "null"),
        ] {
            check(host, &[origin], &Caller::Foreign);
        }
    }

    #[test]
    fn a_request_of_another_site_without_an_origin_is_foreign() {
        let site = |value: &'static str| {
            let headers = headers(&[(header::HOST, "localhost")]);
            let mut headers = headers;
            headers.insert("sec-fetch-site", HeaderValue::from_static(value));
            let own = HeaderValue::from_static("http://localhost");
            let listed = HeaderValue::from_static("https://console.example.com");
            let call = |origin: Option<&HeaderValue>| {
                let mut headers = headers.clone();
                origin.map(|origin| headers.insert(header::ORIGIN, origin.clone()));
                origins().caller(&Uri::from_static("/"), &headers)
            };
            assert_eq!(call(Some(&listed)), Caller::Page(listed), "{value}");
            let is_own_site = matches!(value, "none" | "same-origin");
            let expected = if is_own_site { Caller::Page(own.clone()) } else { Caller::Foreign };
            assert_eq!(call(Some(&own)), expected, "{value}");
            call(None)
        };
        assert_eq!(site("none"), Caller::Program);
        assert_eq!(site("same-origin"), Caller::Program);
        assert_eq!(site("same-site"), Caller::Foreign);
        assert_eq!(site("cross-site"), Caller::Foreign);
    }

    #[test]
    fn a_request_names_a_known_host() {
        let check = |uri: &'static str, host: Option<&'static str>| {
            let listed: Vec<_> = host.map(|host| (header::HOST, host)).into_iter().collect();
            origins().check_host(&Uri::from_static(uri), &headers(&listed))
        };
        assert_eq!(check("/", Some("127.0.0.1:8080")), Ok(()));
        assert_eq!(check("/", Some("proffer.example.com")), Ok(()));
        assert_eq!(check("/", None), Err(HostFault::Missing));
        let unknown = |host: &str| Err(HostFault::Unknown(host.to_owned()));
        assert_eq!(check("/", Some("evil.example:8080")), unknown("evil.example:8080"));
        assert_eq!(check("http://evil.example/", Some("127.0.0.1")), unknown("evil.example"));
    }

    #[test]
    fn a_flag_that_could_never_match_is_refused() {
        for fits in ["https://a.example", "http://127.0.0.1:3000", "HTTPS://A.example/"] {
            assert!(parse_origin(fits).is_ok(), "{fits}");
        }
        for odd in ["a.example", "*", "null", "https://a.example/x", "ftp://a", "https://u@a", ""] {
            assert!(parse_origin(odd).is_err(), "{odd}");
        }
        assert!(parse_host("proffer.example.com").is_ok());
        for odd in ["http://a", "a:80", "*", ""] {
            assert!(parse_host(odd).is_err(), "{odd}");
        }
    }
}
