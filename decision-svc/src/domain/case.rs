//! A decision as a value: everything its answer follows from. It is built from live data, from a
//! record, or for an instant of the past; [`plan`](super::plan::plan) and
//! [`conclude`](super::conclude::conclude) then do the same for each.

use std::sync::Arc;

use formula::Moment;

use crate::domain::{
    compile::CompiledFlow,
    creative::Surface,
    facts::Facts,
    judgment::{Judgment, Refusal},
    metric::Metrics,
    request::Question,
    responses::Responses,
    scalar::{Fields, Scalar},
    score::{Engagement, OnlineModel},
};

/// A plan of more steps keeps other calls waiting: about 10 ms.
pub const LONG_STEPS: u64 = 10_000_000;

/// A decision to be made, or to be made again.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is asked.
    pub question: Arc<Question>,
    /// What it is decided with.
    pub configuration: Configuration,
    /// What is known about the customer and this contact.
    pub facts: CustomerFacts,
    /// The instant of the decision, in the customer's zone.
    pub moment: Moment,
    /// How much of the plan is listed.
    pub detail: Detail,
}

/// The configuration of a decision.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The flow, compiled for the catalog of the decision; it names the revisions of both.
    pub flow: Arc<CompiledFlow>,
    /// Revision of policy-svc's log when the case was built; `None` when unknown. A judgment names
    /// the revision it used.
    pub policy_revision: Option<i64>,
    /// Revision of experiment-svc's log; `None` when unknown.
    pub experiment_revision: Option<i64>,
}

/// What is known about a customer.
#[derive(Clone, Debug)]
pub struct CustomerFacts {
    /// The customer's record; or why nothing can be offered without one.
    pub record: Result<Arc<Fields>, Refusal>,
    /// The behavioral metrics that the flow reads.
    pub metrics: Metrics,
    /// Where the offer will be shown.
    pub surface: Surface,
    /// How customers responded to offers; none when the flow does not learn from it, or nothing
    /// is counted yet.
    pub responses: Option<Arc<Responses>>,
    /// How the customer responds on the channel; none when the flow does not learn from it.
    pub engagement: Option<Engagement>,
    /// What the flow draws by, when it explores; none where nothing is drawn.
    pub seed: Option<u64>,
    /// The online model of propensity; none where the flow learns none, or none is published.
    pub online: Option<Arc<OnlineModel>>,
    /// The experiment that holds the customer out.
    pub held_out: Option<HeldOut>,
    /// Where the customer's zone comes from, for example `customer.timezone`.
    pub timezone_source: String,
}

/// An experiment that holds a customer out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOut {
    /// Its id.
    pub experiment_id: String,
    /// It is about every flow.
    pub is_universal: bool,
    /// The answer says when to ask again, and the trace says how many offers would have been
    /// returned, as for a treated customer. False for decisions that earlier versions made.
    pub is_answered_alike: bool,
}

/// How much of a plan is listed; the rest is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What an answer needs: the best offers, and refused ones when the question asks for them.
    Answer,
    /// Every candidate.
    Everything,
}

impl Case {
    /// Steps of its plan at most, about a nanosecond each.
    pub fn steps(&self) -> u64 {
        let flow = &self.configuration.flow;
        let most = flow.steps_at_most();
        if most <= LONG_STEPS {
            // Most flows; their texts need not be looked at.
            return most;
        }
        let inputs = self.inputs();
        let texts = inputs.record.values().chain(inputs.attributes.values());
        let longest = texts.map(|value| match value {
            Scalar::String(text) => text.len(),
            _ => 0,
        });
        flow.steps(longest.max().unwrap_or_default())
    }

    /// True when its plan may take so long that it must not keep other calls waiting.
    pub fn is_long(&self) -> bool {
        self.steps() > LONG_STEPS
    }

    /// The customer's record; empty when there is none.
    pub fn record(&self) -> &Fields {
        static NO_FIELDS: Fields = Fields::new();
        self.facts.record.as_deref().unwrap_or(&NO_FIELDS)
    }

    /// Why nothing can be planned.
    pub fn obstacle(&self) -> Option<&Refusal> {
        self.facts.record.as_ref().err()
    }

    /// Slots that a treated customer's decision reserves at most; `None` when it reserves nothing.
    pub fn slots(&self) -> Option<usize> {
        let question = &self.question;
        let may_hold = question.is_contact && question.is_holding && !question.is_dry_run;
        may_hold.then_some(question.limit)
    }

    /// What rules and formulas read; what effect models say is not in it.
    pub fn inputs(&self) -> Facts<'_> {
        Facts {
            record: self.record(),
            attributes: &self.question.attributes,
            metrics: &self.facts.metrics,
            surface: &self.facts.surface,
            moment: &self.moment,
            uplifts: &[],
            responses: self.facts.responses.as_deref(),
            customer_id: &self.question.customer_id,
            flow_id: &self.configuration.flow.id,
            engagement: self.facts.engagement,
            seed: self.facts.seed,
            online: None,
        }
    }

    /// The configuration used, each part as `catalog:17`; a judgment names its own revision of
    /// policy-svc's log.
    pub fn revision_names(&self, judgment: Option<&Judgment>) -> Vec<String> {
        let Configuration { flow, policy_revision, experiment_revision } = &self.configuration;
        let policy = judgment.map(|judgment| judgment.revision).or(*policy_revision);
        let named = [
            ("catalog", Some(flow.catalog_revision)),
            ("policy", policy),
            ("decision", Some(flow.revision)),
            ("experiment", *experiment_revision),
        ];
        let known = named.into_iter().filter_map(|(service, revision)| Some((service, revision?)));
        known.map(|(service, revision)| format!("{service}:{revision}")).collect()
    }
}
