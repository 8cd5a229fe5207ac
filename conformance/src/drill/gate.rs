//! Calls of policy's gate, each noted in the log before it is sent and after it is answered.

use std::{collections::BTreeMap, error::Error as _, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use proffer_proto::policy::v1::{
    self as proto, channel_service_client::ChannelServiceClient,
    consent_service_client::ConsentServiceClient,
    contact_gate_service_client::ContactGateServiceClient, contact_policy::Rule,
    contact_policy_service_client::ContactPolicyServiceClient,
};
use serve::Clock;
use tonic::{Code, Status, transport::Channel};

use super::log::{Log, Reply, Verb};

/// First and longest pause of a caller who got no answer.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_millis(800);
/// Tries of a caller who does not give up; about eighty seconds.
pub const TRIES_MAX: usize = 100;

/// An offer on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Id of the offer.
    pub offer: &'static str,
    /// Its category.
    pub category: &'static str,
    /// The channel.
    pub channel: &'static str,
}

/// A call that can be sent again.
#[derive(Clone, Debug)]
pub enum GateCall {
    /// Asks for slots.
    Reserve(proto::ReserveRequest),
    /// Asks whether to send.
    Commit(proto::CommitContactRequest),
    /// Gives slots back.
    Release(proto::ReleaseContactRequest),
    /// Reports an impression; true when nothing was held for it.
    Impression(proto::OutcomeFact, bool),
    /// Reports that the customer opted out.
    OptOut(proto::OutcomeFact),
    /// Records consent.
    Consent(proto::PutConsentRequest),
}

impl GateCall {
    fn noted(&self) -> (Verb, (&str, &str, i32), bool) {
        match self {
            Self::Reserve(request) => {
                let customer =
                    request.question.as_ref().map(|question| question.customer_id.as_str());
                (Verb::Reserve, (customer.unwrap_or_default(), &request.decision_id, 0), false)
            }
            Self::Commit(request) => {
                let customer =
                    request.question.as_ref().map(|question| question.customer_id.as_str());
                (
                    Verb::Commit,
                    (customer.unwrap_or_default(), &request.decision_id, request.rank),
                    false,
                )
            }
            Self::Release(request) => {
                (Verb::Release, (&request.customer_id, &request.decision_id, request.rank), false)
            }
            Self::Impression(outcome, orphan) => (
                Verb::Impression,
                (&outcome.customer_id, &outcome.decision_id, outcome.rank),
                *orphan,
            ),
            Self::OptOut(outcome) => (Verb::OptOut, (&outcome.customer_id, "", 0), false),
            Self::Consent(request) => {
                let verb = if request.granted == Some(true) { Verb::Grant } else { Verb::Withdraw };
                (verb, (&request.customer_id, "", 0), false)
            }
        }
    }
}

/// Everybody who calls.
#[derive(Clone, Debug)]
pub struct Callers {
    log: Arc<Log>,
    channels: Vec<Channel>,
    clock: Clock,
}

impl Callers {
    /// Callers of these replicas who keep this log.
    pub fn new(log: Arc<Log>, channels: Vec<Channel>) -> Self {
        Self { log, channels, clock: Clock::system() }
    }

    /// Sends a call to one replica, once.
    pub async fn send(&self, replica: usize, call: &GateCall) -> anyhow::Result<Reply> {
        let (verb, about, orphan) = call.noted();
        let id = self.log.attempt(verb, about, orphan)?;
        let reply = self.ask(replica, call).await.unwrap_or_else(|status| Reply::Cut(cut(&status)));
        self.log.answer(id, &reply)?;
        Ok(reply)
    }

    /// Sends a call until it is answered, to the replicas in turn, at most `tries` times.
    pub async fn send_until_answered(
        &self,
        replica: usize,
        call: &GateCall,
        tries: usize,
    ) -> anyhow::Result<Reply> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let reply = self.send(replica + attempt, call).await?;
            if !matches!(reply, Reply::Cut(_)) || attempt >= tries {
                return Ok(reply);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        anyhow::bail!("an endless range ended")
    }

    async fn ask(&self, replica: usize, call: &GateCall) -> Result<Reply, Status> {
        let channel = self.channel(replica);
        let mut gate = ContactGateServiceClient::new(channel.clone());
        Ok(match call.clone() {
            GateCall::Reserve(request) => granted(gate.reserve(request).await?.into_inner()),
            GateCall::Commit(request) => {
                let reply = gate.commit_contact(request).await?.into_inner();
                match reply.go {
                    true => Reply::Go(reply.contact_id),
                    false => Reply::Refused(reply.refusal.map(code).unwrap_or_default()),
                }
            }
            GateCall::Release(request) => {
                Reply::Released(gate.release_contact(request).await?.into_inner().released)
            }
            GateCall::Impression(outcome, _) | GateCall::OptOut(outcome) => {
                gate.deliver_outcomes(proto::DeliverOutcomesRequest { outcomes: vec![outcome] })
                    .await?;
                Reply::Done
            }
            GateCall::Consent(request) => {
                ConsentServiceClient::new(channel).put_consent(request).await?;
                Reply::Done
            }
        })
    }

    fn channel(&self, replica: usize) -> Channel {
        self.channels[replica % self.channels.len()].clone()
    }

    /// Judges without reserving; not logged.
    pub async fn check(&self, question: proto::ContactQuestion) -> anyhow::Result<proto::Judgment> {
        let mut gate = ContactGateServiceClient::new(self.channel(0));
        let response = gate
            .check(proto::CheckRequest { question: Some(question), limit: 0 })
            .await?
            .into_inner();
        Ok(response.judgment.unwrap_or_default())
    }

    /// Creates a channel; `channel_type` empty is that of its name.
    pub async fn create_channel(&self, name: &str, channel_type: &str) -> anyhow::Result<()> {
        let (name, channel_type) = (name.to_owned(), channel_type.to_owned());
        let channel =
            proto::Channel { id: format!("ch_{name}"), name, channel_type, ..Default::default() };
        let request = proto::CreateChannelRequest { channel: Some(channel), ..Default::default() };
        ChannelServiceClient::new(self.channel(0)).create_channel(request).await?;
        Ok(())
    }

    /// Creates a cap.
    pub async fn create_cap(
        &self,
        id: &str,
        scope: &str,
        hours: i32,
        limit: i32,
    ) -> anyhow::Result<()> {
        let cap = proto::FrequencyCap {
            window_hours: hours,
            max_impressions: limit,
            ..Default::default()
        };
        let policy = proto::ContactPolicy {
            id: id.to_owned(),
            name: id.to_owned(),
            scope: scope.to_owned(),
            rule: Some(Rule::FrequencyCap(cap)),
            ..Default::default()
        };
        let request = proto::CreateContactPolicyRequest {
            contact_policy: Some(policy),
            ..Default::default()
        };
        ContactPolicyServiceClient::new(self.channel(0)).create_contact_policy(request).await?;
        Ok(())
    }

    /// A question about a customer, now.
    pub fn question(&self, customer: &str, subjects: &[Subject]) -> proto::ContactQuestion {
        let candidate = |subject: &Subject| proto::OfferSubject {
            offer_id: subject.offer.to_owned(),
            category: subject.category.to_owned(),
            ..Default::default()
        };
        proto::ContactQuestion {
            customer_id: customer.to_owned(),
            channel: subjects.first().map(|subject| subject.channel.to_owned()).unwrap_or_default(),
            now: Some(stamp(self.clock.now())),
            customer_fields: BTreeMap::new(),
            candidates: subjects.iter().map(candidate).collect(),
            ..Default::default()
        }
    }

    /// A call that asks for slots.
    pub fn reserve(
        &self,
        customer: &str,
        decision: &str,
        subjects: &[Subject],
        limit: usize,
    ) -> GateCall {
        GateCall::Reserve(proto::ReserveRequest {
            question: Some(self.question(customer, subjects)),
            decision_id: decision.to_owned(),
            request_id: String::new(),
            limit: i32::try_from(limit).unwrap_or(i32::MAX),
        })
    }

    /// A call that asks whether to send.
    pub fn commit(&self, customer: &str, decision: &str, rank: i32, subject: Subject) -> GateCall {
        let question = Some(self.question(customer, &[subject]));
        GateCall::Commit(proto::CommitContactRequest {
            question,
            decision_id: decision.to_owned(),
            rank,
        })
    }

    /// An outcome as it happens.
    pub fn outcome(&self, customer: &str, seq: i64, key: &str) -> proto::OutcomeFact {
        let now = Some(stamp(self.clock.now()));
        proto::OutcomeFact {
            outcome_id: format!("out_{customer}_{seq}"),
            customer_id: customer.to_owned(),
            customer_seq: seq,
            key: key.to_owned(),
            occurred_at: now,
            received_at: now,
            ..Default::default()
        }
    }
}

fn granted(response: proto::ReserveResponse) -> Reply {
    if !response.grants.is_empty() {
        let offers = response.grants.into_iter().map(|grant| grant.offer_id).collect();
        return Reply::Granted { decision: response.decision_id, offers };
    }
    let judgment = response.judgment.unwrap_or_default();
    let refusals =
        judgment.refusal.into_iter().chain(judgment.verdicts.into_iter().filter_map(|v| v.refusal));
    Reply::Refused(refusals.map(code).next().unwrap_or_default())
}

fn code(refusal: proto::Refusal) -> String {
    wire::reason::word(refusal.reason_code()).to_owned()
}

/// The code; with its text when a service that is being killed or has lost its store would not say
/// so.
fn cut(status: &Status) -> String {
    let is_expected =
        matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded);
    match is_expected || status.source().is_some() {
        true => format!("{:?}", status.code()),
        false => format!("{:?}: {}", status.code(), status.message()),
    }
}

/// True when a cut call was cut by a kill or an outage, and not by an error of another kind.
pub fn is_outage(cut: &str) -> bool {
    !cut.contains(": ")
}

fn stamp(at: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.timestamp(),
        nanos: i32::try_from(at.timestamp_subsec_nanos()).unwrap_or(0),
    }
}
