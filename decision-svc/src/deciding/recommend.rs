//! Decides what to offer: builds cases, plans, asks policy-svc, concludes, writes. Calls that are
//! decided together share each read, each call to a neighbour and the commit.

use std::sync::Arc;

use futures::future::join_all;
use proffer_proto::{decision::v1::Decision, errors::v1::ErrorReason};
use serve::{Clock, Problem, telemetry::trace::stage};
use tokio::sync::Notify;
use tonic::{Code, Status};
use tracing::Instrument as _;
use wire::{name::is_same, reason};

use super::{
    batch::{Answers, Call, OpenCall},
    fresh::Freshness,
    gathered::LiveCase,
    judge::{Judged, PlannedCase, Try, judge},
    kept::KeptRecord,
    live::LiveCases,
    write::{body_hash, new_decision},
};
use crate::{
    domain::{case::Detail, conclude::conclude, judgment::Grant},
    messages::{
        answer::{self, Circumstances},
        question,
    },
    neighbours::{Gate, policy},
    receipt::{Receipt, Receipts},
    store::{DecisionName, NewDecision, RequestRow, Store, Written},
    telemetry::DecisionTally,
};

/// How often a call is decided before it fails: a changed arm or newer configuration asks for
/// another time.
const ROUNDS_MAX: usize = 3;
/// Calls that are decided together: as many as the store commits together.
const TOGETHER_MAX: usize = 128;

/// The use case. Cheap to clone.
#[derive(Clone)]
pub struct Recommend {
    /// Builds cases.
    pub live: LiveCases,
    /// Where decisions are written.
    pub store: Store,
    /// Where slots are reserved.
    pub gate: Arc<Gate>,
    /// The time.
    pub clock: Clock,
    /// What is being decided and not yet written.
    pub receipts: Receipts,
    /// Rung when there is something to deliver.
    pub bell: Arc<Notify>,
    /// Counts what was decided.
    pub tally: DecisionTally,
}

/// A decided call.
struct Decided {
    /// Name of the flow.
    flow: String,
    shown: Decision,
    /// Slots of an earlier round that this one does not use.
    unused: Vec<Grant>,
    /// What is written; nothing for a dry run.
    new: Option<NewDecision>,
}

impl Recommend {
    /// Decides one call. Spawn it, unless it is a dry run: cancelling it would lose a reserved
    /// slot.
    pub async fn one(&self, tenant: &str, call: Call) -> Result<Decision, Status> {
        let answer = self.all(tenant, vec![call]).await.pop();
        let answer = answer.unwrap_or_else(|| Err(serve::internal(&"a call without an answer")));
        if let (Some(call), Ok(Decision { decision_id: Some(id), .. })) =
            (serve::Call::current(), &answer)
        {
            call.name_decision(id);
        }
        answer
    }

    /// Decides calls of one tenant; answers in their order. A call that fails does not touch the
    /// others. Spawn it.
    pub async fn all(&self, tenant: &str, calls: Vec<Call>) -> Vec<Result<Decision, Status>> {
        let mut all = Vec::with_capacity(calls.len());
        for calls in calls.chunks(TOGETHER_MAX) {
            let mut answers = Answers::new(calls.len());
            self.answer_retries(tenant, &mut answers, calls).await;
            let mut attempt = Try::First;
            for _ in 0..ROUNDS_MAX {
                let open = answers.open(calls);
                if open.is_empty() {
                    break;
                }
                attempt = self.decide(tenant, &mut answers, open, attempt).await;
            }
            all.extend(answers.into_all());
        }
        all
    }

    /// Calls whose request id was answered before get that answer.
    async fn answer_retries(&self, tenant: &str, answers: &mut Answers, calls: &[Call]) {
        let is_repeatable =
            |call: &&Call| !call.question.request_id.is_empty() && !call.question.is_dry_run;
        let repeatable = calls.iter().filter(is_repeatable);
        let asked: Vec<_> = repeatable.map(ids).collect();
        if asked.is_empty() {
            return;
        }
        let known = match self.store.requests_of(tenant, &asked).await {
            Ok(known) => known,
            Err(error) => return answers.fail(&serve::store_status(&error)),
        };
        let now_us = self.clock.now().timestamp_micros();
        for open in answers.open(calls).into_iter().filter(|open| is_repeatable(&open.call)) {
            let (customer_id, request_id) = ids(open.call);
            let row = known.get(&(customer_id.to_owned(), request_id.to_owned()));
            if let Some(row) = row.filter(|row| row.is_kept(now_us)) {
                answers.give(open, self.answer_of(tenant, open.call, row).await);
            }
        }
    }

    async fn answer_of(
        &self,
        tenant: &str,
        call: &Call,
        row: &RequestRow,
    ) -> Result<Decision, Status> {
        let customer_id = Some(call.question.customer_id.as_str());
        let name = DecisionName { decision_id: &row.decision_id, customer_id };
        let found = self.store.decision(tenant, name).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        let found = found.map(|row| KeptRecord::read(&row.record)).unwrap_or_default();
        if row.body_hash != body_hash(call) && !self.is_same(tenant, call, &found).await {
            let message = format!("request id `{}` was used with another body", row.request_id);
            let problem = Problem::new(Code::Aborted, ErrorReason::IdempotencyMismatch, message);
            return Err(problem.with("key", row.request_id.as_str()).into());
        }
        let answer = found.shown.and_then(|shown| shown.answer);
        answer.ok_or_else(|| {
            serve::internal(&format!("decision {} of a request has no record", row.decision_id))
        })
    }

    /// Whether a call asks what a recorded decision answered, however it is spelled.
    async fn is_same(&self, tenant: &str, call: &Call, record: &KeptRecord) -> bool {
        let Some(shown) = &record.shown else { return false };
        let Some(request) = &shown.request else { return false };
        let (asked, _) = question::read(request);
        let channel = &call.question.channel;
        let is_channel = is_same(&asked.channel, channel)
            || record.facts.as_ref().is_some_and(|facts| facts.is_channel(channel));
        if !is_channel || !asked.is_same_but_for_names(&call.question) {
            return false;
        }
        let flow = &call.question.flow;
        is_same(&asked.flow, flow)
            || flow.trim() == shown.flow_id
            || self.live.grounds.flows.id_of(tenant, flow).await == Some(shown.flow_id.clone())
    }

    /// Decides the open calls once. Those stay open for which another replica stored another arm
    /// meanwhile, and those that were planned with older configuration than policy-svc has. Gives
    /// how to decide these.
    async fn decide(
        &self,
        tenant: &str,
        answers: &mut Answers,
        open: Vec<OpenCall<'_>>,
        attempt: Try,
    ) -> Try {
        // It stays open until all are written, so reports do not count past their instants.
        let receipt = self.receipts.receive();
        let questions: Vec<_> = open.iter().map(|open| &open.call.question).collect();
        let fetch = self.live.cases(tenant, &questions, Detail::Answer, receipt.at);
        let cases = fetch.instrument(stage("fetch")).await;
        let cases = answers.keep(open.into_iter().zip(cases)).into_iter();
        let planner = &self.live.planner;
        let plan = async move {
            let mut planned = Vec::with_capacity(cases.len());
            for (open, live) in cases {
                planned.push((open, PlannedCase::of(live, attempt, planner).await));
            }
            planned
        };
        let planned = plan.instrument(stage("plan")).await;
        let judged = judge(&*self.gate, tenant, planned.iter().map(|(_, planned)| planned));
        let judged = judged.instrument(stage("reserve")).await;
        let (judged, next) = self.fresh(tenant, planned, judged, attempt).await;
        let judged = judged.into_iter().map(|(open, planned, judged)| {
            (open, judged.map(|judged| decided(tenant, open.call, planned, judged)))
        });
        let decided = stage("conclude").in_scope(|| answers.keep(judged));
        let receipt = &receipt;
        let written = decided.into_iter().map(|(open, decided)| async move {
            (open, self.write(tenant, open.call, decided, receipt).await)
        });
        for (open, answer) in join_all(written).instrument(stage("write")).await {
            if let Some(answer) = answer.transpose() {
                answers.give(open, answer);
            }
        }
        next
    }

    /// The judged cases that may be concluded, and how to decide the others. After the first try
    /// all may.
    async fn fresh<'c>(
        &self,
        tenant: &str,
        planned: Vec<(OpenCall<'c>, PlannedCase)>,
        judged: Vec<Result<Judged, Status>>,
        attempt: Try,
    ) -> (Vec<(OpenCall<'c>, PlannedCase, Result<Judged, Status>)>, Try) {
        let together = |planned: Vec<_>, judged: Vec<_>| {
            planned.into_iter().zip(judged).map(|((open, planned), judged)| (open, planned, judged))
        };
        if attempt != Try::First {
            return (together(planned, judged).collect(), attempt);
        }
        let pairs: Vec<_> = planned.iter().map(|(_, planned)| planned).zip(&judged).collect();
        let freshness = self.live.freshness(tenant, &pairs).await;
        let next = match freshness.contains(&Freshness::Behind) {
            true => self.live.catch_up(tenant).await,
            false => Try::CaughtUp,
        };
        let each = together(planned, judged).zip(freshness);
        let fresh = each.filter_map(|((open, mut planned, judged), freshness)| {
            if freshness == Freshness::Unknown {
                planned.live.mark_stale();
            }
            (freshness != Freshness::Behind).then_some((open, planned, judged))
        });
        (fresh.collect(), next)
    }

    /// Writes a decision; `None` when it must be made again under another arm.
    async fn write(
        &self,
        tenant: &str,
        call: &Call,
        Decided { flow, mut shown, unused, new }: Decided,
        receipt: &Receipt,
    ) -> Result<Option<Decision>, Status> {
        let Some(new) = new else {
            self.count(&flow, &shown);
            return Ok(Some(shown));
        };
        let holder = new.decision_id.clone();
        // The caller has no answer any more and may ask again. Another process may have counted
        // past the decision's instant by now.
        if receipt.is_overdue() {
            drop(self.release(tenant, call, &holder, 0).await);
            let message = "the decision could not be written in time; ask again";
            let problem = Problem::new(Code::DeadlineExceeded, ErrorReason::Unavailable, message);
            return Err(problem.into());
        }
        let written = self.store.write_decision(new).await;
        match written.map_err(|error| serve::store_status(&error))? {
            Written::Stored => {
                // Only the round whose answer is given knows which slots are not needed.
                for grant in &unused {
                    drop(self.release(tenant, call, &holder, grant.rank).await);
                }
                self.bell.notify_one();
                self.count(&flow, &shown);
                shown.latency_ms = call.stopwatch.elapsed_ms();
                Ok(Some(shown))
            }
            Written::LostTo(winner) => {
                if winner.decision_id != holder {
                    drop(self.release(tenant, call, &holder, 0).await);
                }
                self.answer_of(tenant, call, &winner).await.map(Some)
            }
            Written::OtherArm(_) => {
                drop(self.release(tenant, call, &holder, 0).await);
                Ok(None)
            }
        }
    }

    fn count(&self, flow: &str, shown: &Decision) {
        let reason = shown.decisions.is_empty().then(|| reason::word(shown.reason_code()));
        self.tally.count(flow, reason, shown.dry_run, &shown.degraded);
    }

    async fn release(
        &self,
        tenant: &str,
        call: &Call,
        decision_id: &str,
        rank: i32,
    ) -> Result<i32, Status> {
        policy::release(&*self.gate, tenant, &call.question.customer_id, decision_id, rank).await
    }
}

/// Concludes a case, and prepares what is written of it.
fn decided(tenant: &str, call: &Call, planned: PlannedCase, judged: Judged) -> Decided {
    let PlannedCase { live: LiveCase { case, arms, degraded, catalog, .. }, plan, .. } = planned;
    let Judged { judgment, holder, .. } = judged;
    let mut conclusion = conclude(&case, plan, judgment);
    let unused = std::mem::take(&mut conclusion.answer.unused);
    let is_written = !case.question.is_dry_run;
    let about = Circumstances {
        decision_id: is_written.then(|| holder.clone()),
        degraded,
        snapshot: case.revision_names(conclusion.judgment.as_ref()),
        latency_ms: call.stopwatch.elapsed_ms(),
    };
    let shown = answer::decision(&case, &conclusion, about);
    let new = is_written.then(|| {
        let request = call.request.clone();
        let record = KeptRecord::of(&case, &conclusion, request, shown.clone(), &arms);
        let record = record.with_online(&case, &conclusion, &catalog);
        new_decision((tenant, &holder), call, &case, &arms, (&conclusion, &catalog), &record)
    });
    let flow = case.configuration.flow.name.clone();
    Decided { flow, shown, unused, new }
}

/// Customer and request id.
fn ids(call: &Call) -> (&str, &str) {
    (&call.question.customer_id, &call.question.request_id)
}
