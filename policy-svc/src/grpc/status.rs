//! The ledger's errors as callers see them.

use serve::Problem;
use tonic::Status;

use crate::store::StoreError;

/// The status of an error of the ledger.
pub fn status(error: StoreError) -> Status {
    match error {
        StoreError::Database(error) => serve::store_status(&error),
        StoreError::Reconfigured => serve::unavailable("policy", &error),
        StoreError::DecisionUsed(decision_id) => {
            let message = format!(
                "decision `{decision_id}` has reserved before; a new question needs a new decision id"
            );
            Problem::wrong_state(&decision_id, "reserved", message).into()
        }
        StoreError::OtherContact { offer_id, channel } => {
            let on = if channel.is_empty() {
                "without a channel".to_owned()
            } else {
                format!("on channel `{channel}`")
            };
            let message =
                format!("is not what the decision holds at this rank: offer `{offer_id}` {on}");
            Problem::invalid_field("question.candidates[0].offer_id", message).into()
        }
    }
}
