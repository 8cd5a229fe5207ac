//! One decision, from question to answer: fetch facts, plan, ask policy, write, answer.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use formula::Moment;
use proffer_proto::{decision::v1 as proto, errors::v1::ErrorReason, values::v1::ResourceStatus};
use prost::Message as _;
use serve::{Problem, Stopwatch};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};

use super::{
    Context,
    answer::{About, answer},
    decision_flow,
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
        request::Question,
        scalar::{Fields, Scalar},
        snapshot::Snapshot,
    },
    neighbours::{catalog, experiment, follow, policy, scalar},
    store::{NewDecision, OutboxRow, RequestRow, Written},
};

/// Names the rules by which decisions are made; changes when the same facts may decide otherwise.
pub const ENGINE: &str = concat!("proffer-", env!("CARGO_PKG_VERSION"));
/// Runs of one request before it gives up: a changed arm asks for a second.
const RUNS_MAX: usize = 3;

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

/// What is fetched before planning.
struct Fetched {
    snapshot: Arc<Snapshot>,
    flow: Arc<CompiledFlow>,
    customer: Result<Option<Fields>, Refusal>,
    pending: Vec<OutboxRow>,
    arms: Vec<Arm>,
    degraded: Vec<String>,
    now: DateTime<Utc>,
}

impl Context {
    /// Decides. From here on nothing stops a decision but its own errors: run it in a task of its own.
    pub async fn recommend(&self, run: Run) -> Result<proto::Decision, Status> {
        let hash = body_hash(&run.asked);
        if let Some(answer) = self.earlier(&run, &hash).await? {
            return Ok(answer);
        }
        for _ in 0..RUNS_MAX {
            if let Some(answer) = self.decide_once(&run, &hash).await? {
                return Ok(answer);
            }
        }
        Err(serve::unavailable("decision", &"the customer's arm kept changing"))
    }

    /// The answer this request id had before.
    async fn earlier(&self, run: &Run, hash: &[u8]) -> Result<Option<proto::Decision>, Status> {
        let request_id = &run.question.request_id;
        if request_id.is_empty() || run.question.is_dry_run {
            return Ok(None);
        }
        let row = self.store.request(&run.tenant, request_id).await.map_err(|error| serve::store_status(&error))?;
        match row.filter(|row| row.stands(self.clock.now().timestamp_micros())) {
            Some(row) => self.answer_of(run, &row, hash).await.map(Some),
            None => Ok(None),
        }
    }

    async fn answer_of(&self, run: &Run, row: &RequestRow, hash: &[u8]) -> Result<proto::Decision, Status> {
        if row.body_hash != hash {
            let message = format!("request id `{}` was used with another body", row.request_id);
            let problem = Problem::new(Code::Aborted, ErrorReason::IdempotencyMismatch, message);
            return Err(problem.with("key", row.request_id.as_str()).into());
        }
        let found = self.store.decision(&run.tenant, &row.decision_id).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        let shown = found.and_then(|row| KeptRecord::read(&row.record).shown);
        let answer = shown.and_then(|shown| shown.answer);
        answer.ok_or_else(|| serve::internal(&format!("decision {} of a request has no record", row.decision_id)))
    }

    /// One run; none when another replica stored another arm meanwhile.
    async fn decide_once(&self, run: &Run, hash: &[u8]) -> Result<Option<proto::Decision>, Status> {
        let fetched = self.fetch(run).await?;
        let question = &run.question;
        let unknown = refusal("customer_unknown", "the customer has no record");
        let (record, obstacle) = match &fetched.customer {
            Ok(Some(record)) => (record.clone(), None),
            Ok(None) => (Fields::new(), Some(unknown)),
            Err(refusal) => (Fields::new(), Some(refusal.clone())),
        };
        let (zone, timezone_source) = zone_of(&fetched.snapshot, &question.channel, &record);
        let moment = Moment { now: fetched.now, zone };
        let facts = Facts { record: &record, attributes: &question.attributes, moment: &moment };
        let plan = match obstacle {
            None => plan::plan(&fetched.flow, &facts, &wanted(question)),
            Some(_) => Plan::default(),
        };
        let arms = if obstacle.is_none() { arms(&fetched, &question.customer_id) } else { Vec::new() };
        let held_out = arms.iter().find(|(arm, name)| arm.is_holdout && name.is_some()).cloned();

        let decision_id = new_id("dec", fetched.now);
        let (judgement, holder) = if obstacle.is_none() && !plan.ranked.is_empty() {
            self.judge(run, &fetched, &record, &plan, &decision_id, held_out.is_some()).await?
        } else {
            (None, decision_id)
        };
        let about = About {
            obstacle: obstacle.clone(),
            held_out_of: held_out.as_ref().and_then(|(_, name)| name.clone()),
            timezone: zone.name().to_owned(),
            timezone_source,
            decision_id: (!question.is_dry_run).then(|| holder.clone()),
            degraded: fetched.degraded.clone(),
            snapshot: snapshot_names(&fetched, judgement.as_ref()),
            latency_ms: run.stopwatch.elapsed_ms(),
        };
        let (answer, mut shown) = answer(question, &plan, judgement.as_ref(), about);
        for grant in &answer.unused {
            drop(self.release(&run.tenant, &question.customer_id, &holder, grant.rank).await);
        }
        if question.is_dry_run {
            return Ok(Some(shown));
        }
        let rested = Rested {
            flow: &fetched.flow,
            record: &record,
            obstacle: obstacle.as_ref(),
            held_out_of: held_out.as_ref().and_then(|(_, name)| name.as_deref()),
            judgement: judgement.as_ref(),
        };
        let kept = kept_record(run, rested, fetched.now, &shown, &answer, arms.first().map(|(arm, _)| arm));
        let new = new_decision(run, &fetched, &holder, hash, &answer, &arms, kept);
        let written = self.store.write_decision(new).await.map_err(|error| serve::store_status(&error))?;
        match written {
            Written::Stored => {
                self.bell.notify_one();
                shown.latency_ms = run.stopwatch.elapsed_ms();
                tracing::debug!(decision.id = %holder, offers = shown.decisions.len(), "decision made");
                Ok(Some(shown))
            }
            Written::LostTo(winner) => {
                if winner.decision_id != holder {
                    drop(self.release(&run.tenant, &question.customer_id, &holder, 0).await);
                }
                self.answer_of(run, &winner, hash).await.map(Some)
            }
            Written::OtherArm(_) => {
                drop(self.release(&run.tenant, &question.customer_id, &holder, 0).await);
                Ok(None)
            }
        }
    }

    /// What a dry run comes to, with everything it was made of.
    pub(super) async fn consider(&self, run: Run) -> Result<Considered, Status> {
        let fetched = self.fetch(&run).await?;
        let question = &run.question;
        let unknown = refusal("customer_unknown", "the customer has no record");
        let (record, obstacle) = match &fetched.customer {
            Ok(Some(record)) => (record.clone(), None),
            Ok(None) => (Fields::new(), Some(unknown)),
            Err(refusal) => (Fields::new(), Some(refusal.clone())),
        };
        let (zone, timezone_source) = zone_of(&fetched.snapshot, &question.channel, &record);
        let moment = Moment { now: fetched.now, zone };
        let facts = Facts { record: &record, attributes: &question.attributes, moment: &moment };
        let plan = match obstacle {
            None => plan::plan(&fetched.flow, &facts, &everything(question)),
            Some(_) => Plan::default(),
        };
        let arms = arms(&fetched, &question.customer_id);
        let held_out_of = arms.iter().find_map(|(arm, name)| name.clone().filter(|_| arm.is_holdout));
        let judgement = match plan.ranked.is_empty() {
            true => None,
            false => self.judge(&run, &fetched, &record, &plan, "", held_out_of.is_some()).await?.0,
        };
        let snapshot = snapshot_names(&fetched, judgement.as_ref());
        let timezone = zone.name().to_owned();
        let about = About { obstacle, held_out_of, timezone, timezone_source, ..About::default() };
        let (answer, _) = answer(question, &plan, judgement.as_ref(), about);
        let (flow, catalog) = (fetched.flow, fetched.snapshot.catalog.clone().unwrap_or_default());
        let (based_on, notes) = (None, Vec::new());
        let question = run.question;
        Ok(Considered { flow, catalog, question, record, moment, plan, judgement, answer, snapshot, based_on, notes })
    }

    async fn release(&self, tenant: &str, customer_id: &str, decision_id: &str, rank: i32) -> Result<i32, Status> {
        policy::release(&self.neighbours.policy, tenant, customer_id, decision_id, rank).await
    }

    async fn fetch(&self, run: &Run) -> Result<Fetched, Status> {
        let (question, tenant) = (&run.question, run.tenant.as_str());
        let now = question.at.unwrap_or_else(|| self.clock.now());
        let away = || serve::unavailable("decision", &"no snapshot yet");
        let mut follower = self.followers.of(tenant).await.ok_or_else(away)?;
        let resource = self.flows.get(tenant, &question.flow).await?;
        if !matches!(resource.status(), ResourceStatus::Active | ResourceStatus::Unspecified) {
            let status = resource.status().as_str_name().trim_start_matches("RESOURCE_STATUS_").to_lowercase();
            let message = format!("decision flow `{}` is {status}; only active flows decide", resource.id);
            return Err(Problem::wrong_state(&resource.id, &status, message).into());
        }
        let flow = decision_flow::parse(&resource).map_err(Problem::invalid_fields)?;
        let least = question.min_revisions;
        let knows_channel = |snapshot: &Snapshot| {
            question.channel.is_empty()
                || snapshot.policy.as_ref().is_some_and(|policy| policy.channel(&question.channel).is_some())
        };
        let (snapshot, is_known) = follow::wait_for(&mut follower, |snapshot| {
            snapshot.is_complete() && knows_channel(snapshot) && reaches(snapshot, &least)
        })
        .await;
        if !snapshot.is_complete() {
            return Err(away());
        }
        if least.is_given && !(is_known || reaches(&snapshot, &least)) || resource.revision < least.decision {
            return Err(stale());
        }
        if !knows_channel(&snapshot) {
            policy::require_channel(&self.neighbours.policy, tenant, &question.channel).await?;
        }
        let (customer, pending, arms) = tokio::join!(
            catalog::customer(&self.neighbours.catalog, tenant, &question.customer_id, flow.schema()),
            self.store.pending(tenant, &question.customer_id, policy::PENDING_MAX as i64 + 1),
            self.store.arms(tenant, &question.customer_id),
        );
        let (pending, arms) =
            (pending.map_err(|error| serve::store_status(&error))?, arms.map_err(|error| serve::store_status(&error))?);
        let mut degraded = Vec::new();
        let mut snapshot = snapshot;
        let customer = match customer {
            Ok(customer) => {
                let head = customer.head_revision;
                let (newer, is_fresh) = follow::wait_for(&mut follower, |snapshot| {
                    snapshot.is_complete() && snapshot.catalog.as_ref().is_some_and(|catalog| catalog.revision >= head)
                })
                .await;
                snapshot = newer;
                if !is_fresh {
                    if least.is_given {
                        return Err(stale());
                    }
                    degraded.push("snapshot_stale".to_owned());
                }
                Ok(customer.record)
            }
            Err(status) => {
                tracing::warn!(code = ?status.code(), "customer record could not be read");
                Err(refusal("customer_unavailable", "the customer's record cannot be read now; nothing is offered"))
            }
        };
        let catalog = snapshot.catalog.clone().unwrap_or_default();
        let source = Source { tenant, id: &resource.id, name: &resource.name, revision: resource.revision };
        let flow = self.compiled.of(source, flow, &catalog).await;
        let flow = flow.map_err(|error| serve::internal(&error))?;
        Ok(Fetched { snapshot, flow, customer, pending, arms, degraded, now })
    }

    /// Asks policy; the decision that holds the slots is this one, or an earlier run of the same request.
    async fn judge(
        &self,
        run: &Run,
        fetched: &Fetched,
        record: &Fields,
        plan: &Plan,
        decision_id: &str,
        is_held_out: bool,
    ) -> Result<(Option<Judgement>, String), Status> {
        let question = &run.question;
        if fetched.pending.len() > policy::PENDING_MAX {
            return Ok((None, decision_id.to_owned()));
        }
        let contact = policy::Question {
            customer_id: &question.customer_id,
            channel: &question.channel,
            now: fetched.now,
            record,
            pending: &fetched.pending,
            as_of: question.at,
        };
        let (neighbour, tenant) = (&self.neighbours.policy, run.tenant.as_str());
        let asked = if is_held_out || question.is_dry_run || !question.is_holding {
            policy::check(neighbour, tenant, contact, &plan.ranked).await.map(|found| (found, decision_id.to_owned()))
        } else {
            let request_id = &question.request_id;
            policy::reserve(neighbour, tenant, contact, &plan.ranked, decision_id, request_id, question.limit).await
        };
        match asked {
            Ok((judgement, holder)) => Ok((Some(judgement), holder)),
            Err(status) if is_callers(status.code()) => Err(status),
            Err(status) => {
                tracing::warn!(code = ?status.code(), "policy did not answer; nothing is offered");
                Ok((None, decision_id.to_owned()))
            }
        }
    }
}

/// What the plan should tell: no more ranked offers than policy is asked about, the others refused when they are listed.
pub(super) fn wanted(question: &Question) -> Wanted<'_> {
    let refused_max = if question.is_explained { record::EXPLAIN_CANDIDATES_MAX } else { 0 };
    Wanted { exclude_offers: &question.exclude_offers, ranked_max: policy::CANDIDATES_MAX, refused_max }
}

/// What policy refuses because of the question itself: an unknown or inactive channel, for example.
fn is_callers(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::InvalidArgument | Code::FailedPrecondition)
}

/// The arms that bind this decision: stored ones, and new ones of running experiments. The name is that of the
/// experiment while its holdout counts.
fn arms(fetched: &Fetched, customer_id: &str) -> Vec<(Arm, Option<String>)> {
    let now_us = fetched.now.timestamp_micros();
    let experiments = fetched.snapshot.experiment.clone().unwrap_or_default();
    let binding = experiments.on_flow(&fetched.flow.id, &fetched.flow.name).filter(|experiment| experiment.is_binding);
    let mut arms = Vec::new();
    for experiment in binding {
        let stored = fetched.arms.iter().find(|arm| arm.experiment_id == experiment.id).cloned();
        let Some(arm) = stored.or_else(|| assignment::draw(experiment, customer_id, now_us)) else { continue };
        arms.push((arm, (!experiment.is_shipped).then(|| experiment.id.clone())));
    }
    arms
}

fn new_decision(
    run: &Run,
    fetched: &Fetched,
    decision_id: &str,
    hash: &[u8],
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
        body_hash: hash.to_vec(),
        decided_us,
        deliver_after_us: deliver_after.filter(|_| answer.offers.is_empty()).map(|at| at.timestamp_micros()),
        now_us: decided_us,
    });
    NewDecision {
        tenant: run.tenant.clone(),
        decision_id: decision_id.to_owned(),
        customer_id: customer_id.clone(),
        decided_us,
        record: kept.bytes(),
        request,
        arms: arms.iter().map(|(arm, _)| (arm.clone(), experiment::assignment_message(customer_id, arm))).collect(),
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
        arm: arm.map(|arm| if arm.is_holdout { "holdout" } else { "treatment" }.to_owned()).unwrap_or_default(),
        experiment_id: arm.map(|arm| arm.experiment_id.clone()).unwrap_or_default(),
        ghost_offers: answer.ghost_offers.clone(),
        engine: ENGINE.to_owned(),
    };
    KeptRecord::of(kept, facts, answer)
}

/// The zone of `today()` and where it comes from: the channel's source, the record's `timezone`, the tenant's.
fn zone_of(snapshot: &Snapshot, channel: &str, record: &Fields) -> (Tz, String) {
    let policy = snapshot.policy.clone().unwrap_or_default();
    let sources = policy.channel(channel).map(|channel| channel.timezone_source.clone()).unwrap_or_default();
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
    let catalog = fetched.snapshot.catalog.as_ref().map_or(0, |catalog| catalog.revision);
    let policy = fetched.snapshot.policy.as_ref().map_or(0, |policy| policy.revision);
    let experiment = fetched.snapshot.experiment.as_ref().map_or(0, |experiments| experiments.revision);
    vec![
        format!("catalog:{catalog}"),
        format!("policy:{}", judgement.map_or(policy, |judgement| judgement.revision)),
        format!("decision:{}", fetched.flow.revision),
        format!("experiment:{experiment}"),
    ]
}

fn reaches(snapshot: &Snapshot, least: &crate::domain::request::MinRevisions) -> bool {
    snapshot.catalog.as_ref().is_some_and(|part| part.revision >= least.catalog)
        && snapshot.policy.as_ref().is_some_and(|part| part.revision >= least.policy)
        && snapshot.experiment.as_ref().is_some_and(|part| part.revision >= least.experiment)
}

fn stale() -> Status {
    let message = "the asked-for revision has not arrived yet; try again shortly";
    Problem::new(Code::Unavailable, ErrorReason::SnapshotStale, message).retry_after(serve::RETRY_AFTER).into()
}

fn body_hash(asked: &proto::RecommendRequest) -> Vec<u8> {
    Sha256::digest(asked.encode_to_vec()).to_vec()
}
