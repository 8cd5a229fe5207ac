//! Why a customer gets an offer, or does not: now, or at an instant of the past.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use formula::{Moment, rule::Trace};
use history::AsOf;
use proffer_proto::{decision::v1 as proto, values::v1::ReasonCode};
use serve::Problem;
use tonic::Status;

use super::{
    Context,
    answer::{About, answer},
    decision::parse,
    facts::KeptRefusal,
    instant,
    outcome_of::outcome_of,
    recommend::{Run, require_active},
    record::{KeptRecord, factors, policy_verdicts},
    replay::zone_then,
};
use crate::{
    domain::{
        compile::{CompiledFlow, Facts},
        creative::Surface,
        decide::Answer,
        judgement::Judgement,
        metric::Metrics,
        oracle::OracleFlow,
        plan::{self, Plan, Wanted},
        request::{Question, id_fault, text_fault},
        scalar::Fields,
        snapshot::{Catalog, is_named},
    },
    neighbours::{
        past,
        policy::{self, Rules},
        scalar,
    },
};

/// Everything about a customer and a flow at one instant.
pub(super) struct Considered {
    pub flow: Arc<CompiledFlow>,
    pub catalog: Arc<Catalog>,
    pub question: Question,
    pub record: Fields,
    pub metrics: Metrics,
    pub surface: Surface,
    pub moment: Moment,
    pub plan: Plan,
    pub judgement: Option<Judgement>,
    pub answer: Answer,
    pub snapshot: Vec<String>,
    /// The decision whose facts were used, and the fields and metrics (`metrics.x`) it read; none
    /// for now.
    pub based_on: Option<(String, BTreeSet<String>)>,
    pub notes: Vec<String>,
}

/// The plan tells everything.
pub(super) fn everything(question: &Question) -> Wanted<'_> {
    Wanted {
        exclude_offers: &question.exclude_offers,
        ranked_max: usize::MAX,
        refused_max: usize::MAX,
    }
}

impl Context {
    /// Explains.
    pub async fn explain(
        &self,
        tenant: &str,
        asked: &proto::ExplainRequest,
    ) -> Result<proto::ExplainResponse, Status> {
        let at = self.checked(asked)?;
        let latest = self.latest(tenant, &asked.customer_id, at).await?;
        let considered = match (at, latest) {
            (None, latest) => self.considered_now(tenant, asked, latest).await?,
            (Some(at), Some(latest)) => self.considered_then(tenant, asked, at, latest).await?,
            (Some(at), None) => {
                let id = format!("of customer {} at or before {at}", asked.customer_id);
                return Err(Problem::not_found("decision", &id).into());
            }
        };
        explained(&considered, asked)
    }

    /// The instant of the past that is asked about; all faults of the question.
    fn checked(&self, asked: &proto::ExplainRequest) -> Result<Option<DateTime<Utc>>, Problem> {
        let mut faults = Vec::new();
        if let Some(message) = id_fault(&asked.customer_id) {
            faults.push(("customer_id".to_owned(), message));
        }
        if asked.offer_id.is_empty() {
            faults.push(("offer_id".to_owned(), "is required: id or name of an offer".to_owned()));
        }
        for (field, text) in
            [("offer_id", &asked.offer_id), ("flow", &asked.flow), ("channel", &asked.channel)]
        {
            if let Some(message) = text_fault(text) {
                faults.push((field.to_owned(), message));
            }
        }
        let at = asked.at.as_ref().map(instant).transpose().unwrap_or_else(|message| {
            faults.push(("at".to_owned(), message));
            None
        });
        if at.is_some_and(|at| at > self.clock.now()) {
            faults.push(("at".to_owned(), "lies ahead; leave it out to explain now".to_owned()));
        }
        if faults.is_empty() { Ok(at) } else { Err(Problem::invalid_fields(faults)) }
    }

    /// The customer's latest decision, at or before an instant.
    async fn latest(
        &self,
        tenant: &str,
        customer_id: &str,
        at: Option<DateTime<Utc>>,
    ) -> Result<Option<KeptRecord>, Status> {
        let before_us = at.map_or(i64::MAX, |at| at.timestamp_micros() + 1);
        let found = self.store.decisions(tenant, customer_id, (before_us, ""), 1).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        Ok(found.first().map(|row| KeptRecord::read(&row.record)))
    }

    async fn considered_now(
        &self,
        tenant: &str,
        asked: &proto::ExplainRequest,
        latest: Option<KeptRecord>,
    ) -> Result<Considered, Status> {
        let request = about(asked, latest.and_then(|latest| latest.shown).as_ref());
        if request.flow.is_empty() {
            let message = "is required: the customer has no decision whose flow could be meant";
            return Err(Problem::invalid_field("flow", message).into());
        }
        let question = parse(&request)?;
        let run = Run {
            tenant: tenant.to_owned(),
            question,
            asked: request,
            stopwatch: self.clock.stopwatch(),
        };
        self.consider(run).await
    }

    /// The past: configuration of the instant, facts of the decision.
    async fn considered_then(
        &self,
        tenant: &str,
        asked: &proto::ExplainRequest,
        at: DateTime<Utc>,
        latest: KeptRecord,
    ) -> Result<Considered, Status> {
        let KeptRecord { shown, facts, .. } = latest;
        let (shown, facts) = (shown.unwrap_or_default(), facts.unwrap_or_default());
        let question = parse(&proto::RecommendRequest {
            attributes: shown
                .request
                .as_ref()
                .map(|request| request.attributes.clone())
                .unwrap_or_default(),
            ..about(asked, Some(&shown))
        })?;
        let follower = self.followers.of(tenant).await;
        let snapshot = follower
            .map(|follower| follower.borrow().clone())
            .filter(|snapshot| snapshot.is_complete());
        let snapshot =
            snapshot.ok_or_else(|| serve::unavailable("decision", &"no snapshot yet"))?;
        let head = snapshot.catalog.as_ref().map_or(0, |catalog| catalog.revision);
        let moment = past::Moment::Time(at.timestamp_micros());
        let catalog = self.past.at(&*self.neighbours.catalog, tenant, moment, head).await?;
        let flows = self.flows.all_as_of(tenant, AsOf::Time(at)).await?;
        let by_id = flows.iter().find(|found| found.id == question.flow);
        let found = by_id.or_else(|| {
            flows.iter().find(|found| is_named(&question.flow, &found.id, &found.name))
        });
        let resource = found.ok_or_else(|| Problem::not_found("decision_flow", &question.flow))?;
        require_active(resource)?;
        let flow = self.whole_flow_then(tenant, resource.clone(), AsOf::Time(at)).await?;
        let flow = self.flow_then(tenant, flow, &catalog).await?;
        let metrics = shown.metrics.clone();
        let surface = if question.channel == shown.channel {
            facts.surface(&question.placement)
        } else {
            Surface::of(&question.channel, snapshot.policy.as_deref(), &question.placement)
        };
        let record = scalar::fields(&shown.customer_fields);
        let moment = Moment::new(at, zone_then(&shown));
        let is_its_flow = flow.id == shown.flow_id;
        let obstacle = facts.obstacle.as_ref().filter(|_| is_its_flow);
        let obstacle = obstacle.map(KeptRefusal::refusal);
        let plan = match obstacle {
            None => {
                let (record, attributes, moment) = (&record, &question.attributes, &moment);
                let facts =
                    Facts { record, attributes, metrics: &metrics, surface: &surface, moment };
                plan::plan(&flow, &facts, &everything(&question))
            }
            Some(_) => Plan::default(),
        };
        let contact = policy::Question {
            customer_id: &question.customer_id,
            channel: &question.channel,
            now: at,
            record: &record,
            pending: &[],
            as_of: None,
        };
        // Consent and zone were read for the channel of that decision only.
        let kept = facts.judgement.as_ref().filter(|_| question.channel == shown.channel);
        let kept_revision = kept.map(|kept| kept.revision);
        let kept = kept.and_then(|kept| kept.facts.as_ref());
        let judgement = match kept.filter(|_| !plan.ranked.is_empty()) {
            Some(kept) => {
                let policy = &*self.neighbours.gate;
                Some(
                    policy::evaluate(
                        policy,
                        tenant,
                        contact,
                        &plan.ranked,
                        kept,
                        (Rules::At(at), None),
                    )
                    .await?,
                )
            }
            None => None,
        };
        let decided = shown.decided_at.as_ref().and_then(|at| instant(at).ok()).unwrap_or(at);
        let mut notes =
            vec![format!("facts are those of {}, decided at {decided}", shown.decision_id)];
        if judgement.is_none() && !plan.ranked.is_empty() {
            let channel = &question.channel;
            notes.push(format!(
                "contact policies are not judged: it kept no facts about contacts on channel `{channel}`"
            ));
        }
        if let (Some(judged), Some(kept)) = (&judgement, kept_revision)
            && judged.revision != kept
        {
            let judged = judged.revision;
            notes.push(format!(
                "contacts and outcomes were recorded as far as policy:{kept} looked; policy:{judged} may look further"
            ));
        }
        let held_out_of = Some(facts.held_out_of).filter(|name| is_its_flow && !name.is_empty());
        let (answer, _) = answer(
            &question,
            &plan,
            judgement.as_ref(),
            About { obstacle, held_out_of, ..About::default() },
        );
        let mut snapshot =
            vec![format!("catalog:{}", catalog.revision), format!("decision:{}", flow.revision)];
        snapshot
            .extend(judgement.as_ref().map(|judgement| format!("policy:{}", judgement.revision)));
        let mut known: BTreeSet<String> = record.keys().cloned().collect();
        known.extend(facts.fields_missing);
        known.extend(
            metrics.keys().chain(&facts.metrics_missing).map(|key| format!("metrics.{key}")),
        );
        let based_on = Some((shown.decision_id, known));
        Ok(Considered {
            flow,
            catalog,
            question,
            record,
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
}

/// The question that is explained: flow and channel as asked, else those of a decision.
fn about(
    asked: &proto::ExplainRequest,
    latest: Option<&proto::DecisionRecord>,
) -> proto::RecommendRequest {
    let or = |given: &String, known: Option<&String>| match given.as_str() {
        "" => known.cloned().unwrap_or_default(),
        _ => given.clone(),
    };
    proto::RecommendRequest {
        customer_id: asked.customer_id.clone(),
        flow: or(&asked.flow, latest.map(|latest| &latest.flow_id)),
        channel: or(&asked.channel, latest.map(|latest| &latest.channel)),
        placement: latest
            .and_then(|latest| latest.request.clone())
            .map(|asked| asked.placement)
            .unwrap_or_default(),
        dry_run: true,
        explain: true,
        ..Default::default()
    }
}

/// Everything about one offer.
fn explained(
    considered: &Considered,
    asked: &proto::ExplainRequest,
) -> Result<proto::ExplainResponse, Status> {
    let Considered { flow, catalog, question, plan, answer, .. } = considered;
    let offer = catalog
        .offer(&asked.offer_id)
        .ok_or_else(|| Problem::not_found("offer", &asked.offer_id))?;
    let candidate =
        flow.offers.iter().map(|it| &it.candidate).find(|candidate| candidate.offer_id == offer.id);
    let outcome = match candidate {
        Some(candidate) => outcome_of(candidate, plan, answer),
        None => {
            let reason = if offer.is_active {
                format!(
                    "category `{}` is not in the inventory of flow `{}`",
                    offer.category, flow.id
                )
            } else {
                "only active offers take part".to_owned()
            };
            proto::CandidateOutcome {
                reason_code: ReasonCode::NotInInventory.into(),
                reason,
                ..Default::default()
            }
        }
    };
    let interpreted = Interpreted::of(considered, &offer.id);
    let place = plan.ranked.iter().position(|ranked| ranked.offer_id == offer.id);
    let ranked = place.and_then(|place| plan.ranked.get(place));
    let rank = place.and_then(|place| i32::try_from(place + 1).ok());
    let behind =
        place.and_then(|place| place.checked_sub(1)).and_then(|before| plan.ranked.get(before));
    let verdict = considered.judgement.as_ref();
    let verdict = verdict.and_then(|judgement| {
        judgement.verdicts.iter().find(|verdict| verdict.offer_id == offer.id)
    });
    let (based_on, unknown) = interpreted.unknown(considered);
    let told = |text: String| retold(text, &unknown, &based_on);
    let mut notes = considered.notes.clone();
    if !unknown.is_empty() {
        notes.push(
            "unknown fields count as missing here; with their values the outcome may be another"
                .to_owned(),
        );
    }
    Ok(proto::ExplainResponse {
        offer_id: offer.id.clone(),
        name: offer.name.clone(),
        offered: outcome.rank.is_some(),
        reason_code: outcome.reason_code,
        reason: told(outcome.reason),
        rules: interpreted.rules.into_iter().map(|rule| rule_trace(rule, &told)).collect(),
        policies: verdict.map(|verdict| policy_verdicts(&verdict.policies)).unwrap_or_default(),
        computed_fields: scalar::fields_into_proto(&interpreted.computed),
        score: ranked.map(|ranked| ranked.score),
        factors: ranked.map(|ranked| factors(&ranked.factors)),
        rank,
        behind: behind.map(|behind| proto::BetterOffer {
            offer_id: behind.offer_id.clone(),
            name: behind.name.clone(),
            score: behind.score,
            rank: rank.map_or(0, |rank| rank - 1),
        }),
        deliver_after: answer.refusal.as_ref().and_then(|refusal| refusal.deliver_after.clone()),
        flow_id: flow.id.clone(),
        channel: question.channel.clone(),
        at: Some(history::timestamp(considered.moment.now)),
        snapshot: considered.snapshot.clone(),
        notes,
        unknown_fields: unknown.into_iter().collect(),
        based_on,
    })
}

/// What the slow engine, which keeps every part, says about one offer.
#[derive(Default)]
struct Interpreted {
    rules: Vec<Trace>,
    computed: Fields,
    fields_read: BTreeSet<String>,
}

impl Interpreted {
    fn of(considered: &Considered, offer_id: &str) -> Self {
        let catalog = considered.catalog.with_only(offer_id);
        let flow = OracleFlow::compile(considered.flow.flow.clone(), &catalog);
        let is_counted =
            |key: &str| catalog.metrics.get(key).is_some_and(|metric| metric.is_active);
        let Some(Ok(program)) = flow.offers.first().map(|offer| offer.program.as_ref()) else {
            return Self::default();
        };
        let Considered { record, metrics, surface, moment, .. } = considered;
        let facts =
            Facts { record, attributes: &considered.question.attributes, metrics, surface, moment };
        let computed = program.compute(&facts);
        Self {
            rules: program.rules.iter().map(|rule| rule.trace(&facts, &computed)).collect(),
            computed: program.shown(&computed),
            fields_read: (program.fields_read().map(str::to_owned))
                .chain(
                    program
                        .metrics_read()
                        .filter(|key| is_counted(key))
                        .map(|key| format!("metrics.{key}")),
                )
                .collect(),
        }
    }

    /// The decision the facts are of, and the fields that it did not read.
    fn unknown(&self, considered: &Considered) -> (String, BTreeSet<String>) {
        match &considered.based_on {
            None => (String::new(), BTreeSet::new()),
            Some((decision_id, known)) => {
                (decision_id.clone(), self.fields_read.difference(known).cloned().collect())
            }
        }
    }
}

/// A field that was not read is not missing: nobody knows whether it was there.
fn retold(text: String, unknown: &BTreeSet<String>, decision_id: &str) -> String {
    unknown.iter().fold(text, |text, field| {
        let named =
            if field.starts_with("metrics.") { field.clone() } else { format!("customer.{field}") };
        let missing = format!("missing {named}");
        let (mut told, mut rest) = (String::with_capacity(text.len()), text.as_str());
        while let Some((before, after)) = rest.split_once(&missing) {
            told.push_str(before);
            // Not the beginning of a longer name.
            match after.chars().next() {
                Some(next) if next.is_alphanumeric() || next == '_' => told.push_str(&missing),
                _ => told.push_str(&format!("{named} was not recorded by {decision_id}")),
            }
            rest = after;
        }
        told.push_str(rest);
        told
    })
}

fn rule_trace(trace: Trace, told: &impl Fn(String) -> String) -> proto::RuleTrace {
    let verdict = match trace.is {
        Some(true) => proto::RuleVerdict::Holds,
        Some(false) => proto::RuleVerdict::Fails,
        None => proto::RuleVerdict::Unknown,
    };
    proto::RuleTrace {
        verdict: verdict.into(),
        field: trace.field,
        op: trace.op,
        expected: trace.expected,
        actual: trace.actual,
        unknown: trace.cause.map(told),
        rules: trace.rules.into_iter().map(|rule| rule_trace(rule, told)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_recorded_is_not_called_missing() {
        let unknown = BTreeSet::from(["age".to_owned()]);
        let text =
            "missing customer.age; missing customer.ageGroup; missing customer.age".to_owned();
        let expected = "customer.age was not recorded by dec_1; missing customer.ageGroup; customer.age was not recorded by dec_1";
        assert_eq!(retold(text, &unknown, "dec_1"), expected);
    }
}
