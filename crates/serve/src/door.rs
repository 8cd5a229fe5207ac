//! Tells gRPC requests from others, and the hosts under which a process may be called.

use std::{collections::HashSet, net::IpAddr};

use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

/// True for a gRPC request; gRPC-Web is another protocol.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.strip_prefix(b"application/grpc")
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The hosts under which a process may be called: any address, `localhost`, and the listed names.
/// A page of another site can make its own name point at this machine; its requests then carry that
/// name, and no other check would tell them from the requests of a program.
#[derive(Clone, Debug, Default)]
pub struct Hosts(HashSet<String>);

impl Hosts {
    /// These names besides addresses and `localhost`; case and a final dot do not matter.
    pub fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        Self(allowed.into_iter().map(|host| folded(&host)).collect())
    }

    /// True when `authority`, a host with or without a port, is one of them.
    pub fn knows(&self, authority: &str) -> bool {
        let host = folded(host(authority));
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_address = address.unwrap_or(&host).parse::<IpAddr>().is_ok();
        is_address || host == "localhost" || self.0.contains(&host)
    }
}

/// Header in which a browser names the site that asks.
const FETCH_SITE: &str = "sec-fetch-site";

/// True when a browser says that a page of another site asks. Such a request may carry no origin,
/// for example when it loads an image.
pub fn is_from_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    !matches!(site, None | Some(b"none" | b"same-origin"))
}

/// Host and port of a request, as its first line or its `Host` names them.
pub fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let named = || headers.get(header::HOST)?.to_str().ok();
    uri.authority().map(|authority| authority.as_str()).or_else(named)
}

/// Why a request at an admin address is refused, if it is.
pub fn admin_fault(
    hosts: Option<&Hosts>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<(StatusCode, &'static str)> {
    let Some(authority) = authority(uri, headers) else {
        return Some((StatusCode::BAD_REQUEST, "`Host` is required\n"));
    };
    if hosts.is_some_and(|hosts| !hosts.knows(authority)) {
        return Some((
            StatusCode::FORBIDDEN,
            "the host is not known; list its name in --allowed-host\n",
        ));
    }
    if is_from_another_site(headers) || headers.contains_key(header::ORIGIN) {
        return Some((StatusCode::FORBIDDEN, "pages of other sites may not ask\n"));
    }
    None
}

/// The host of an authority, without its port.
fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn folded(host: &str) -> String {
    host.trim().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let is = |kind: &'static str| {
            is_grpc(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]))
        };
        assert!(is("application/grpc"));
        assert!(is("application/grpc+proto"));
        assert!(!is("application/grpc-web+proto"));
        assert!(!is("application/json"));
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn an_admin_address_answers_programs_under_known_hosts_alone() {
        let check = |listed: &[(&'static str, &'static str)], expected: Option<u16>| {
            let headers = listed.iter().map(|(name, value)| {
                (http::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            let (hosts, headers) = (Hosts::default(), headers.collect());
            let fault = admin_fault(Some(&hosts), &Uri::from_static("/metrics"), &headers);
            assert_eq!(fault.map(|(status, _)| status.as_u16()), expected, "{listed:?}");
        };
        check(&[("host", "127.0.0.1:9090")], None);
        check(&[("host", "localhost:9090"), ("sec-fetch-site", "none")], None);
        check(&[], Some(400));
        check(&[("host", "evil.example")], Some(403));
        check(&[("host", "127.0.0.1"), ("sec-fetch-site", "same-site")], Some(403));
        check(&[("host", "127.0.0.1"), ("origin", "https://evil.example")], Some(403));
        let named = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("policy:9102"))]);
        assert_eq!(admin_fault(None, &Uri::from_static("/metrics"), &named), None);
    }

    #[test]
    fn addresses_localhost_and_listed_names_are_known() {
        let hosts = Hosts::new(["Proffer.example.com.".to_owned()]);
        for known in [
            "127.0.0.1",
            "127.0.0.1:8080",
            "10.1.2.3:80",
            "[::1]:8080",
            "[::1]",
            "localhost",
            "LOCALHOST:8080",
            "proffer.example.com:443",
            "PROFFER.EXAMPLE.COM",
        ] {
            assert!(hosts.knows(known), "{known}");
        }
        for unknown in [
            "",
            ":8080",
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "xproffer.example.com",
            "127.0.0.1@evil.example",
            "[::1].evil.example",
        ] {
            assert!(!hosts.knows(unknown), "{unknown}");
        }
    }
}
