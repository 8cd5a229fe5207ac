//! May these offers be proposed to this customer, here and now?
//!
//! All rules are evaluated, and each is reported. A refusal of the customer (consent, quiet hours)
//! comes before a refusal of an offer (contact policies).

mod evaluations;

use chrono::{DateTime, Utc};

use super::{
    channel::Channel,
    configuration::Configuration,
    consent::consent,
    facts::{Facts, Subject},
    local_time::LocalTime,
    question::{Candidate, Fields},
};
use evaluations::Evaluations;

pub use super::refusal::{ReasonCode, Refusal};

/// Most findings of single policies in one judgment. Offers ranked below keep their verdict without
/// the list of policies.
pub const POLICY_VERDICTS_MAX: usize = 10_000;

/// What is judged, beside the facts.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The rules.
    pub configuration: &'a Configuration,
    /// The channel; `None` when nobody is contacted: consent and hours are skipped.
    pub channel: Option<&'a Channel>,
    /// The instant at which quiet hours are judged.
    pub at: DateTime<Utc>,
    /// The customer's record.
    pub fields: &'a Fields,
    /// Best first.
    pub candidates: &'a [Candidate],
    /// How much is evaluated.
    pub scrutiny: Scrutiny,
}

/// How much is evaluated of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrutiny {
    /// Everything.
    Full,
    /// All but caps: they were evaluated when its slot was reserved, and the slot is still held.
    /// The facts leave it out.
    SlotHeld,
}

/// Slots to be given, in ranking order.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// At most so many.
    pub limit: usize,
    /// They lapse then.
    pub until: DateTime<Utc>,
}

/// Verdicts on a customer and the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgment {
    /// A refusal that holds for every candidate.
    pub refusal: Option<Refusal>,
    /// One per candidate, in their order.
    pub verdicts: Vec<Verdict>,
    /// Indexes of the candidates that got a slot, in ranking order.
    pub granted: Vec<usize>,
    /// The instant caps were judged at.
    pub ledger_at: DateTime<Utc>,
    /// The revision of the rules.
    pub revision: i64,
    /// Zones local time was taken in, joined by `, `.
    pub timezone: String,
    /// Consent sources that granted or denied.
    pub consent_sources: Vec<String>,
}

/// The verdict on one candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The offer.
    pub offer_id: String,
    /// The strongest refusal.
    pub refusal: Option<Refusal>,
    /// The short form.
    pub summary: String,
    /// Every policy that looked at it.
    pub policies: Vec<PolicyVerdict>,
}

/// What one policy found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVerdict {
    /// The policy.
    pub policy_id: String,
    /// Its rule type.
    pub rule_type: &'static str,
    /// It lets the candidate through.
    pub is_passed: bool,
    /// Contacts, or outcomes, counted in the window.
    pub counted: usize,
    /// Live reservations counted.
    pub reserved: usize,
    /// The limit.
    pub limit: usize,
    /// Length of the window.
    pub window_seconds: i64,
    /// When it would pass again.
    pub next_allowed_at: Option<DateTime<Utc>>,
    /// The policy that lifted its refusal.
    pub lifted_by: Option<String>,
}

/// Judges, giving slots to the first candidates that pass. A slot counts against every later
/// candidate at once, also when nothing is written: so a check gives slots to the offers that a
/// reservation would.
pub fn judge(case: &Case<'_>, facts: &Facts, slots: Slots) -> Judgment {
    let found = case.channel.map(|channel| consent(channel, case.fields, &facts.consents));
    let (consent_refusal, consent_sources) =
        found.map(|found| (found.refusal, found.sources)).unwrap_or_default();
    let time = LocalTime::new(case.channel, &case.configuration.settings, case.fields, case.at);
    let unreadable = case.channel.and_then(unreadable);
    let is_refused = consent_refusal.is_some() || unreadable.is_some() || time.forbids();
    let mut evaluations = Evaluations::open(case, facts, &time);
    let (mut verdicts, mut granted, mut listed) = (Vec::new(), Vec::new(), 0);
    for (index, candidate) in case.candidates.iter().enumerate() {
        let (channel_id, channel_name) =
            case.channel.map_or(("", ""), |channel| (&channel.id, &channel.name));
        let subject = Subject::new(candidate, channel_id, channel_name);
        let mut verdict = evaluations.verdict(candidate, &subject);
        listed += verdict.policies.len();
        if listed > POLICY_VERDICTS_MAX {
            verdict.policies.clear();
        }
        if !is_refused && verdict.refusal.is_none() && granted.len() < slots.limit {
            granted.push(index);
            evaluations.reserve(&subject, slots.until);
        }
        verdicts.push(verdict);
    }
    let time_refusal =
        if time.forbids() { time.refusal(evaluations.first_opening()) } else { None };
    let is_readable = case.channel.is_none_or(|channel| channel.is_readable);
    Judgment {
        refusal: consent_refusal.or(unreadable).or(time_refusal),
        verdicts,
        granted,
        ledger_at: facts.ledger_at,
        revision: case.configuration.revision,
        timezone: if is_readable { time.timezone() } else { String::new() },
        consent_sources,
    }
}

fn unreadable(channel: &Channel) -> Option<Refusal> {
    let reason =
        || format!("channel {} has rules that cannot be read by this version", channel.name);
    (!channel.is_readable).then(|| Refusal::new(ReasonCode::PolicyUnavailable, reason()))
}

#[cfg(test)]
mod tests;
