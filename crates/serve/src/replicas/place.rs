//! Where a service is, as a setting says it.

use http::Uri;

/// Why a neighbor cannot be called at all.
#[derive(Debug, thiserror::Error)]
#[error(
    "neighbor URL `{url}` is not valid: {reason}; write it as http://host:port, and several \
     separated by commas"
)]
pub struct NeighbourError {
    url: String,
    reason: String,
}

/// A host and a port; the host may have several addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The URL, which requests carry as their origin.
    pub origin: Uri,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Place {
    /// The places of a setting: one URL, or several separated by commas.
    pub fn all(urls: &str) -> Result<Vec<Self>, NeighbourError> {
        urls.split(',').map(str::trim).map(Self::parse).collect()
    }

    fn parse(url: &str) -> Result<Self, NeighbourError> {
        let wrong = |reason: &str| NeighbourError { url: url.into(), reason: reason.into() };
        let origin: Uri =
            url.parse().map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        if origin.scheme_str() != Some("http") {
            return Err(wrong("it must begin with http://"));
        }
        let host = origin.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("it names no host"))?;
        if !matches!(origin.path(), "" | "/") || origin.query().is_some() {
            return Err(wrong("it has a path"));
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(host).to_owned();
        Ok(Self { host, port: origin.port_u16().unwrap_or(80), origin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_url_or_several_with_commas_are_places_and_anything_else_says_what_to_write() {
        let read = |urls: &str| {
            let places = Place::all(urls).map_err(|error| error.to_string())?;
            Ok::<_, String>(places.into_iter().map(|one| (one.host, one.port)).collect::<Vec<_>>())
        };
        let place = |host: &str, port| (host.to_owned(), port);
        assert_eq!(read("http://catalog:7101"), Ok(vec![place("catalog", 7101)]));
        assert_eq!(read("http://[::1]:7101/"), Ok(vec![place("::1", 7101)]));
        let both = Ok(vec![place("127.0.0.1", 1), place("catalog.shop.svc", 80)]);
        assert_eq!(read("http://127.0.0.1:1, http://catalog.shop.svc"), both);
        for wrong in ["", "catalog:7101", "https://catalog:7101", "http://a:1,", "http://a:1/x"] {
            let fault = read(wrong).unwrap_err();
            assert!(fault.contains("write it as http://host:port"), "{wrong}: {fault}");
        }
    }
}
