//! What the flows of decision-svc say about learning.

use history::Part;
use proffer_proto::{decision::v1::DecisionFlow, values::v1::ConfigurationChange};
use prost::Message as _;
use wire::named::FLOW;

/// The part of a flow that is the key of an outcome type.
pub const OUTCOME: &str = "learning outcome";
/// The part of a flow that is a number of days.
pub const WINDOW_DAYS: &str = "learning window";

/// The part of a flow that says after how many days is learned again.
pub const RETRAIN_DAYS: &str = "learning again";

/// What a flow says about learning, as its parts.
pub fn learning(change: &ConfigurationChange) -> Vec<Part> {
    if change.kind != FLOW {
        return Vec::new();
    }
    // INVARIANT: the log holds flows as decision-svc wrote them.
    let flow = DecisionFlow::decode(change.resource.as_slice()).unwrap_or_default();
    let learning = flow.config.and_then(|config| config.learning).unwrap_or_default();
    let outcome = Some(learning.outcome).filter(|key| !key.is_empty());
    let days = |days: i32| Some(days).filter(|days| *days > 0).map(|days| days.to_string());
    let parts = [
        (OUTCOME, outcome),
        (WINDOW_DAYS, days(learning.window_days)),
        (RETRAIN_DAYS, days(learning.retrain_days)),
    ];
    parts.into_iter().filter_map(|(kind, part)| Some((kind, part?))).collect()
}
