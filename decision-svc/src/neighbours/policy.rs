//! Calls to policy-svc: reserve, check, evaluate recorded facts, commit, release, deliver outcomes,
//! ask for the head of the log and for a channel. Also reads judgments, channels and settings from
//! messages.

use chrono::{DateTime, Utc};
use proffer_proto::{
    policy::v1::{self as proto, gate_answer, gate_question},
    values::v1::ConfigurationChange,
};
use prost::{DecodeError, Message as _};
use serve::metadata;
use tonic::{Code, Status};

use super::{
    Channels, Gate,
    call::{call, messages},
    instant,
};
use crate::{
    domain::{
        case::Case,
        judgment::{Basis, Grant, Judgment, OfferVerdict, PolicyVerdict, Refusal},
        outcome::ResolvedOutcome,
        plan::{RANKED_MAX, Ranked},
        reason::Reason,
        scalar::Fields,
        snapshot::{Channel, Policy},
    },
    messages::scalar,
    store::OutboxRow,
};

/// The full name of a method of the gate.
macro_rules! method {
    ($name:literal) => {
        concat!("proffer.internal.policy.v1.ContactGateService/", $name)
    };
}

/// Undelivered outcomes sent at most.
pub const PENDING_MAX: usize = 100;
/// Undelivered outcomes read of a customer: enough to know that there are more than may be sent.
pub const PENDING_READ: i64 = PENDING_MAX as i64 + 1;

/// Who is to be contacted, where and when.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// The customer.
    pub customer_id: &'a str,
    /// The channel; empty when nobody is contacted.
    pub channel: &'a str,
    /// The instant of the decision.
    pub now: DateTime<Utc>,
    /// The customer's record.
    pub record: &'a Fields,
    /// Outcomes acknowledged and not yet delivered.
    pub pending: &'a [OutboxRow],
    /// Leave out what is later.
    pub as_of: Option<DateTime<Utc>>,
    /// policy-svc refuses to judge when it has newer configuration than this revision.
    pub policy_revision: Option<i64>,
    /// Id of the flow that decides.
    pub flow_id: &'a str,
}

impl<'a> Contact<'a> {
    /// The contact that a case is about.
    pub fn of(case: &'a Case, pending: &'a [OutboxRow]) -> Self {
        Self {
            customer_id: &case.question.customer_id,
            channel: case.question.contact_channel(),
            now: case.moment.now,
            record: case.record(),
            pending,
            as_of: case.question.at,
            policy_revision: None,
            flow_id: &case.configuration.flow.id,
        }
    }

    /// An outcome that cannot be read may be an opt-out: then nothing may be asked without it.
    fn about(
        &self,
        candidates: Vec<proto::OfferSubject>,
    ) -> Result<proto::ContactQuestion, Status> {
        let pending = self.pending.iter().map(|row| outcome_in(&row.payload));
        Ok(proto::ContactQuestion {
            customer_id: self.customer_id.to_owned(),
            channel: self.channel.to_owned(),
            now: Some(history::timestamp(self.now)),
            customer_fields: scalar::fields_into_proto(self.record),
            candidates,
            pending_outcomes: pending.collect::<Result<_, _>>()?,
            as_of: self.as_of.map(history::timestamp),
            policy_revision: self.policy_revision,
            flow_id: self.flow_id.to_owned(),
        })
    }
}

fn outcome_in(payload: &[u8]) -> Result<proto::OutcomeFact, Status> {
    proto::OutcomeFact::decode(payload)
        .map_err(|error| serve::internal(&format!("an undelivered outcome is unreadable: {error}")))
}

fn candidates(ranked: &[Ranked]) -> Vec<proto::OfferSubject> {
    ranked.iter().take(RANKED_MAX).map(|ranked| (&ranked.subject).into()).collect()
}

/// Asks the owner about a channel that the snapshot does not know: NOT_FOUND when there is none.
/// When policy-svc is unavailable the answer is unknown; the decision then reports that itself.
pub async fn require_channel(
    channels: &dyn Channels,
    tenant: &str,
    named: &str,
) -> Result<(), Status> {
    let request = proto::GetChannelRequest { id: named.to_owned() };
    let method = "proffer.policy.v1.ChannelService/GetChannel";
    match call(method, tenant, request, |request| channels.channel(request)).await {
        Err(status) if status.code() == Code::NotFound => Err(status),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The newest revision of policy-svc's log.
pub async fn head(gate: &Gate, tenant: &str) -> Result<i64, Status> {
    let (method, request) = (method!("GetPolicyHead"), proto::GetPolicyHeadRequest {});
    let head = call(method, tenant, request, |request| gate.get_policy_head(request)).await?;
    Ok(head.head_revision)
}

/// Who holds the slots that are to be reserved.
#[derive(Clone, Copy, Debug)]
pub struct Hold<'a> {
    /// The decision.
    pub decision_id: &'a str,
    /// The request it answers; empty without.
    pub request_id: &'a str,
    /// Slots wanted.
    pub limit: usize,
}

/// What is asked about one case.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// Who, where, when.
    pub contact: Contact<'a>,
    /// The offers, best first.
    pub ranked: &'a [Ranked],
    /// Judges as if at most so many slots were to be reserved.
    pub slots: Option<usize>,
    /// Reserves slots; without, it only judges.
    pub hold: Option<Hold<'a>>,
}

/// A judgment and, when slots were reserved, the id of the decision that holds them: this one or
/// an earlier one of the same request.
pub type HeldJudgment = (Judgment, Option<String>);

/// Questions of one call.
const QUESTIONS_MAX: usize = 256;
/// Candidates of one call; a question that has more goes alone. It bounds the answer.
const CALL_CANDIDATES_MAX: usize = 1_000;
/// Bytes of one call; a question that has more goes alone.
const CALL_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Judges, and reserves where slots are wanted; one answer per question, in their order. A lone
/// question is asked alone.
pub async fn judge(
    gate: &Gate,
    tenant: &str,
    asked: &[Inquiry<'_>],
) -> Vec<Result<HeldJudgment, Status>> {
    if let [one] = asked {
        return vec![judge_alone(gate, tenant, one).await];
    }
    let mut answers = Vec::with_capacity(asked.len());
    let mut call = Bundle::default();
    for one in asked {
        let question = match one.gate_question() {
            Ok(question) => question,
            Err(status) => {
                answers.extend(std::mem::take(&mut call).make(gate, tenant).await);
                answers.push(Err(status));
                continue;
            }
        };
        let (candidates, bytes) = (one.ranked.len(), question.encoded_len());
        if !call.has_room(candidates, bytes) {
            answers.extend(std::mem::take(&mut call).make(gate, tenant).await);
        }
        call.questions.push(question);
        call.candidates += candidates;
        call.bytes += bytes;
    }
    answers.extend(call.make(gate, tenant).await);
    answers
}

async fn judge_alone(gate: &Gate, tenant: &str, one: &Inquiry<'_>) -> Result<HeldJudgment, Status> {
    match &one.hold {
        Some(hold) => reserve(gate, tenant, one.reserve(hold)?).await,
        None => check(gate, tenant, one.check()?).await,
    }
}

impl Inquiry<'_> {
    fn reserve(&self, hold: &Hold<'_>) -> Result<proto::ReserveRequest, Status> {
        Ok(proto::ReserveRequest {
            question: Some(self.contact.about(candidates(self.ranked))?),
            decision_id: hold.decision_id.to_owned(),
            request_id: hold.request_id.to_owned(),
            limit: i32::try_from(hold.limit).unwrap_or(i32::MAX),
        })
    }

    fn check(&self) -> Result<proto::CheckRequest, Status> {
        Ok(proto::CheckRequest {
            question: Some(self.contact.about(candidates(self.ranked))?),
            limit: self.slots.map_or(0, |slots| i32::try_from(slots).unwrap_or(i32::MAX)),
        })
    }

    fn gate_question(&self) -> Result<proto::GateQuestion, Status> {
        let kind = match &self.hold {
            Some(hold) => gate_question::Kind::Reserve(self.reserve(hold)?),
            None => gate_question::Kind::Check(self.check()?),
        };
        Ok(proto::GateQuestion { kind: Some(kind) })
    }
}

/// Questions that travel together.
#[derive(Default)]
struct Bundle {
    questions: Vec<proto::GateQuestion>,
    candidates: usize,
    bytes: usize,
}

impl Bundle {
    fn has_room(&self, candidates: usize, bytes: usize) -> bool {
        self.questions.is_empty()
            || (self.questions.len() < QUESTIONS_MAX
                && self.candidates + candidates <= CALL_CANDIDATES_MAX
                && self.bytes + bytes <= CALL_BYTES_MAX)
    }

    async fn make(self, gate: &Gate, tenant: &str) -> Vec<Result<HeldJudgment, Status>> {
        let count = self.questions.len();
        if count == 0 {
            return Vec::new();
        }
        let request = proto::BatchReserveRequest { questions: self.questions };
        let ask = |request| gate.batch_reserve(request);
        let answers = match call(method!("BatchReserve"), tenant, request, ask).await {
            Ok(answer) => answer.answers,
            Err(status) => return vec![Err(status); count],
        };
        let mut answers: Vec<_> = answers.into_iter().take(count).map(answered).collect();
        answers.resize_with(count, || Err(serve::internal(&"policy-svc answered too little")));
        answers
    }
}

fn answered(answer: proto::GateAnswer) -> Result<HeldJudgment, Status> {
    match answer.kind {
        Some(gate_answer::Kind::Reserve(answer)) => Ok(reserved(answer)),
        Some(gate_answer::Kind::Check(answer)) => {
            Ok((judgment(answer.judgment.unwrap_or_default()), None))
        }
        Some(gate_answer::Kind::Fault(fault)) => {
            Err(Status::with_details(fault.code.into(), fault.message, fault.details.into()))
        }
        None => Err(serve::internal(&"policy-svc gave an empty answer")),
    }
}

async fn reserve(
    gate: &Gate,
    tenant: &str,
    request: proto::ReserveRequest,
) -> Result<HeldJudgment, Status> {
    let answer = call(method!("Reserve"), tenant, request, |request| gate.reserve(request)).await?;
    Ok(reserved(answer))
}

async fn check(
    gate: &Gate,
    tenant: &str,
    request: proto::CheckRequest,
) -> Result<HeldJudgment, Status> {
    let answer = call(method!("Check"), tenant, request, |request| gate.check(request)).await?;
    Ok((judgment(answer.judgment.unwrap_or_default()), None))
}

fn reserved(answer: proto::ReserveResponse) -> HeldJudgment {
    let grant = |grant: proto::Grant| Grant {
        offer_id: grant.offer_id,
        rank: grant.rank,
        reserved_until: instant(grant.reserved_until).unwrap_or_default(),
    };
    let mut judgment = judgment(answer.judgment.unwrap_or_default());
    judgment.grants = Some(answer.grants.into_iter().map(grant).collect());
    (judgment, Some(answer.decision_id))
}

/// The configuration by which something of the past is judged.
#[derive(Clone, Copy, Debug)]
pub enum Rules {
    /// After this policy revision.
    Revision(i64),
    /// At this instant.
    At(DateTime<Utc>),
}

/// Judges by recorded facts; for so many slots, or, without, like [`check`].
pub async fn evaluate(
    gate: &Gate,
    tenant: &str,
    contact: Contact<'_>,
    ranked: &[Ranked],
    facts: &[u8],
    (rules, slots): (Rules, Option<usize>),
) -> Result<Judgment, Status> {
    let facts = proto::ContactFacts::decode(facts).map_err(|error| serve::internal(&error))?;
    let (revision, configured_at) = match rules {
        Rules::Revision(revision) => (revision, None),
        Rules::At(at) => (0, Some(history::timestamp(at))),
    };
    let limit = slots.map_or(0, |slots| i32::try_from(slots).unwrap_or(i32::MAX));
    let question = Some(contact.about(candidates(ranked))?);
    let request = proto::EvaluateFactsRequest {
        question,
        facts: Some(facts),
        revision,
        configured_at,
        limit,
    };
    let ask = |request| gate.evaluate_facts(request);
    let answer = call(method!("EvaluateFacts"), tenant, request, ask).await?;
    Ok(Judgment { basis: None, ..judgment(answer.judgment.unwrap_or_default()) })
}

/// Judges one contact again and commits it: the contact's id, or why not.
pub async fn commit(
    gate: &Gate,
    tenant: &str,
    contact: Contact<'_>,
    candidate: proto::OfferSubject,
    decision_id: &str,
    rank: i32,
) -> Result<Result<String, Refusal>, Status> {
    let question = Some(contact.about(vec![candidate])?);
    let request =
        proto::CommitContactRequest { question, decision_id: decision_id.to_owned(), rank };
    let ask = |request| gate.commit_contact(request);
    let answer = call(method!("CommitContact"), tenant, request, ask).await?;
    Ok(if answer.go {
        Ok(answer.contact_id)
    } else {
        Err(refusal(answer.refusal.unwrap_or_default()))
    })
}

/// Gives slots back; rank 0 is all of them.
pub async fn release(
    gate: &Gate,
    tenant: &str,
    customer_id: &str,
    decision_id: &str,
    rank: i32,
) -> Result<i32, Status> {
    let (customer_id, decision_id) = (customer_id.to_owned(), decision_id.to_owned());
    let request = proto::ReleaseContactRequest { customer_id, decision_id, rank };
    // What was reserved is given back even when the caller's time is over.
    let ask = |request| gate.release_contact(metadata::with_full_time(request));
    Ok(call(method!("ReleaseContact"), tenant, request, ask).await?.released)
}

/// The message about an outcome, once its number among the customer's is known.
pub fn outcome_message(
    outcome: &ResolvedOutcome,
) -> impl Fn(i64) -> Vec<u8> + Send + Sync + 'static {
    let ResolvedOutcome { report, offer, .. } = outcome;
    let meaning = outcome.contact_meaning();
    let fact = proto::OutcomeFact {
        outcome_id: outcome.outcome_id.clone(),
        customer_id: report.customer_id.clone(),
        customer_seq: 0,
        key: report.key.clone(),
        counts_as_contact: meaning.counts_as_contact,
        releases: meaning.releases,
        decision_id: report.decision_id.clone(),
        rank: offer.as_ref().map_or(0, |offer| offer.rank),
        offer: offer.as_ref().map(|offer| (&offer.subject).into()),
        channel: outcome.channel.clone(),
        occurred_at: Some(history::timestamp(outcome.occurred_at)),
        received_at: Some(history::timestamp(outcome.received_at)),
        flow_id: outcome.flow_id.clone(),
    };
    move |customer_seq| proto::OutcomeFact { customer_seq, ..fact.clone() }.encode_to_vec()
}

/// Delivers outcomes.
pub async fn deliver(gate: &Gate, tenant: &str, payloads: &[&[u8]]) -> Result<(), Status> {
    let request = proto::DeliverOutcomesRequest { outcomes: messages(payloads)? };
    let ask = |request| gate.deliver_outcomes(request);
    call(method!("DeliverOutcomes"), tenant, request, ask).await.map(drop)
}

/// Applies one change.
pub fn apply(policy: &mut Policy, change: &ConfigurationChange) {
    match change.kind.as_str() {
        "channel" if change.deleted => drop(policy.channels.remove(&change.id)),
        "channel" => {
            if let Ok(found) = proto::Channel::decode(change.resource.as_slice()) {
                let timezone_source =
                    found.config.map(|config| config.timezone_source).unwrap_or_default();
                let channel = Channel { id: change.id.clone(), name: found.name, timezone_source };
                policy.channels.insert(change.id.clone(), channel);
            }
        }
        "settings" => {
            if let Ok(found) = proto::TenantSettings::decode(change.resource.as_slice()) {
                policy.timezone = found.timezone;
            }
        }
        _ => {}
    }
}

/// The judgment in its encoded form.
pub fn decoded(encoded: &[u8]) -> Result<Judgment, DecodeError> {
    proto::Judgment::decode(encoded).map(|found| Judgment { basis: None, ..judgment(found) })
}

fn judgment(mut found: proto::Judgment) -> Judgment {
    let basis = match found.facts.take() {
        Some(facts) => {
            Basis::Facts { encoded: facts.encode_to_vec(), fields_read: facts.fields_read }
        }
        None => Basis::Judgment(found.encode_to_vec()),
    };
    let verdict = |verdict: proto::Verdict| OfferVerdict {
        offer_id: verdict.offer_id,
        refusal: verdict.refusal.map(refusal),
        summary: verdict.summary,
        policies: verdict.policies.into_iter().map(policy_verdict).collect(),
    };
    Judgment {
        refusal: found.refusal.map(refusal),
        verdicts: found.verdicts.into_iter().map(verdict).collect(),
        grants: None,
        revision: found.revision,
        tz_version: found.tz_version,
        consent_sources: found.consent_sources,
        basis: Some(basis),
    }
}

fn policy_verdict(found: proto::PolicyVerdict) -> PolicyVerdict {
    PolicyVerdict {
        policy_id: found.policy_id,
        rule_type: found.rule_type,
        is_passed: found.passed,
        contacts: found.contacts,
        reserved: found.reserved,
        limit: found.limit,
        window_seconds: found.window_seconds,
        next_allowed_at: found.next_allowed_at.map(|at| instant(Some(at)).unwrap_or_default()),
        lifted_by: found.lifted_by,
    }
}

fn refusal(found: proto::Refusal) -> Refusal {
    // A policy-svc newer than this one may know more reasons.
    let word = wire::reason::word(found.reason_code());
    let reason_code = Reason::of(word).unwrap_or(Reason::PolicyUnavailable);
    let deliver_after = (!found.deliver_after.is_empty()).then_some(found.deliver_after);
    Refusal { reason_code, reason: found.reason, deliver_after }
}
