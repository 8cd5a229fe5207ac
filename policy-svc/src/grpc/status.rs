//! The gate's errors as callers see them.

use proffer_proto::errors::v1::ErrorReason;
use serve::Problem;
use tonic::{Code, Status};

use crate::gate::GateError;

/// The status of an error of the gate.
pub fn status(error: GateError) -> Status {
    match error {
        GateError::Store(error) => serve::store_status(&error),
        GateError::Configuration(error) => error.into(),
        GateError::Stale => serve::unavailable("policy", &error),
        GateError::CallerBehind(revision) => {
            let problem =
                Problem::new(Code::Aborted, ErrorReason::SnapshotStale, error.to_string());
            problem.with("revision", revision.to_string()).into()
        }
        GateError::UnknownRevision(revision) => {
            Problem::not_found("policy revision", &revision.to_string()).into()
        }
        GateError::UnknownChannel(named) => Problem::not_found("channel", &named).into(),
        GateError::InactiveChannel { named, id, status } => {
            let message = format!("channel `{named}` is {status}; only active channels are used");
            Problem::wrong_state(&id, status, message).into()
        }
        GateError::DecisionUsed(decision_id) => {
            let message = format!(
                "decision `{decision_id}` has reserved before; a new request needs a new id"
            );
            Problem::wrong_state(&decision_id, "reserved", message).into()
        }
        GateError::OtherContact { offer_id, channel } => {
            let on = if channel.is_empty() {
                "without a channel".to_owned()
            } else {
                format!("on channel `{channel}`")
            };
            let message =
                format!("is not what the decision reserved at this rank: offer `{offer_id}` {on}");
            Problem::invalid_field("question.candidates[0].offer_id", message).into()
        }
    }
}
