//! May these offers be proposed to this customer, here and now?
//!
//! All rules are evaluated and told. What holds for the customer (consent, quiet hours) comes before what holds for an
//! offer (contact policies).

use chrono::{DateTime, FixedOffset, Offset as _, SecondsFormat, Utc};

use super::{
    channel::Channel,
    configuration::Configuration,
    consent::consent,
    contact_policy::{ContactPolicy, Rule},
    facts::{Facts, OutcomeFact, Subject},
    question::{Candidate, Fields},
    quiet_hours::{Opening, QuietHours},
    suppression::Suppression,
    tally::Tally,
    zone::{self, ZoneUnknown},
};

/// Most single verdicts told in one judgement. Offers ranked below have theirs, without the list of policies.
pub const POLICY_VERDICTS_MAX: usize = 10_000;

/// Why contact is refused, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ReasonCode {
    ConsentWithheld,
    ConsentWithdrawn,
    ConsentUnknown,
    QuietHours,
    TimezoneUnknown,
    FrequencyCap,
    Suppressed,
    PolicyUnavailable,
}

impl ReasonCode {
    /// As REST says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConsentWithheld => "consent_withheld",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::ConsentUnknown => "consent_unknown",
            Self::QuietHours => "quiet_hours",
            Self::TimezoneUnknown => "timezone_unknown",
            Self::FrequencyCap => "frequency_cap",
            Self::Suppressed => "suppressed",
            Self::PolicyUnavailable => "policy_unavailable",
        }
    }
}

/// Why contact is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: ReasonCode,
    /// For people.
    pub reason: String,
    /// First instant quiet hours allow, in the customer's time.
    pub deliver_after: Option<DateTime<FixedOffset>>,
}

impl Refusal {
    /// A refusal without an instant.
    pub fn new(code: ReasonCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), deliver_after: None }
    }
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// By these rules.
    pub configuration: &'a Configuration,
    /// On this channel; none skips channel rules.
    pub channel: Option<&'a Channel>,
    /// Quiet hours are judged at this instant.
    pub at: DateTime<Utc>,
    /// The customer's record.
    pub fields: &'a Fields,
    /// Best first.
    pub candidates: &'a [Candidate],
    /// How much is asked.
    pub scrutiny: Scrutiny,
}

/// How much is asked of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrutiny {
    /// Everything.
    Full,
    /// All but caps: they were asked when its slot was reserved, and the slot is still held.
    SlotHeld,
}

/// Slots to be given: ranking order wins the last one.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// At most so many.
    pub limit: usize,
    /// They lapse then.
    pub until: DateTime<Utc>,
}

/// Verdicts on a customer and the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// A refusal that holds for every candidate.
    pub refusal: Option<Refusal>,
    /// One per candidate, in the order asked.
    pub verdicts: Vec<Verdict>,
    /// Places of the candidates that got a slot, in ranking order.
    pub granted: Vec<usize>,
    /// The instant caps were judged at.
    pub ledger_at: DateTime<Utc>,
    /// The revision of the rules.
    pub revision: i64,
    /// Zones local time was taken in, joined by `, `.
    pub timezone: String,
    /// Consent sources that spoke.
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
}

/// Judges, giving slots to the first candidates that pass. A slot counts against every later candidate at once, for a
/// dry run as well: so its first offers are the ones a reservation would get.
pub fn judge(asked: &Asked<'_>, facts: &Facts, slots: Slots) -> Judgement {
    let spoken = asked.channel.map(|channel| consent(channel, asked.fields, &facts.consents));
    let (consent_refusal, consent_sources) = spoken.map(|found| (found.refusal, found.sources)).unwrap_or_default();
    let (time_refusal, timezone) = local_time(asked);
    let refusal = consent_refusal.or(time_refusal);
    let mut findings: Vec<_> =
        asked.configuration.policies.iter().map(|policy| finding(policy, asked, facts)).collect();
    let (mut verdicts, mut granted, mut told) = (Vec::new(), Vec::new(), 0);
    for (place, candidate) in asked.candidates.iter().enumerate() {
        let (channel_id, channel_name) = asked.channel.map_or(("", ""), |channel| (&channel.id, &channel.name));
        let subject = Subject::new(candidate, channel_id, channel_name);
        let mut looking: Vec<_> =
            findings.iter_mut().filter(|finding| finding.policy.scope.matches(&subject)).collect();
        let mut verdict = verdict(candidate, &looking);
        told += verdict.policies.len();
        if told > POLICY_VERDICTS_MAX {
            verdict.policies.clear();
        }
        if refusal.is_none() && verdict.refusal.is_none() && granted.len() < slots.limit {
            granted.push(place);
            looking.iter_mut().for_each(|finding| finding.reserve(slots.until));
        }
        verdicts.push(verdict);
    }
    let (ledger_at, revision) = (facts.ledger_at, asked.configuration.revision);
    Judgement { refusal, verdicts, granted, ledger_at, revision, timezone, consent_sources }
}

/// A policy with what it found: the same for every candidate in its scope, until one of them gets a slot.
struct Finding<'a> {
    policy: &'a ContactPolicy,
    found: Found<'a>,
    told: Told,
}

enum Found<'a> {
    Counted(Tally),
    Rested(Rest<'a>),
    /// Caps are not asked again while a slot is held.
    NotAsked,
    Unreadable,
}

struct Rest<'a> {
    suppression: &'a Suppression,
    /// The latest outcome it rests after, and how many there are.
    latest: Option<&'a OutcomeFact>,
    count: usize,
    is_cut: bool,
}

/// What a finding says, made once.
struct Told {
    /// Why it refuses.
    refusal: Option<(ReasonCode, String)>,
    /// How it passes, when it counts contacts.
    passed: Option<String>,
    verdict: PolicyVerdict,
}

fn finding<'a>(policy: &'a ContactPolicy, asked: &Asked<'_>, facts: &'a Facts) -> Finding<'a> {
    let found = match &policy.rule {
        Rule::FrequencyCap(_) if asked.scrutiny == Scrutiny::SlotHeld => Found::NotAsked,
        Rule::FrequencyCap(cap) => {
            let is_cut = facts.are_contacts_cut;
            Found::Counted(Tally::new(*cap, &policy.scope, &facts.contacts, facts.ledger_at, is_cut))
        }
        Rule::OutcomeBased(suppression) => Found::Rested(rest(policy, suppression, facts)),
        Rule::Unreadable => Found::Unreadable,
    };
    let told = told(policy, &found);
    Finding { policy, found, told }
}

fn rest<'a>(policy: &ContactPolicy, suppression: &'a Suppression, facts: &'a Facts) -> Rest<'a> {
    let binds = |outcome: &&OutcomeFact| {
        suppression.outcomes.contains(&outcome.key)
            && suppression.window.holds(outcome.at, facts.ledger_at)
            && policy.scope.matches(&outcome.subject)
    };
    let binding: Vec<_> = facts.outcomes.iter().filter(binds).collect();
    let latest = binding.iter().copied().max_by_key(|outcome| outcome.at);
    Rest { suppression, latest, count: binding.len(), is_cut: facts.are_outcomes_cut }
}

impl Finding<'_> {
    fn reserve(&mut self, until: DateTime<Utc>) {
        if let Found::Counted(tally) = &mut self.found {
            tally.reserve(until);
            self.told = told(self.policy, &self.found);
        }
    }
}

impl Rest<'_> {
    fn end(&self) -> Option<DateTime<Utc>> {
        self.latest.map(|outcome| self.suppression.window.end_for(outcome.at))
    }

    fn refused_text(&self) -> Option<String> {
        let window = self.suppression.window;
        if let (Some(outcome), Some(end)) = (self.latest, self.end()) {
            return Some(format!("{} in last {window}, rests until {}", outcome.key, utc_text(end)));
        }
        self.is_cut.then(|| format!("more outcomes than can be looked through in last {window}"))
    }
}

fn told(policy: &ContactPolicy, found: &Found<'_>) -> Told {
    let refusal = match found {
        Found::NotAsked => None,
        Found::Counted(tally) => (!tally.has_room()).then(|| (ReasonCode::FrequencyCap, tally.refused_text())),
        Found::Rested(rest) => rest.refused_text().map(|text| (ReasonCode::Suppressed, text)),
        Found::Unreadable => {
            Some((ReasonCode::PolicyUnavailable, "its rule cannot be read by this version".to_owned()))
        }
    };
    let mut verdict = PolicyVerdict {
        policy_id: policy.id.clone(),
        rule_type: policy.rule.name(),
        is_passed: refusal.is_none(),
        counted: 0,
        reserved: 0,
        limit: 0,
        window_seconds: 0,
        next_allowed_at: None,
    };
    match found {
        Found::Counted(tally) => {
            (verdict.counted, verdict.reserved, verdict.limit) = (tally.contacts(), tally.reserved(), tally.limit());
            verdict.window_seconds = tally.window().length().num_seconds();
            verdict.next_allowed_at = tally.next_room_at();
        }
        Found::Rested(rest) => {
            (verdict.counted, verdict.next_allowed_at) = (rest.count, rest.end());
            verdict.window_seconds = rest.suppression.window.length().num_seconds();
        }
        Found::NotAsked | Found::Unreadable => {}
    }
    let passed = match found {
        Found::Counted(tally) => Some(tally.passed_text()),
        Found::Rested(_) | Found::NotAsked | Found::Unreadable => None,
    };
    Told { refusal, passed, verdict }
}

fn verdict(candidate: &Candidate, looking: &[&mut Finding<'_>]) -> Verdict {
    let refusing = looking.iter().filter_map(|finding| Some((finding.policy, finding.told.refusal.as_ref()?)));
    // Findings come by id, and the first of equals is taken: the highest priority, then the first id.
    let strongest = refusing.min_by_key(|(policy, _)| std::cmp::Reverse(policy.priority));
    let (refusal, summary) = match strongest {
        Some((policy, (code, text))) => {
            (Some(Refusal::new(*code, format!("contact policy {}: {text}", policy.name))), text.clone())
        }
        None => {
            let counting = looking.iter().find_map(|finding| finding.told.passed.clone());
            (None, counting.unwrap_or_else(|| "passed (no policy)".to_owned()))
        }
    };
    let policies = looking.iter().map(|finding| finding.told.verdict.clone()).collect();
    Verdict { offer_id: candidate.offer_id.clone(), refusal, summary, policies }
}

/// Quiet hours and what they need, and the zones used.
fn local_time(asked: &Asked<'_>) -> (Option<Refusal>, String) {
    let Some(channel) = asked.channel else { return (None, String::new()) };
    if !channel.is_readable {
        let reason = format!("channel {} has rules that cannot be read by this version", channel.name);
        return (Some(Refusal::new(ReasonCode::PolicyUnavailable, reason)), String::new());
    }
    let zones = zone::zones(channel, asked.fields, asked.configuration.settings.fallback_timezone);
    match (zones, &channel.quiet_hours) {
        (Ok(mut zones), hours) => {
            zones.dedup();
            let names: Vec<_> = zones.iter().map(|zone| zone.name()).collect();
            let refusal = hours.as_ref().and_then(|hours| quiet(channel, hours, &zones, asked.at));
            (refusal, names.join(", "))
        }
        (Err(_), None) => (None, String::new()),
        (Err(unknown), Some(_)) => (Some(timezone_unknown(channel, &unknown)), String::new()),
    }
}

fn quiet(channel: &Channel, hours: &QuietHours, zones: &[chrono_tz::Tz], at: DateTime<Utc>) -> Option<Refusal> {
    let opening = match hours.opening(zones, at) {
        Opening::Now => return None,
        Opening::At(opening) => Some(opening),
        Opening::Beyond => None,
    };
    let end = hours.end();
    let reason = format!("channel {} is within quiet hours ({hours} local) — deliver after {end}", channel.name);
    let local = |opening: DateTime<Utc>| zones.first().map(|zone| opening.with_timezone(zone));
    let deliver_after = opening.and_then(local).map(|opening| opening.with_timezone(&opening.offset().fix()));
    Some(Refusal { code: ReasonCode::QuietHours, reason, deliver_after })
}

fn timezone_unknown(channel: &Channel, unknown: &ZoneUnknown) -> Refusal {
    let ZoneUnknown { field, value } = unknown;
    let cause = match value {
        None => format!("{field} is not set"),
        Some(value) => format!("{field} holds `{value}`, which is not an IANA zone name"),
    };
    let reason = format!(
        "quiet hours of channel {} cannot be judged: {cause}; set it, or the setting fallbackTimezone",
        channel.name
    );
    Refusal::new(ReasonCode::TimezoneUnknown, reason)
}

fn utc_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
