//! A message that cannot be decoded is its sender's fault. tonic calls it INTERNAL, which would
//! read as a fault of ours in answers, logs and alerts.

use http::{HeaderMap, HeaderName};
use proffer_proto::errors::v1::ErrorReason;
use tonic::{Code, Status};

use crate::Problem;

/// The header or trailer with the code.
const STATUS: &str = "grpc-status";
/// The text with which the library that decodes messages begins its errors.
const BEGINNING: &str = "failed to decode Protobuf message";

/// Makes INVALID_ARGUMENT of such an error in the headers or trailers of an answer.
pub fn correct(headers: &mut HeaderMap) {
    let is_internal = |headers: &HeaderMap| {
        headers.get(STATUS).is_some_and(|code| Code::from_bytes(code.as_bytes()) == Code::Internal)
    };
    if !is_internal(headers) {
        return;
    }
    let Some(status) = Status::from_header_map(headers) else { return };
    if !status.message().starts_with(BEGINNING) {
        return;
    }
    let message = status.message().trim_start_matches(BEGINNING).trim_start_matches(':').trim();
    let message = format!("the message cannot be decoded: {message}");
    let problem = Problem::new(Code::InvalidArgument, ErrorReason::InvalidField, message);
    for name in [STATUS, "grpc-message", "grpc-status-details-bin"] {
        headers.remove(HeaderName::from_static(name));
    }
    // INVARIANT: a message is encoded so that a header can hold it.
    drop(Status::from(problem).add_header(headers));
}

#[cfg(test)]
mod tests {
    use proffer_proto::catalog::v1::GetOfferRequest;
    use prost::Message as _;

    use super::*;

    fn check(status: &Status, expected: Code) {
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        correct(&mut headers);
        assert_eq!(Status::from_header_map(&headers).unwrap().code(), expected, "{status}");
    }

    #[test]
    fn an_undecodable_message_is_invalid_and_other_errors_stay() {
        let error = GetOfferRequest::decode(&[0x0a, 0xff][..]).unwrap_err();
        check(&Status::internal(error.to_string()), Code::InvalidArgument);
        check(&Status::internal("internal error; quote 1"), Code::Internal);
        check(&Status::unavailable(error.to_string()), Code::Unavailable);
        let mut none = HeaderMap::new();
        correct(&mut none);
        assert!(none.is_empty());
    }
}
