//! Explains why a customer gets an offer or does not: now, or at an instant of the past.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use formula::rule::Trace;
use serve::Problem;
use tonic::Status;

use super::{
    as_of::{AsOfCase, AsOfCases},
    fresh::Freshness,
    judge::{Judged, PlannedCase, Try, judge},
    kept::{self, KeptRecord},
    live::LiveCases,
};
use crate::{
    compiled_flows::FlowKey,
    domain::{
        case::{Case, Detail},
        compile::CompiledFlow,
        conclude::{Conclusion, NOBODY_CONTACTED, conclude},
        oracle::OracleFlow,
        reason::Reason,
        request::{MinRevisions, Question},
        scalar::Fields,
        snapshot::{Catalog, Offer},
    },
    messages::scalar,
    neighbours::Gate,
    store::{DecisionFilter, Store},
};

/// What is to be explained.
#[derive(Clone, Debug)]
pub struct ExplainQuestion {
    /// The customer.
    pub customer_id: String,
    /// Id or name of the offer.
    pub offer: String,
    /// Id or name of the flow; empty for that of the customer's latest decision.
    pub flow: String,
    /// Id or name of the channel; empty for that of the customer's latest decision, if that one
    /// contacts somebody.
    pub channel: String,
    /// The instant of the past; `None` for now.
    pub at: Option<DateTime<Utc>>,
}

/// Why a customer gets an offer or does not.
pub struct Explanation {
    /// The case.
    pub case: Case,
    /// Its conclusion, with everything that became of every candidate.
    pub conclusion: Conclusion,
    /// What people should know about it.
    pub notes: Vec<String>,
    /// The configuration used.
    pub snapshot: Vec<String>,
    /// The offer.
    pub offer: Offer,
    /// What its own rules and formulas give; empty when they cannot be applied or the offer
    /// is not a candidate.
    pub parts: OfferParts,
    /// The decision whose facts were used; empty for facts of now.
    pub based_on: String,
    /// Fields and metrics that this explanation needs and that decision did not read.
    pub unknown: BTreeSet<String>,
}

/// The parts of an offer, as the oracle evaluates them.
#[derive(Default)]
pub struct OfferParts {
    /// Each rule with everything it was evaluated from.
    pub rules: Vec<Trace>,
    /// Computed fields.
    pub computed: Fields,
    /// Fields and metrics (`metrics.x`) that are read.
    read: BTreeSet<String>,
}

/// The use case. Cheap to clone.
#[derive(Clone)]
pub struct Explain {
    /// Builds cases of now.
    pub live: LiveCases,
    /// Builds cases of the past.
    pub as_of: AsOfCases,
    /// The customer's latest decision.
    pub store: Store,
    /// Judges contacts.
    pub gate: Arc<Gate>,
}

/// A concluded case, and the decision whose facts it uses with the fields which that read.
struct Considered {
    case: Case,
    catalog: Arc<Catalog>,
    conclusion: Conclusion,
    notes: Vec<String>,
    based_on: Option<(String, BTreeSet<String>)>,
}

impl Explain {
    /// Explains.
    pub async fn explain(
        &self,
        tenant: &str,
        asked: &ExplainQuestion,
    ) -> Result<Explanation, Status> {
        let latest = self.latest(tenant, asked).await?;
        let considered = match (asked.at, latest) {
            (None, latest) => self.now(tenant, question(asked, latest.as_ref())).await?,
            (Some(at), Some(latest)) => {
                let question = question(asked, Some(&latest));
                self.at(tenant, question, at, latest).await?
            }
            (Some(at), None) => {
                let kept_since = self.store.kept_since(tenant).await;
                let kept_since = kept_since.map_err(|error| serve::store_status(&error))?;
                let problem = Problem::not_found("decision of customer", &asked.customer_id);
                let problem = problem.with("kind", "decision");
                let problem = match kept_since.filter(|since| at.timestamp_micros() < *since) {
                    Some(since) => kept::past_retention(problem, since),
                    None => problem.hint(&format!(": none was made at or before {at}")),
                };
                return Err(problem.into());
            }
        };
        let Considered { case, catalog, conclusion, mut notes, based_on } = considered;
        if !case.question.is_contact {
            notes.push(NOBODY_CONTACTED.to_owned());
        }
        let offer = catalog.offer(&asked.offer).cloned();
        let offer = offer.ok_or_else(|| Problem::not_found("offer", &asked.offer))?;
        let parts = OfferParts::of(&case, &catalog, &offer.id);
        let (based_on, known) = based_on.unwrap_or_else(|| (String::new(), parts.read.clone()));
        let unknown = parts.read.difference(&known).cloned().collect();
        let snapshot = case.revision_names(conclusion.judgment.as_ref());
        Ok(Explanation { case, conclusion, notes, snapshot, offer, parts, based_on, unknown })
    }

    /// The customer's latest decision, at or before the instant.
    async fn latest(
        &self,
        tenant: &str,
        asked: &ExplainQuestion,
    ) -> Result<Option<KeptRecord>, Status> {
        let before_us = asked.at.map_or(i64::MAX, |at| at.timestamp_micros() + 1);
        let filter = DecisionFilter::of_customer(&asked.customer_id);
        let found = self.store.decisions(tenant, filter, (before_us, ""), 1).await;
        let found = found.map_err(|error| serve::store_status(&error))?;
        Ok(found.first().map(|row| KeptRecord::read(&row.record)))
    }

    async fn now(&self, tenant: &str, question: Question) -> Result<Considered, Status> {
        if question.flow.is_empty() {
            let message = "is required: the customer has no decision whose flow could be meant";
            return Err(Problem::invalid_field("flow", message).into());
        }
        let question = Arc::new(question);
        let (planned, judged) = match self.judged_now(tenant, &question, Try::First).await? {
            Ok(judged) => judged,
            Err(next) => {
                let judged = self.judged_now(tenant, &question, next).await?;
                judged.map_err(|_| serve::internal(&"a second try that asks for a third"))?
            }
        };
        let PlannedCase { live, plan, .. } = planned;
        let is_stale = !live.degraded.is_empty();
        let note = "an older configuration was used: the newest did not arrive in time";
        let notes = is_stale.then(|| note.to_owned());
        let (catalog, notes) = (live.catalog, notes.into_iter().collect());
        let conclusion = conclude(&live.case, plan, judged.judgment);
        Ok(Considered { case: live.case, catalog, conclusion, notes, based_on: None })
    }

    /// The planned and judged case of now; or how to try again, because policy-svc has newer
    /// configuration.
    async fn judged_now(
        &self,
        tenant: &str,
        question: &Arc<Question>,
        attempt: Try,
    ) -> Result<Result<(PlannedCase, Judged), Try>, Status> {
        let gone = || serve::internal(&"a question without an answer");
        let earliest = DateTime::UNIX_EPOCH;
        let cases = self.live.cases(tenant, &[question], Detail::Everything, earliest).await;
        let mut live = cases.into_iter().next().ok_or_else(gone)??;
        let catalog = live.catalog.clone();
        // Offer and rank must be of one catalog.
        if live.case.configuration.flow.catalog_revision != catalog.revision {
            let CompiledFlow { id, name, revision, flow, effects, .. } =
                &*live.case.configuration.flow;
            let key = FlowKey { tenant, id, name, revision: *revision, effects };
            let compiled = self.live.compiled.of(key, flow.clone(), &catalog).await;
            live.case.configuration.flow = compiled.map_err(|error| serve::internal(&error))?;
        }
        let mut planned = PlannedCase::of(live, attempt, &self.live.planner).await;
        let judged = judge(&*self.gate, tenant, std::iter::once(&planned)).await;
        let judged = judged.into_iter().next().ok_or_else(gone)?;
        if attempt == Try::First {
            match self.live.freshness(tenant, &[(&planned, &judged)]).await.first() {
                Some(Freshness::Behind) => return Ok(Err(self.live.catch_up(tenant).await)),
                Some(Freshness::Unknown) => planned.live.mark_stale(),
                Some(Freshness::Fresh) | None => {}
            }
        }
        Ok(Ok((planned, judged?)))
    }

    async fn at(
        &self,
        tenant: &str,
        question: Question,
        at: DateTime<Utc>,
        latest: KeptRecord,
    ) -> Result<Considered, Status> {
        let as_of = self.as_of.case(tenant, question, at, latest).await?;
        let (conclusion, notes) = self.as_of.conclude(tenant, &as_of).await?;
        let based_on = Some(as_of.based_on());
        let AsOfCase { case, catalog, .. } = as_of;
        Ok(Considered { case, catalog, conclusion, notes, based_on })
    }
}

/// The question that is explained: flow and channel as asked, else those of the latest decision.
/// The attributes of that decision apply to the past only.
fn question(asked: &ExplainQuestion, latest: Option<&KeptRecord>) -> Question {
    let latest = latest.and_then(|latest| latest.shown.as_ref());
    let request = latest.and_then(|latest| latest.request.as_ref());
    let or = |given: &String, known: Option<&String>| match given.as_str() {
        "" => known.cloned().unwrap_or_default(),
        _ => given.clone(),
    };
    let attributes = request.filter(|_| asked.at.is_some());
    let channel = or(&asked.channel, latest.map(|latest| &latest.channel));
    // A channel that is asked about is one of contact. Without one, the latest decision says.
    let is_contact = !asked.channel.is_empty() || latest.is_some_and(kept::is_contact);
    Question {
        customer_id: asked.customer_id.clone(),
        flow: or(&asked.flow, latest.map(|latest| &latest.flow_id)),
        is_contact: is_contact && !channel.is_empty(),
        channel,
        placement: request.map(|request| request.placement.clone()).unwrap_or_default(),
        limit: 1,
        attributes: attributes.map(|it| scalar::fields(&it.attributes)).unwrap_or_default(),
        exclude_offers: Vec::new(),
        request_id: String::new(),
        is_holding: false,
        is_dry_run: true,
        at: None,
        is_explained: true,
        min_revisions: MinRevisions::default(),
    }
}

impl OfferParts {
    fn of(case: &Case, catalog: &Catalog, offer_id: &str) -> Self {
        // What a decision does not evaluate is not evaluated to explain it.
        let unfit = case.configuration.flow.unfit(offer_id);
        if unfit.is_some_and(|unfit| unfit.code == Reason::RuleTooCostly) {
            return Self::default();
        }
        let catalog = catalog.with_only(offer_id);
        let flow = OracleFlow::compile(case.configuration.flow.flow.clone(), &catalog);
        let is_counted =
            |key: &&str| catalog.metrics.get(*key).is_some_and(|metric| metric.is_active);
        let Some(Ok(program)) = flow.offers.first().map(|offer| offer.program.as_ref()) else {
            return Self::default();
        };
        let facts = case.inputs();
        let computed = program.compute(&facts);
        let metrics = program.metrics_read().filter(is_counted);
        let metrics = metrics.map(|key| format!("metrics.{key}"));
        Self {
            rules: program.rules.iter().map(|rule| rule.trace(&facts, &computed)).collect(),
            computed: program.shown(&computed),
            read: program.fields_read().map(str::to_owned).chain(metrics).collect(),
        }
    }
}
