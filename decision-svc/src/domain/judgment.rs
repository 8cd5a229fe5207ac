//! The judgment of policy-svc as decisions use it: grants, refusals, verdicts.

use chrono::{DateTime, Utc};

use crate::domain::reason::Reason;

/// Why contact is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub reason_code: Reason,
    /// For people.
    pub reason: String,
    /// First instant at which contact would be allowed, RFC 3339 with offset.
    pub deliver_after: Option<String>,
}

impl Refusal {
    /// A refusal that names no instant.
    pub fn new(reason_code: Reason, reason: impl Into<String>) -> Self {
        Self { reason_code, reason: reason.into(), deliver_after: None }
    }
}

/// The verdict on one candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferVerdict {
    /// The offer.
    pub offer_id: String,
    /// The strongest refusal; none when it passes.
    pub refusal: Option<Refusal>,
    /// The short form for the trace.
    pub summary: String,
    /// Every policy that looked at it, by id.
    pub policies: Vec<PolicyVerdict>,
}

impl OfferVerdict {
    /// When every policy that refuses the candidate would let it through; none when one never does
    /// by itself.
    pub fn next_allowed_at(&self) -> Option<DateTime<Utc>> {
        let refusing = self.policies.iter().filter(|policy| !policy.is_passed);
        let instants: Option<Vec<_>> = refusing.map(|policy| policy.next_allowed_at).collect();
        instants?.into_iter().max()
    }
}

/// What one policy found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVerdict {
    /// The policy.
    pub policy_id: String,
    /// Its rule type.
    pub rule_type: String,
    /// It lets the candidate through.
    pub is_passed: bool,
    /// Contacts, or outcomes, counted in the window.
    pub contacts: i32,
    /// Live reservations counted.
    pub reserved: i32,
    /// The limit; 0 for rules that count nothing.
    pub limit: i32,
    /// Length of the window.
    pub window_seconds: i64,
    /// When it would pass again.
    pub next_allowed_at: Option<DateTime<Utc>>,
    /// The policy that lifted its refusal; empty when none did.
    pub lifted_by: String,
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
pub struct Judgment {
    /// A refusal that holds for every candidate.
    pub refusal: Option<Refusal>,
    /// One per candidate.
    pub verdicts: Vec<OfferVerdict>,
    /// The slots; none when nothing was to be reserved.
    pub grants: Option<Vec<Grant>>,
    /// The policy revision used.
    pub revision: i64,
    /// Version of the time zone database.
    pub tz_version: String,
    /// The sources that consent was read from.
    pub consent_sources: Vec<String>,
    /// What it can be made again from; none of a judgment that was made again.
    pub basis: Option<Basis>,
}

/// What a judgment can be made again from, as policy encodes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The facts policy judged by.
    Facts {
        /// Encoded.
        encoded: Vec<u8>,
        /// Customer fields policy may have read.
        fields_read: Vec<String>,
    },
    /// The judgment itself: the answer to a retry carries no facts.
    Judgment(Vec<u8>),
}
