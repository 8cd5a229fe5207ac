//! Parsers of settings that people write by hand. Each error says what would be right.

use std::net::{SocketAddr, ToSocketAddrs as _};

use tracing_subscriber::EnvFilter;

use super::secret::Secret;

/// The levels of a log.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// An address to listen on: `127.0.0.1:8080`, `[::1]:8080`, or a host name and a port as in
/// `localhost:8080`.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let example = "write an address and a port, for example 127.0.0.1:8080 or localhost:8080";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| example.to_owned())?;
    let port: u16 = port.parse().map_err(|_| example.to_owned())?;
    if host.is_empty() {
        return Err(example.to_owned());
    }
    let found = (host, port).to_socket_addrs().ok().and_then(|mut found| {
        let all: Vec<_> = found.by_ref().collect();
        all.iter().find(|address| address.is_ipv4()).or(all.first()).copied()
    });
    found.ok_or_else(|| format!("the host name `{host}` is not known; {example}"))
}

/// The URL of a PostgreSQL database. No message repeats it: it may hold a password.
pub fn database_url(text: &str) -> Result<Secret, String> {
    database::check_url(text).map(|()| Secret::new(text)).map_err(|error| format!("{error:#}"))
}

/// The URL of another service, such as `http://catalog:7101`.
pub fn neighbour_url(text: &str) -> Result<String, String> {
    crate::replicas::check(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// A log filter: a level, or levels by target, such as `info` or `warn,decision_svc=debug`.
pub fn log_filter(text: &str) -> Result<String, String> {
    let example = "write a level (off, error, warn, info, debug, trace) or levels by target, for \
                   example info or warn,decision_svc=debug";
    let is_level = |word: &str| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    // A word alone would be taken as a target, and its lines as the only ones to log.
    let wrong = text
        .split(',')
        .map(str::trim)
        .find(|part| part.is_empty() || !part.contains(['=', '[']) && !is_level(part));
    match (wrong, EnvFilter::try_new(text)) {
        (None, Ok(_)) => Ok(text.to_owned()),
        (Some(word), _) if !word.is_empty() => Err(format!("`{word}` is no level; {example}")),
        _ => Err(example.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_host_name_and_a_wrong_one_shows_an_example() {
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:0", "[::1]:0"),
            ("localhost:8181", "127.0.0.1:8181"),
            ("0.0.0.0:9", "0.0.0.0:9"),
        ] {
            assert_eq!(address(text).map(|found| found.to_string()), Ok(expected.to_owned()));
        }
        for wrong in ["8181", ":8181", "localhost", "localhost:", "localhost:80800", "", "1.2.3.4"]
        {
            let fault = address(wrong).unwrap_err();
            assert!(fault.contains("127.0.0.1:8080"), "{wrong}: {fault}");
        }
        let fault = address("no such host:80").unwrap_err();
        assert!(fault.starts_with("the host name `no such host` is not known; "), "{fault}");
    }

    #[test]
    fn the_url_of_a_service_is_refused_when_nothing_could_be_reached_by_it() {
        for right in [
            "http://catalog:7101",
            "http://127.0.0.1:7101/",
            "http://a:1,http://b:2",
            "http://[::1]:1",
        ] {
            assert_eq!(neighbour_url(right).as_deref(), Ok(right));
        }
        for wrong in ["catalog:7101", "", "http://", "ftp://catalog", "http://catalog:7101/path"] {
            let fault = neighbour_url(wrong);
            assert!(fault.is_err_and(|fault| fault.contains("http://host:port")), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_log_filter_is_refused_and_not_replaced() {
        for right in ["info", "WARN", "off", "warn,decision_svc=debug", "a::b=trace,info"] {
            assert_eq!(log_filter(right).as_deref(), Ok(right));
        }
        for wrong in ["nonsense=foo", "verbose", "info,verbose", "", "info,", "=", "a=b=c"] {
            let fault = log_filter(wrong).unwrap_err();
            assert!(fault.contains("warn,decision_svc=debug"), "{wrong}: {fault}");
        }
    }
}
