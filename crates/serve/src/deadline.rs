//! The time limit of gRPC calls. A REST call has its own, which it reports in its own words.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue};
use proffer_proto::errors::v1::ErrorReason;
use tonic::{Code, Status};

use crate::{Problem, door, method::Method};

/// A call with less time left is not worked on: its answer would come too late.
pub const LEFT_MIN: Duration = Duration::from_millis(5);
/// Header in which a client names its own limit.
const GRPC_TIMEOUT: &str = "grpc-timeout";
/// Digits of its value at most, as the protocol says.
const DIGITS_MAX: usize = 8;
/// The first number that has more.
const DIGITS_END: u128 = 100_000_000;

/// The time limit of a request: `own`, or a shorter one that its client names. A call that takes a
/// stream has only the client's limit, and REST has its own.
pub fn of(headers: &HeaderMap, method: Option<&Method>, own: Duration) -> Option<Duration> {
    if !door::is_grpc(headers) {
        return None;
    }
    // Reflection takes a stream too, but begins its answer at once.
    let lasts = method.is_some_and(|method| method.takes_stream && !method.is_probe);
    let own = (!lasts).then_some(own);
    match (own, asked(headers)) {
        (Some(own), Some(asked)) => Some(own.min(asked)),
        (own, asked) => own.or(asked),
    }
}

/// The answer to `request`. A gRPC call that takes longer than `limit` is answered with
/// DEADLINE_EXCEEDED.
pub async fn within(limit: Option<Duration>, request: Request, next: Next) -> Response {
    let Some(limit) = limit else { return next.run(request).await };
    if limit < LEFT_MIN {
        return too_late().into_http::<Body>().into_response();
    }
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => overdue(limit).into_http::<Body>().into_response(),
    }
}

/// Leaves a call to another service at most this much time.
pub fn shorten(headers: &mut HeaderMap, left: Duration) {
    let left = asked(headers).map_or(left, |asked| asked.min(left));
    let (micros, millis) = (left.as_micros(), left.as_millis());
    let text = if micros < DIGITS_END { format!("{micros}u") } else { format!("{millis}m") };
    if millis < DIGITS_END
        && let Ok(value) = HeaderValue::try_from(text)
    {
        headers.insert(GRPC_TIMEOUT, value);
    }
}

/// The refusal of a call with less than [`LEFT_MIN`] left.
pub fn too_late() -> Status {
    let message = format!("less than {} ms of the call's time are left", LEFT_MIN.as_millis());
    Problem::new(Code::DeadlineExceeded, ErrorReason::Unavailable, message).into()
}

fn overdue(limit: Duration) -> Status {
    let message = format!("no answer within {} s", limit.as_secs_f64());
    Problem::new(Code::DeadlineExceeded, ErrorReason::Unavailable, message).into()
}

/// The limit that a client names; nothing when it names none or an unreadable one.
pub fn asked(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 60 * 60),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_limit_is_read_as_the_protocol_writes_it() {
        let check = |text: &'static str, expected: Option<Duration>| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(GRPC_TIMEOUT),
                http::HeaderValue::from_static(text),
            )]);
            assert_eq!(asked(&headers), expected, "{text}");
        };
        check("1H", Some(Duration::from_secs(3_600)));
        check("2M", Some(Duration::from_secs(120)));
        check("99999999S", Some(Duration::from_secs(99_999_999)));
        check("250m", Some(Duration::from_millis(250)));
        check("7u", Some(Duration::from_micros(7)));
        check("0n", Some(Duration::ZERO));
        for odd in ["", "S", "1", "1s", "-1S", "+1S", "1.5S", "999999999S", "1 S"] {
            check(odd, None);
        }
        assert_eq!(asked(&HeaderMap::new()), None);
    }

    #[test]
    fn a_limit_is_only_ever_shortened() {
        let check = |given: Option<&'static str>, left: Duration, expected: Option<&str>| {
            let given = given.map(HeaderValue::from_static);
            let name = || http::HeaderName::from_static(GRPC_TIMEOUT);
            let mut headers: HeaderMap = given.into_iter().map(|value| (name(), value)).collect();
            shorten(&mut headers, left);
            let found = headers.get(GRPC_TIMEOUT).map(|value| value.to_str().unwrap());
            assert_eq!(found, expected);
        };
        check(None, Duration::from_millis(250), Some("250000u"));
        check(Some("1S"), Duration::from_millis(250), Some("250000u"));
        check(Some("100m"), Duration::from_millis(250), Some("100000u"));
        check(None, Duration::ZERO, Some("0u"));
        check(None, Duration::from_secs(1_000), Some("1000000m"));
        // More than the protocol can say in milliseconds is as good as no limit.
        check(None, Duration::from_secs(1_000_000), None);
    }
}
