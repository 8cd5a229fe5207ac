//! The time limit of gRPC calls. A REST call has its own, which it reports in its own words.

use std::{collections::HashSet, sync::LazyLock, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue};
use proffer_proto::errors::v1::ErrorReason;
use tonic::{Code, Status};

use crate::{Problem, door};

/// Header in which a client names its own limit.
const GRPC_TIMEOUT: &str = "grpc-timeout";
/// Digits of its value at most, as the protocol says.
const DIGITS_MAX: usize = 8;

/// Paths of the methods that take a stream. They last as long as their caller sends.
static STREAMS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let methods =
        proffer_proto::POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .filter(|method| method.is_client_streaming())
        .map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name()))
        .collect()
});

/// The answer to `request`. A gRPC call that takes longer than `limit`, or than its client says, is
/// answered with DEADLINE_EXCEEDED; a call that takes a stream has only the client's limit.
pub async fn within(limit: Duration, request: Request, next: Next) -> Response {
    if !door::is_grpc(request.headers()) {
        return next.run(request).await;
    }
    let own = (!takes_stream(request.uri().path())).then_some(limit);
    let limit = match (own, asked(request.headers())) {
        (Some(own), Some(asked)) => Some(own.min(asked)),
        (own, asked) => own.or(asked),
    };
    let Some(limit) = limit else { return next.run(request).await };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => overdue(limit).into_http::<Body>().into_response(),
    }
}

/// True for a method that takes a stream.
pub fn takes_stream(path: &str) -> bool {
    STREAMS.contains(path)
}

/// Names a client's limit in its request, in milliseconds.
pub fn ask(headers: &mut HeaderMap, limit: Duration) {
    let most = 10_u128.pow(8) - 1;
    let value = HeaderValue::try_from(format!("{}m", limit.as_millis().min(most)));
    if let Ok(value) = value {
        headers.insert(GRPC_TIMEOUT, value);
    }
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
    fn every_method_that_takes_a_stream_is_known() {
        assert!(STREAMS.contains("/proffer.catalog.v1.RecordService/ImportRecords"));
        assert!(STREAMS.contains("/proffer.decision.v1.DecisionService/RecommendStream"));
        assert!(!STREAMS.contains("/proffer.decision.v1.DecisionService/Recommend"));
    }
}
