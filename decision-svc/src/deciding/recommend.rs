//! From questions to answers: fetch facts, plan, ask policy, answer, write. A decision walks alone
//! or together with others; what it needs from elsewhere is then asked for once for all, and
//! everything between is the decision's own.

mod answers;
mod fetch;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use formula::Moment;
use proffer_proto::{decision::v1 as proto, errors::v1::ErrorReason};
use prost::Message as _;
use serve::{Problem, Stopwatch};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};

use self::{
    answers::{Answers, Asked},
    fetch::Fetched,
};
use super::{
    Context,
    answer::{About, answer},
    explain::{Considered, everything},
    facts::Rested,
    new_id,
    record::{self, KeptRecord},
};
use crate::{
    compiled_flows::Source,
    domain::{
        assignment::{self, Arm},
        compile::{CompiledFlow, Facts},
        decide::{Answer, refusal},
        judgement::{Judgement, Refusal},
        plan::{self, Plan, Wanted},
        reason::Reason,
        request::Question,
        scalar::{Fields, Scalar},
        snapshot::Snapshot,
    },
    neighbours::{experiment, policy, scalar},
    store::{NewDecision, RequestRow, Written},
};

pub(super) use self::fetch::require_active;

/// Names the rules by which decisions are made; changes when the same facts may decide otherwise.
pub const ENGINE: &str = concat!("proffer-", env!("CARGO_PKG_VERSION"));
/// Runs of one request before it gives up: a changed arm asks for a second.
const RUNS_MAX: usize = 3;
/// Decisions that walk together: as many as the store commits together.
const TOGETHER_MAX: usize = 128;

/// A question on its way.
#[derive(Clone)]
pub struct Run {
    /// Whose.
    pub tenant: String,
    /// The question.
    pub question: Question,
    /// As it was asked, for the record.
    pub asked: proto::RecommendRequest,
    /// Since it was asked.
    pub stopwatch: Stopwatch,
}

/// A question with its facts and what follows from them before policy is asked.
struct Planned {
    fetched: Fetched,
    record: Arc<Fields>,
    /// Why nothing could be planned.
    obstacle: Option<Refusal>,
    zone: Tz,
    timezone_source: String,
    plan: Plan,
    /// The arms that bind; the name is that of the experiment while its holdout counts.
    arms: Vec<(Arm, Option<String>)>,
    /// The experiment that holds the customer out.
    held_out_of: Option<String>,
    decision_id: String,
}

/// What policy said; none when it was not asked or did not answer.
struct Judged {
    judgement: Option<Judgement>,
    /// The decision that holds the slots: this one, or an earlier run of the same request.
    holder: String,
}

/// An answer about to be written.
struct Decided {
    shown: proto::Decision,
    answer: Answer,
    /// Decision and slots; none on a dry run, of which nothing is written.
    new: Option<NewDecision>,
    holder: String,
}

impl Context {
    /// Decides. From here on nothing stops a decision but its own errors: run it in a task of its
    /// own, unless it is dry.
    pub async fn recommend(&self, run: Run) -> Result<proto::Decision, Status> {
        let answer = self.recommend_all(vec![run]).await.pop();
        answer.unwrap_or_else(|| Err(serve::internal(&"a question without an answer")))
    }

    /// Decides all, one answer per question and in their order; what spoils one does not touch the
    /// others. The questions are of one tenant. Run it in a task of its own.
    pub async fn recommend_all(&self, runs: Vec<Run>) -> Vec<Result<proto::Decision, Status>> {
        let mut all = Vec::with_capacity(runs.len());
        for runs in runs.chunks(TOGETHER_MAX) {
            let mut answers = Answers::new(runs.len());
            self.answer_repeats(&mut answers, runs).await;
            for _ in 0..RUNS_MAX {
                let open = answers.open(runs);
                if open.is_empty() {
                    break;
                }
                self.decide_once(&mut answers, open).await;
            }
            all.extend(answers.into_all());
        }
        all
    }

    /// Questions whose request id was answered before get that answer.
    async fn answer_repeats(&self, answers: &mut Answers, runs: &[Run]) {
        let is_repeatable =
            |run: &&Run| !run.question.request_id.is_empty() && !run.question.is_dry_run;
        let ids: Vec<_> =
            runs.iter().filter(is_repeatable).map(|run| run.question.request_id.as_str()).collect();
        let Some(first) = runs.first().filter(|_| !ids.is_empty()) else { return };
        let known = match self.store.requests_of(&first.tenant, &ids).await {
            Ok(known) => known,
            Err(error) => return answers.fail(&serve::store_status(&error)),
        };
        let now_us = self.clock.now().timestamp_micros();
        for asked in answers.open(runs).into_iter().filter(|asked| is_repeatable(&asked.run)) {
            let row = known.get(&asked.run.question.request_id).filter(|row| row.stands(now_us));
            if let Some(row) = row {
                answers.give(asked, self.answer_of(asked.run, row).await);
            }
        }
    }

    async fn answer_of(&self, run: &Run, row: &RequestRow) -> Result<proto::Decision, Status> {
        if row.body_hash != body_hash(&run.asked) {
            let message = format!("request id `{}` was used with another body", row.request_id);
            let problem = Problem::new(Code::Aborted, ErrorReason::IdempotencyMismatch, message);
            return Err(problem.with("key", row.request_id.as_str()).into());
        }
        let found = self.store.decision(&run.tenant, &row.decision_id).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        let shown = found.and_then(|row| KeptRecord::read(&row.record).shown);
        let answer = shown.and_then(|shown| shown.answer);
        answer.ok_or_else(|| {
            serve::internal(&format!("decision {} of a request has no record", row.decision_id))
        })
    }

    /// One run of all that are open. Those stay open for which another replica stored another arm
    /// meanwhile.
    async fn decide_once(&self, answers: &mut Answers, open: Vec<Asked<'_>>) {
        let fetched = answers.keep(self.fetch(open).await);
        let planned = fetched
            .into_iter()
            .map(|(asked, fetched)| {
                (asked, planned(asked.run, fetched, &wanted(&asked.run.question)))
            })
            .collect();
        let judged = answers.keep(self.judge(planned).await);
        let decided = judged
            .into_iter()
            .map(|(asked, (planned, judged))| (asked, decided(asked.run, planned, judged)));
        let written =
            futures::future::join_all(decided.map(|(asked, decided)| async move {
                (asked, self.write(asked.run, decided).await)
            }));
        for (asked, answer) in written.await {
            if let Some(answer) = answer.transpose() {
                answers.give(asked, answer);
            }
        }
    }

    /// Asks policy about those that have something to offer.
    async fn judge<'r>(
        &self,
        planned: Vec<(Asked<'r>, Planned)>,
    ) -> Vec<(Asked<'r>, Result<(Planned, Judged), Status>)> {
        let Some(tenant) = planned.first().map(|(asked, _)| asked.run.tenant.clone()) else {
            return Vec::new();
        };
        let questions: Vec<_> =
            planned.iter().map(|(asked, planned)| planned.gate_question(asked.run)).collect();
        let wanted: Vec<_> = questions.iter().flatten().copied().collect();
        let mut answers = policy::judge(&*self.neighbours.gate, &tenant, &wanted).await.into_iter();
        let is_asked: Vec<_> = questions.iter().map(Option::is_some).collect();
        let mut judged = Vec::with_capacity(planned.len());
        for ((asked, planned), is_asked) in planned.into_iter().zip(is_asked) {
            let own = planned.decision_id.clone();
            let answer = match if is_asked { answers.next() } else { None } {
                None => Ok(Judged { judgement: None, holder: own }),
                Some(Ok((judgement, holder))) => {
                    Ok(Judged { judgement: Some(judgement), holder: holder.unwrap_or(own) })
                }
                Some(Err(status)) if is_callers(status.code()) => Err(status),
                Some(Err(status)) => {
                    tracing::warn!(code = ?status.code(), "policy did not answer; nothing is offered");
                    Ok(Judged { judgement: None, holder: own })
                }
            };
            judged.push((asked, answer.map(|answer| (planned, answer))));
        }
        judged
    }

    /// Writes a decision; none when it must be made again under another arm.
    async fn write(&self, run: &Run, decided: Decided) -> Result<Option<proto::Decision>, Status> {
        let Decided { mut shown, answer, new, holder } = decided;
        let Some(new) = new else { return Ok(Some(shown)) };
        let written =
            self.store.write_decision(new).await.map_err(|error| serve::store_status(&error))?;
        match written {
            Written::Stored => {
                // Only the run whose answer stands knows which slots are not needed.
                for grant in &answer.unused {
                    drop(self.release(run, &holder, grant.rank).await);
                }
                self.bell.notify_one();
                shown.latency_ms = run.stopwatch.elapsed_ms();
                tracing::debug!(decision.id = %holder, offers = shown.decisions.len(), "decision made");
                Ok(Some(shown))
            }
            Written::LostTo(winner) => {
                if winner.decision_id != holder {
                    drop(self.release(run, &holder, 0).await);
                }
                self.answer_of(run, &winner).await.map(Some)
            }
            Written::OtherArm(_) => {
                drop(self.release(run, &holder, 0).await);
                Ok(None)
            }
        }
    }

    /// What a dry run comes to, with everything it was made of.
    pub(super) async fn consider(&self, run: Run) -> Result<Considered, Status> {
        let alone = std::slice::from_ref(&run);
        let answers = Answers::new(1);
        let gone = || serve::internal(&"a question without an answer");
        let fetched = self.fetch(answers.open(alone)).await.pop().ok_or_else(gone)?;
        let (asked, mut fetched) = (fetched.0, fetched.1?);
        // What is told of the offer and of its rank must be of one catalogue.
        let catalog = fetched.snapshot.catalog.clone().unwrap_or_default();
        if fetched.flow.catalog_revision != catalog.revision {
            let CompiledFlow { id, name, revision, flow, .. } = &*fetched.flow;
            let source = Source { tenant: &run.tenant, id, name, revision: *revision };
            let made = self.compiled.of(source, flow.clone(), &catalog).await;
            fetched.flow = made.map_err(|error| serve::internal(&error))?;
        }
        let planned = planned(&run, fetched, &everything(&run.question));
        let (planned, judged) =
            self.judge(vec![(asked, planned)]).await.pop().ok_or_else(gone)?.1?;
        let Planned { fetched, record, obstacle, zone, timezone_source, plan, held_out_of, .. } =
            planned;
        let judgement = judged.judgement;
        let (timezone, snapshot) =
            (zone.name().to_owned(), snapshot_names(&fetched, judgement.as_ref()));
        let about = About { obstacle, held_out_of, timezone, timezone_source, ..About::default() };
        let (answer, _) = answer(&run.question, &plan, judgement.as_ref(), about);
        let (metrics, surface) = (fetched.metrics, fetched.surface);
        let (flow, catalog) = (fetched.flow, fetched.snapshot.catalog.clone().unwrap_or_default());
        let (moment, based_on, notes) = (Moment::new(fetched.now, zone), None, Vec::new());
        let question = run.question.clone();
        Ok(Considered {
            flow,
            catalog,
            question,
            record: Arc::unwrap_or_clone(record),
            metrics,
            surface,
            moment,
            plan,
            judgement,
            answer,
            snapshot,
            based_on,
            notes,
        })
    }

    async fn release(&self, run: &Run, decision_id: &str, rank: i32) -> Result<i32, Status> {
        let customer_id = &run.question.customer_id;
        policy::release(&*self.neighbours.gate, &run.tenant, customer_id, decision_id, rank).await
    }
}

/// What the plan should tell: no more ranked offers than policy is asked about, the others refused
/// when they are listed.
pub(super) fn wanted(question: &Question) -> Wanted<'_> {
    let refused_max = if question.is_explained { record::EXPLAIN_CANDIDATES_MAX } else { 0 };
    Wanted {
        exclude_offers: &question.exclude_offers,
        ranked_max: policy::CANDIDATES_MAX,
        refused_max,
    }
}

/// Applies the flow to the facts.
fn planned(run: &Run, fetched: Fetched, wanted: &Wanted<'_>) -> Planned {
    let question = &run.question;
    let unknown = refusal(Reason::CustomerUnknown, "the customer has no record");
    let (record, obstacle) = match &fetched.customer {
        Ok(Some(record)) => (record.clone(), None),
        Ok(None) => (Arc::default(), Some(unknown)),
        Err(refusal) => (Arc::default(), Some(refusal.clone())),
    };
    let (zone, timezone_source) = zone_of(&fetched.snapshot, &question.channel, &record);
    let moment = Moment::new(fetched.now, zone);
    let (metrics, surface) = (&fetched.metrics, &fetched.surface);
    let facts = Facts {
        record: &record,
        attributes: &question.attributes,
        metrics,
        surface,
        moment: &moment,
    };
    let plan = match obstacle {
        None => plan::plan(&fetched.flow, &facts, wanted),
        Some(_) => Plan::default(),
    };
    let arms = if obstacle.is_none() { arms(&fetched, &question.customer_id) } else { Vec::new() };
    let held_out_of = arms.iter().find_map(|(arm, name)| name.clone().filter(|_| arm.is_holdout));
    let decision_id = new_id("dec", fetched.now);
    Planned {
        fetched,
        record,
        obstacle,
        zone,
        timezone_source,
        plan,
        arms,
        held_out_of,
        decision_id,
    }
}

impl Planned {
    /// What policy is asked; nothing when there is nothing to offer, or more undelivered outcomes
    /// than it takes.
    fn gate_question<'a>(&'a self, run: &'a Run) -> Option<policy::Asked<'a>> {
        let question = &run.question;
        if self.obstacle.is_some()
            || self.plan.ranked.is_empty()
            || self.fetched.pending.len() > policy::PENDING_MAX
        {
            return None;
        }
        let is_holding = self.held_out_of.is_none() && !question.is_dry_run && question.is_holding;
        Some(policy::Asked {
            question: policy::Question {
                customer_id: &question.customer_id,
                channel: &question.channel,
                now: self.fetched.now,
                record: &self.record,
                pending: &self.fetched.pending,
                as_of: question.at,
            },
            ranked: &self.plan.ranked,
            hold: is_holding.then_some(policy::Hold {
                decision_id: &self.decision_id,
                request_id: &question.request_id,
                limit: question.limit,
            }),
        })
    }
}

/// Makes the answer, and what is kept of it.
fn decided(run: &Run, planned: Planned, judged: Judged) -> Decided {
    let Planned {
        fetched, record, obstacle, zone, timezone_source, plan, arms, held_out_of, ..
    } = planned;
    let (question, Judged { judgement, holder }) = (&run.question, judged);
    let about = About {
        obstacle: obstacle.clone(),
        held_out_of: held_out_of.clone(),
        timezone: zone.name().to_owned(),
        timezone_source,
        decision_id: (!question.is_dry_run).then(|| holder.clone()),
        degraded: fetched.degraded.clone(),
        snapshot: snapshot_names(&fetched, judgement.as_ref()),
        latency_ms: run.stopwatch.elapsed_ms(),
    };
    let (answer, shown) = answer(question, &plan, judgement.as_ref(), about);
    let new = (!question.is_dry_run).then(|| {
        let rested = Rested {
            flow: &fetched.flow,
            record: &record,
            metrics: &fetched.metrics,
            surface: &fetched.surface,
            obstacle: obstacle.as_ref(),
            held_out_of: held_out_of.as_deref(),
            judgement: judgement.as_ref(),
        };
        let kept = kept_record(
            run,
            rested,
            fetched.now,
            &shown,
            &answer,
            arms.first().map(|(arm, _)| arm),
        );
        new_decision(run, &fetched, &holder, &answer, &arms, kept)
    });
    Decided { shown, answer, new, holder }
}

/// What policy refuses because of the question itself: an unknown or inactive channel, for example.
fn is_callers(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::InvalidArgument | Code::FailedPrecondition)
}

/// The arms that bind this decision: stored ones, and new ones of running experiments. The name is
/// that of the experiment while its holdout counts.
fn arms(fetched: &Fetched, customer_id: &str) -> Vec<(Arm, Option<String>)> {
    let now_us = fetched.now.timestamp_micros();
    let experiments = fetched.snapshot.experiment.clone().unwrap_or_default();
    let binding = experiments
        .on_flow(&fetched.flow.id, &fetched.flow.name)
        .filter(|experiment| experiment.is_binding);
    let mut arms = Vec::new();
    for experiment in binding {
        let stored = fetched.arms.iter().find(|arm| arm.experiment_id == experiment.id).cloned();
        let Some(arm) = stored.or_else(|| assignment::draw(experiment, customer_id, now_us)) else {
            continue;
        };
        arms.push((arm, (!experiment.is_shipped).then(|| experiment.id.clone())));
    }
    arms
}

fn new_decision(
    run: &Run,
    fetched: &Fetched,
    decision_id: &str,
    answer: &Answer,
    arms: &[(Arm, Option<String>)],
    kept: KeptRecord,
) -> NewDecision {
    let question = &run.question;
    let customer_id = &question.customer_id;
    let decided_us = fetched.now.timestamp_micros();
    let is_exposed = !answer.offers.is_empty() || !answer.ghost_offers.is_empty();
    let exposures = arms.iter().filter(|(arm, _)| is_exposed && arm.exposed_us.is_none());
    let deliver_after = answer.refusal.as_ref().and_then(|refusal| refusal.deliver_after.as_ref());
    let deliver_after = deliver_after.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let request = (!question.request_id.is_empty()).then(|| RequestRow {
        request_id: question.request_id.clone(),
        decision_id: decision_id.to_owned(),
        body_hash: body_hash(&run.asked),
        decided_us,
        deliver_after_us: deliver_after
            .filter(|_| answer.offers.is_empty())
            .map(|at| at.timestamp_micros()),
        now_us: decided_us,
    });
    NewDecision {
        tenant: run.tenant.clone(),
        decision_id: decision_id.to_owned(),
        customer_id: customer_id.clone(),
        decided_us,
        record: kept.bytes(),
        request,
        arms: arms
            .iter()
            .map(|(arm, _)| (arm.clone(), experiment::assignment_message(customer_id, arm)))
            .collect(),
        exposed_us: is_exposed.then_some(decided_us),
        experiment_messages: exposures
            .map(|(arm, _)| experiment::exposure_message(customer_id, arm, decision_id, decided_us))
            .collect(),
    }
}

fn kept_record(
    run: &Run,
    rested: Rested<'_>,
    now: DateTime<Utc>,
    shown: &proto::Decision,
    answer: &Answer,
    arm: Option<&Arm>,
) -> KeptRecord {
    let (fields, facts) = rested.kept();
    let kept = proto::DecisionRecord {
        decision_id: shown.decision_id.clone().unwrap_or_default(),
        customer_id: run.question.customer_id.clone(),
        channel: run.question.channel.clone(),
        flow_id: rested.flow.id.clone(),
        decided_at: Some(history::timestamp(now)),
        request: Some(run.asked.clone()),
        answer: Some(shown.clone()),
        customer_fields: scalar::fields_into_proto(&fields),
        arm: arm
            .map(|arm| if arm.is_holdout { "holdout" } else { "treatment" }.to_owned())
            .unwrap_or_default(),
        experiment_id: arm.map(|arm| arm.experiment_id.clone()).unwrap_or_default(),
        ghost_offers: answer.ghost_offers.clone(),
        metrics: rested.metrics_read(),
        engine: ENGINE.to_owned(),
    };
    KeptRecord::of(kept, facts, answer)
}

/// The zone of `today()` and where it comes from: the channel's source, the record's `timezone`,
/// the tenant's.
fn zone_of(snapshot: &Snapshot, channel: &str, record: &Fields) -> (Tz, String) {
    let policy = snapshot.policy.clone().unwrap_or_default();
    let sources =
        policy.channel(channel).map(|channel| channel.timezone_source.clone()).unwrap_or_default();
    for source in sources.iter().map(String::as_str).chain(["customer.timezone"]) {
        let field = source.strip_prefix("customer.").unwrap_or(source);
        if let Some(Scalar::String(name)) = record.get(field)
            && let Ok(zone) = name.parse::<Tz>()
        {
            return (zone, format!("customer.{field}"));
        }
    }
    match policy.timezone.parse::<Tz>() {
        Ok(zone) => (zone, "settings.timezone".to_owned()),
        Err(_) => (Tz::UTC, "default".to_owned()),
    }
}

fn snapshot_names(fetched: &Fetched, judgement: Option<&Judgement>) -> Vec<String> {
    let catalog = fetched.flow.catalog_revision;
    let policy = fetched.snapshot.policy.as_ref().map_or(0, |policy| policy.revision);
    let experiment =
        fetched.snapshot.experiment.as_ref().map_or(0, |experiments| experiments.revision);
    vec![
        format!("catalog:{catalog}"),
        format!("policy:{}", judgement.map_or(policy, |judgement| judgement.revision)),
        format!("decision:{}", fetched.flow.revision),
        format!("experiment:{experiment}"),
    ]
}

fn body_hash(asked: &proto::RecommendRequest) -> Vec<u8> {
    Sha256::digest(asked.encode_to_vec()).to_vec()
}
