//! A decision as it is handed to the writer, and the request that it answers.

use crate::domain::assignment::Arm;

/// A decision to be written, with all that must be true together with it.
#[derive(Clone, Debug)]
pub struct NewDecision {
    /// The tenant.
    pub tenant: String,
    /// Id of the decision.
    pub decision_id: String,
    /// The customer.
    pub customer_id: String,
    /// When it was made, in microseconds since 1970.
    pub decided_us: i64,
    /// Id of its flow.
    pub flow_id: String,
    /// Its reason code as a word; empty without.
    pub reason: &'static str,
    /// The record, encoded.
    pub record: Vec<u8>,
    /// The request it answers.
    pub request: Option<RequestRow>,
    /// Arms that it draws, or under which it is the first to return an offer.
    pub arms: Vec<NewArm>,
    /// The span that decides, as `traceparent` writes it; none when that is not exported.
    pub cause: Option<String>,
}

/// What a decision writes about an arm under which it was made.
#[derive(Clone, Debug)]
pub struct NewArm {
    /// The arm.
    pub arm: Arm,
    /// The message about it for experiment-svc, when the decision draws it. It is sent if the arm
    /// was not stored before.
    pub drawn: Option<Vec<u8>>,
    /// The message about the customer's first exposure, when the decision may be that. It is sent
    /// if there was none before.
    pub exposure: Option<Vec<u8>>,
}

/// The decision that answers a request id of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// The request id.
    pub request_id: String,
    /// The decision.
    pub decision_id: String,
    /// Hash of the request's body.
    pub body_hash: Vec<u8>,
    /// When it was decided, in microseconds since 1970.
    pub decided_us: i64,
    /// A refusal answers its request only until then.
    pub deliver_after_us: Option<i64>,
    /// Rows decided [`RequestRow::KEPT_US`] before this, or lapsed by it, may be replaced.
    pub now_us: i64,
}

impl RequestRow {
    /// How long a request id names its decision.
    pub const KEPT_US: i64 = 24 * 3600 * 1_000_000;

    /// True while the request is answered by its decision.
    pub fn is_kept(&self, now_us: i64) -> bool {
        now_us - self.decided_us < Self::KEPT_US
            && self.deliver_after_us.is_none_or(|after| now_us < after)
    }
}
