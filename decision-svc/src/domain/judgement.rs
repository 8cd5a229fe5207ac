//! What policy answered, as decisions use it.

use chrono::{DateTime, Utc};

/// Why contact is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub reason_code: String,
    /// For people.
    pub reason: String,
    /// First instant at which contact would be allowed, RFC 3339 with offset.
    pub deliver_after: Option<String>,
}

/// The verdict on one candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The offer.
    pub offer_id: String,
    /// The strongest refusal; none when it passes.
    pub refusal: Option<Refusal>,
    /// The short form for the trace.
    pub summary: String,
}

/// A slot held for an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The offer.
    pub offer_id: String,
    /// Rank within the decision that holds it.
    pub rank: i32,
    /// When it lapses.
    pub reserved_until: DateTime<Utc>,
}

/// Verdicts on a customer and the candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// A refusal that holds for every candidate.
    pub refusal: Option<Refusal>,
    /// One per candidate.
    pub verdicts: Vec<Verdict>,
    /// The slots; none when nothing was to be reserved.
    pub grants: Option<Vec<Grant>>,
    /// The policy revision used.
    pub revision: i64,
    /// Version of the time zone database.
    pub tz_version: String,
    /// Consent sources that spoke.
    pub consent_sources: Vec<String>,
}
