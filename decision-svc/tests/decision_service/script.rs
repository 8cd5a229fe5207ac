//! What the neighbours of a test answer, and what they were asked.

use std::collections::BTreeMap;

use proffer_proto::{experiment::v1 as experiment, policy::v1 as policy, values::v1::Value};

/// What the neighbours answer, and what they were asked.
#[derive(Default)]
pub struct Script {
    /// Records by customer.
    pub records: BTreeMap<String, BTreeMap<String, Value>>,
    /// catalog-svc is away.
    pub catalog_away: bool,
    /// policy-svc is away.
    pub policy_away: bool,
    /// Writes that policy-svc has acknowledged and its watch has not delivered.
    pub policy_unseen: i64,
    /// policy-svc reserves, and its answers do not arrive.
    pub answers_lost: bool,
    /// policy-svc takes no deliveries: UNAVAILABLE, or INVALID_ARGUMENT for outcomes of this key.
    pub deliveries_away: bool,
    pub refused_key: Option<String>,
    /// A refusal for every candidate.
    pub refusal: Option<policy::Refusal>,
    /// Verdicts on single candidates; others pass, and no policy looks at them.
    pub verdicts: BTreeMap<String, policy::Verdict>,
    /// Slots by request id, else decision id.
    pub grants: BTreeMap<String, policy::ReserveResponse>,
    /// How many customers each batched lookup asked for.
    pub lookups: Vec<usize>,
    /// How many questions each batched call held.
    pub batches: Vec<usize>,
    pub reserves: Vec<policy::ReserveRequest>,
    pub checks: Vec<policy::CheckRequest>,
    pub commits: Vec<policy::CommitContactRequest>,
    pub releases: Vec<policy::ReleaseContactRequest>,
    pub outcomes: Vec<policy::OutcomeFact>,
    pub refusals: usize,
    pub entries: Vec<experiment::LedgerEntry>,
    pub counted_through: i64,
}

impl Script {
    /// Lets every candidate pass that has no verdict of its own.
    pub fn judgment(&self, question: Option<&policy::ContactQuestion>) -> policy::Judgment {
        let candidates = question.map(|question| question.candidates.clone()).unwrap_or_default();
        let passed = |candidate: &policy::OfferSubject| policy::Verdict {
            offer_id: candidate.offer_id.clone(),
            summary: "passed (0 contacts in last 30d)".to_owned(),
            ..Default::default()
        };
        let verdict =
            |candidate: &policy::OfferSubject| match self.verdicts.get(&candidate.offer_id) {
                Some(verdict) => {
                    policy::Verdict { offer_id: candidate.offer_id.clone(), ..verdict.clone() }
                }
                None => passed(candidate),
            };
        policy::Judgment {
            refusal: self.refusal.clone(),
            verdicts: candidates.iter().map(verdict).collect(),
            revision: 1,
            tz_version: "test".to_owned(),
            ..Default::default()
        }
    }
}
