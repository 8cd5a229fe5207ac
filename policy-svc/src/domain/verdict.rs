//! May these offers be proposed to this customer, here and now?
//!
//! All rules are evaluated and told. What holds for the customer (consent, quiet hours) comes
//! before what holds for an offer (contact policies).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    channel::Channel,
    configuration::Configuration,
    consent::consent,
    contact_policy::{ContactPolicy, Rule},
    facts::{Facts, Subject},
    local_time::LocalTime,
    question::{Candidate, Fields},
    rule::{
        Ground,
        finding::{Finding, Told},
        history::ContactHistory,
    },
    wall_hours::Opening,
};

pub use super::refusal::{ReasonCode, Refusal};

/// Most single verdicts told in one judgement. Offers ranked below have theirs, without the list of
/// policies.
pub const POLICY_VERDICTS_MAX: usize = 10_000;

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
    /// All but caps: they were asked when its slot was reserved, and the slot is still held. The
    /// facts leave it out.
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
    /// The policy that lifted its refusal.
    pub lifted_by: Option<String>,
}

/// Judges, giving slots to the first candidates that pass. A slot counts against every later
/// candidate at once, for a dry run as well: so its first offers are the ones a reservation would
/// get.
pub fn judge(asked: &Asked<'_>, facts: &Facts, slots: Slots) -> Judgement {
    let spoken = asked.channel.map(|channel| consent(channel, asked.fields, &facts.consents));
    let (consent_refusal, consent_sources) =
        spoken.map(|found| (found.refusal, found.sources)).unwrap_or_default();
    let time = LocalTime::new(asked.channel, &asked.configuration.settings, asked.fields, asked.at);
    let unreadable = asked.channel.and_then(unreadable);
    let is_refused = consent_refusal.is_some() || unreadable.is_some() || time.forbids();
    let mut court = Court::open(asked, facts, &time);
    let (mut verdicts, mut granted, mut told) = (Vec::new(), Vec::new(), 0);
    for (place, candidate) in asked.candidates.iter().enumerate() {
        let (channel_id, channel_name) =
            asked.channel.map_or(("", ""), |channel| (&channel.id, &channel.name));
        let subject = Subject::new(candidate, channel_id, channel_name);
        let mut verdict = court.verdict(candidate, &subject);
        told += verdict.policies.len();
        if told > POLICY_VERDICTS_MAX {
            verdict.policies.clear();
        }
        if !is_refused && verdict.refusal.is_none() && granted.len() < slots.limit {
            granted.push(place);
            court.reserve(&subject, slots.until);
        }
        verdicts.push(verdict);
    }
    let time_refusal = if time.forbids() { time.refusal(court.first_opening()) } else { None };
    let refusal = consent_refusal.or(unreadable).or(time_refusal);
    let (ledger_at, revision) = (facts.ledger_at, asked.configuration.revision);
    let timezone = if court.is_channel_readable { time.timezone() } else { String::new() };
    Judgement { refusal, verdicts, granted, ledger_at, revision, timezone, consent_sources }
}

fn unreadable(channel: &Channel) -> Option<Refusal> {
    let reason =
        || format!("channel {} has rules that cannot be read by this version", channel.name);
    (!channel.is_readable).then(|| Refusal::new(ReasonCode::PolicyUnavailable, reason()))
}

/// Every policy with what it found.
struct Court<'a> {
    findings: Vec<(&'a ContactPolicy, Box<dyn Finding + 'a>)>,
    time: &'a LocalTime<'a>,
    /// When contact is allowed under the hours of these policies.
    openings: BTreeMap<Vec<usize>, Opening>,
    is_channel_readable: bool,
}

/// A policy that looks at a candidate.
struct Look<'a> {
    policy: &'a ContactPolicy,
    told: Told,
    /// The stronger policy that lifts its refusal.
    lifted_by: Option<&'a str>,
}

impl<'a> Court<'a> {
    fn open(asked: &Asked<'a>, facts: &'a Facts, time: &'a LocalTime<'a>) -> Self {
        let ground = Ground {
            history: ContactHistory {
                facts: &facts.contacts,
                is_cut: facts.are_contacts_cut,
                now: facts.ledger_at,
            },
            outcomes: &facts.outcomes,
            are_outcomes_cut: facts.are_outcomes_cut,
            at: asked.at,
            fields: asked.fields,
            zones: time.zones(),
            budgets: &facts.budgets,
            is_slot_held: asked.scrutiny == Scrutiny::SlotHeld,
        };
        let policies = asked.configuration.policies.iter();
        let findings = policies
            .map(|policy| (policy, policy.rule.open(&policy.id, &policy.scope, &ground)))
            .collect();
        let is_channel_readable = asked.channel.is_none_or(|channel| channel.is_readable);
        Self { findings, time, openings: BTreeMap::new(), is_channel_readable }
    }

    /// A candidate got a slot.
    fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        for (_, finding) in
            self.findings.iter_mut().filter(|(policy, _)| policy.scope.matches(subject))
        {
            finding.reserve(subject, until);
        }
    }

    /// The first instant that quiet hours allow together with the hours of some candidate; without
    /// candidates of none.
    fn first_opening(&mut self) -> Opening {
        let time = self.time;
        let first = self.openings.values().copied().min_by_key(|opening| match opening {
            Opening::Now => (0, None),
            Opening::At(at) => (1, Some(*at)),
            Opening::Beyond => (2, None),
        });
        first.unwrap_or_else(|| time.opening(std::iter::empty()))
    }

    fn verdict(&mut self, candidate: &Candidate, subject: &Subject) -> Verdict {
        let in_scope = |policy: &ContactPolicy| policy.scope.matches(subject);
        let overrides = self
            .findings
            .iter()
            .map(|(policy, _)| *policy)
            .filter(|policy| policy.rule == Rule::AllowOverride && in_scope(policy));
        // The strongest, of equals the first id.
        let strongest_override = overrides.min_by_key(|policy| std::cmp::Reverse(policy.priority));
        let (mut looks, mut timed) = (Vec::new(), Vec::new());
        for (index, (policy, finding)) in self.findings.iter_mut().enumerate() {
            if !in_scope(policy) {
                continue;
            }
            let Some(told) = finding.told(subject) else { continue };
            let stronger = strongest_override
                .filter(|lifting| policy.rule.yields() && lifting.priority > policy.priority);
            if stronger.is_none() && finding.hours().is_some() {
                timed.push(index);
            }
            let lifted_by =
                stronger.filter(|_| told.refusal.is_some()).map(|lifting| lifting.id.as_str());
            looks.push(Look { policy, told, lifted_by });
        }
        let opening = self.opening(timed);
        let (refusal, summary) = self.told(&looks, opening);
        let policies = looks.into_iter().map(Look::verdict).collect();
        Verdict { offer_id: candidate.offer_id.clone(), refusal, summary, policies }
    }

    /// When contact is allowed under the hours of some policies.
    fn opening(&mut self, timed: Vec<usize>) -> Opening {
        if let Some(opening) = self.openings.get(&timed) {
            return *opening;
        }
        let hours = timed.iter().filter_map(|index| self.findings.get(*index)?.1.hours());
        let opening = self.time.opening(hours);
        self.openings.insert(timed, opening);
        opening
    }

    /// The strongest refusal, and the short form.
    fn told(&self, looks: &[Look<'_>], opening: Opening) -> (Option<Refusal>, String) {
        let standing = looks.iter().filter(|look| look.lifted_by.is_none());
        let refusing = standing.filter_map(|look| Some((look.policy, look.told.refusal.as_ref()?)));
        // Looks come by id, and the first of equals is taken: what is about time, then the highest
        // priority, then the first id.
        let strongest = refusing.min_by_key(|(policy, (code, _))| {
            (!code.is_about_time(), std::cmp::Reverse(policy.priority))
        });
        let Some((policy, (code, text))) = strongest else {
            let counting = looks.iter().find_map(|look| look.told.passed.clone());
            return (None, counting.unwrap_or_else(|| "passed (no policy)".to_owned()));
        };
        let mut refusal = Refusal::new(*code, format!("contact policy {}: {text}", policy.name));
        if *code == ReasonCode::TimeWindow {
            refusal.reason.push_str(&self.time.until_text(opening));
            refusal.deliver_after = self.time.deliver_after(opening);
        }
        (Some(refusal), text.clone())
    }
}

impl Look<'_> {
    fn verdict(self) -> PolicyVerdict {
        PolicyVerdict {
            policy_id: self.policy.id.clone(),
            rule_type: self.policy.rule.name(),
            is_passed: self.told.refusal.is_none() || self.lifted_by.is_some(),
            counted: self.told.counted,
            reserved: self.told.reserved,
            limit: self.told.limit,
            window_seconds: self.told.window_seconds,
            next_allowed_at: self.told.next_allowed_at,
            lifted_by: self.lifted_by.map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests;
