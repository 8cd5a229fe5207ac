//! A flow compiled for one catalog: one immutable program of registers, rules and groups of offers.
//! Names are resolved, equal formulas and rules are kept once, tests for equality are posting
//! lists, and every group is ranked beforehand. A broken offer spoils itself only.

mod budget;
mod builder;
mod directory;
mod feature;
mod group;
mod interner;
mod posting;
mod source;

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};

use formula::{
    Steps, TEXT_BYTES_MAX,
    program::{Check, Constants, Record, Register, RuleProgram},
};

pub use budget::STEPS_MAX;
pub use feature::NoFeature;
pub(crate) use feature::{Feature, Takes};
pub(crate) use group::{Group, Lists};
pub(crate) use interner::EMPTY;
pub(crate) use posting::Access;
pub(crate) use source::{Causes, Field, Source};

use crate::domain::{
    candidate::Candidate,
    effect::{EffectModel, Effects},
    flow::{Flow, Node},
    metric::Metric,
    rank::{Factors, Place, RELEVANCE_PRIOR, Weights, Worth},
    reason::Reason,
    schedule::Schedule,
    score::{Engagement, Estimate, OnlinePropensity, ScoreMethod, Uplift},
    snapshot::{Catalog, Offer},
    step::{Ground, Sieve},
};

/// Longest chain of computed fields that need one another.
pub const CHAIN_MAX: usize = 64;

/// A flow with the offers it considers.
#[derive(Debug)]
pub struct CompiledFlow {
    /// The steps.
    pub flow: Flow,
    /// The flow's id.
    pub id: String,
    /// The flow's name.
    pub name: String,
    /// Catalog revision it was compiled for.
    pub catalog_revision: i64,
    /// Its own revision.
    pub revision: i64,
    /// The models that say what contact changes.
    pub effects: Arc<Effects>,
    /// Active offers before the inventory chose.
    pub offers_in_all: usize,
    /// Active offers of the inventory, by id.
    pub offers: Vec<CompiledOffer>,
    /// Record fields that rules, formulas and features read.
    pub fields_read: BTreeSet<String>,
    /// Metrics in use that rules, formulas and features read.
    pub metrics_read: Vec<Metric>,
    /// Names of features that are none.
    pub no_features: Vec<NoFeature>,
    pub(crate) features: Vec<Feature>,
    pub(crate) scoring: Scoring,
    /// What the registers of the record are filled with.
    pub(crate) fields: Vec<Field>,
    /// Their numbers in the order in which a record has them.
    pub(crate) fields_by_key: Vec<usize>,
    /// What the other registers are filled with.
    pub(crate) sources: Vec<Source>,
    pub(crate) constants: Constants,
    pub(crate) rules: Vec<RuleProgram>,
    /// Comparisons that must all be true, by number of the set.
    pub(crate) checks: Lists<Check>,
    /// Further rules that must all be true, by number of the set.
    pub(crate) sets: Lists<u32>,
    /// Rules of which the true share is the relevance, by number of the list.
    pub(crate) affinities: Vec<Box<[u32]>>,
    /// Rankings of the groups.
    pub(crate) orders: Lists<Place>,
    /// Computed fields by number of the list.
    pub(crate) shown: Vec<Box<[Shown]>>,
    /// Registers of the inputs of scores, by number of the list.
    pub(crate) inputs: Lists<Register>,
    pub(crate) groups: Vec<Group>,
    /// Groups that no posting list leads to.
    pub(crate) always: Vec<u32>,
    pub(crate) accesses: Vec<Access>,
    /// Offers whose rules cannot be applied.
    pub(crate) invalid: usize,
    /// Offers whose rules cost too much.
    pub(crate) costly: usize,
    /// What a decision costs at most.
    steps: Steps,
    /// A formula gives a text.
    writes_texts: bool,
    /// Offers are scored, or sifted, one by one.
    pub(crate) is_walked: bool,
    /// Nodes that leave out candidates one by one, in the order of the flow.
    pub(crate) sieves: Vec<Sieve>,
    /// Offers that are not always offered.
    pub(crate) scheduled: Vec<(u32, Schedule)>,
    /// Mandatory offers until when, best first.
    pub(crate) mandates: Vec<(u32, DateTime<Utc>)>,
}

/// An offer ready to be judged.
#[derive(Debug)]
pub struct CompiledOffer {
    /// What the answer says about it.
    pub candidate: Arc<Candidate>,
    /// What to evaluate; or why its rules cannot be.
    pub program: Result<Program, Unfit>,
}

/// Why the rules of an offer are not evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// `rule_invalid` or `rule_too_costly`.
    pub code: Reason,
    /// What is wrong.
    pub why: String,
}

impl Unfit {
    fn invalid(why: String) -> Self {
        Self { code: Reason::RuleInvalid, why }
    }

    fn costly(steps: u64) -> Self {
        let why = format!(
            "they cost {steps} steps more than what is left of the {STEPS_MAX} of a decision: \
             shorten regular expressions, or write fewer"
        );
        Self { code: Reason::RuleTooCostly, why }
    }
}

/// Computed fields and rules of one offer, by number.
#[derive(Clone, Debug)]
pub struct Program {
    /// In the offer's own order.
    pub(crate) rules: Box<[u32]>,
    /// The flow's own, in its order.
    pub(crate) filters: Box<[u32]>,
    pub(crate) affinities: u32,
    pub(crate) shown: u32,
    /// The list of the inputs of the flow's score.
    pub(crate) inputs: u32,
    /// Index of the effect model that scores it.
    pub(crate) effect: Option<usize>,
    /// None when a rule can never be true.
    pub(crate) group: Option<u32>,
}

/// A computed field as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    pub name: String,
    pub register: Register,
}

/// How offers are scored.
#[derive(Clone, Debug)]
pub(crate) struct Scoring {
    pub weights: Weights,
    pub method: ScoreMethod,
    /// Propensities are drawn, where there is a seed.
    pub explores: bool,
    /// Relevance is learned, where the customer's responses are given.
    pub learns_relevance: bool,
    /// Where the propensity comes from, for the trace.
    pub source: Arc<str>,
}

impl CompiledFlow {
    /// Compiles `flow` for a catalog, without effect models.
    pub fn compile(flow: Flow, id: &str, name: &str, revision: i64, catalog: &Catalog) -> Self {
        Self::compile_with(flow, (id, name, revision), catalog, Arc::default())
    }

    /// Compiles `flow`, of this id, name and revision, for a catalog and effect models.
    pub fn compile_with(
        flow: Flow,
        (id, name, revision): (&str, &str, i64),
        catalog: &Catalog,
        effects: Arc<Effects>,
    ) -> Self {
        let directory = directory::Directory::new(&flow, catalog);
        let mut interner = interner::Interner::new(&directory);
        let active = || catalog.offers.values().filter(|offer| offer.is_active);
        let mut budget = budget::Budget::default();
        let score_inputs = flow.score_method().inputs();
        let demands = builder::Demands { filters: flow.filters(), inputs: &score_inputs };
        let mut offers: Vec<_> = active()
            .filter_map(|offer| compiled(&mut interner, &mut budget, offer, demands, &effects))
            .collect();
        let scoring = Scoring::of(&flow);
        let sieves = sieves(&flow, &offers, (catalog, &effects));
        // Where an effect counts, the customer decides the order.
        let is_effective = scoring.weights.uplift > 0.0 && effects.is_scoring();
        let is_walked = is_effective || !score_inputs.is_empty() || !sieves.is_empty();
        let grouped =
            group::grouped(&mut offers, &interner, flow.has("qualify"), &scoring, is_walked);
        let (mut features, no_features) = feature::named(&mut interner, &flow.learning.features);
        let mut registers = closure(&interner, registers_read(&offers, &interner));
        if flow.learning.features.is_empty() {
            features = feature::read_ones(&interner, &offers, &registers);
        } else {
            registers.extend(closure(&interner, features.iter().map(|it| it.register)));
        }
        let (fields_read, metrics_read) = read(&registers, &interner, catalog);
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            catalog_revision: catalog.revision,
            revision,
            effects,
            offers_in_all: active().count(),
            steps: budget.spent(),
            writes_texts: interner.sources.iter().any(Source::is_computed),
            invalid: unfit(&offers, Reason::RuleInvalid),
            costly: unfit(&offers, Reason::RuleTooCostly),
            scheduled: scheduled(&offers),
            mandates: mandates(&offers),
            offers,
            fields_read,
            metrics_read,
            features,
            no_features,
            scoring,
            is_walked,
            sieves,
            flow,
            fields_by_key: source::by_key(&interner.fields),
            fields: interner.fields,
            sources: interner.sources,
            constants: interner.constants,
            rules: interner.rules,
            affinities: interner.affinities.all,
            shown: interner.shown.all,
            inputs: interner.score_inputs.all.into_iter().collect(),
            checks: grouped.checks,
            sets: grouped.sets,
            orders: grouped.orders,
            groups: grouped.groups,
            always: grouped.always,
            accesses: grouped.accesses,
        }
    }
}

impl CompiledFlow {
    /// True when its propensities are learned from the responses of customers.
    pub fn learns(&self) -> bool {
        self.scoring.method.learns()
    }

    /// True when an online model of propensity is learned from its contacts.
    pub fn learns_online(&self) -> bool {
        self.flow.learning.online_propensity != OnlinePropensity::Off
    }

    /// True when its decisions need the counts of responses.
    pub fn counts_responses(&self) -> bool {
        self.learns() || self.learns_relevance() || self.learns_online()
    }

    /// Steps of a decision at most, about a nanosecond each, when no text of the customer or the
    /// request has more bytes than this.
    pub fn steps(&self, text_bytes: usize) -> u64 {
        let longest = if self.writes_texts { TEXT_BYTES_MAX } else { text_bytes };
        self.steps.with_texts_of(longest)
    }

    /// The same whatever the texts are.
    pub fn steps_at_most(&self) -> u64 {
        self.steps.most()
    }

    /// Why the rules of an offer are not evaluated, if they are not.
    pub fn unfit(&self, offer_id: &str) -> Option<&Unfit> {
        let found = self.offers.iter().find(|offer| offer.candidate.offer_id == offer_id)?;
        found.program.as_ref().err()
    }

    /// True when it learns relevance from the customer's responses on the channel.
    pub fn learns_relevance(&self) -> bool {
        self.scoring.learns_relevance
    }

    /// True when it ranks by propensities that are drawn.
    pub fn explores(&self) -> bool {
        self.scoring.explores
    }

    /// The model behind an effect of an offer.
    pub(crate) fn effect_model(
        &self,
        program: &Program,
        found: Option<&Uplift>,
    ) -> Option<Arc<EffectModel>> {
        self.effects.models.get(program.effect?).filter(|_| found.is_some()).cloned()
    }
}

fn sieves(
    flow: &Flow,
    offers: &[CompiledOffer],
    (catalog, effects): (&Catalog, &Arc<Effects>),
) -> Vec<Sieve> {
    let offers: Vec<&Candidate> = offers.iter().map(|offer| &*offer.candidate).collect();
    let ground = Ground { offers: &offers, catalog, effects };
    let sieve = |node: &Node| node.step.node_type().sieve(&ground);
    flow.nodes.iter().filter_map(sieve).collect()
}

/// An offer, if the flow wants it.
fn compiled(
    interner: &mut interner::Interner<'_>,
    budget: &mut budget::Budget,
    offer: &Offer,
    demands: builder::Demands<'_>,
    effects: &Effects,
) -> Option<CompiledOffer> {
    let directory = interner.directory;
    let (own, is_wanted) = directory.place(offer.category_reference());
    if !is_wanted {
        return None;
    }
    let category_id = own.map_or(offer.category_id.as_str(), |own| directory.id(own));
    let program = builder::program(interner, offer, own, demands).map_err(Unfit::invalid);
    let program = program.and_then(|mut program| {
        budget.charge(interner, &program).map_err(Unfit::costly)?;
        program.effect = effects.of(category_id);
        Ok(program)
    });
    Some(CompiledOffer { candidate: Arc::new(Candidate::new(offer, category_id)), program })
}

fn unfit(offers: &[CompiledOffer], code: Reason) -> usize {
    let unfit = offers.iter().filter_map(|offer| offer.program.as_ref().err());
    unfit.filter(|unfit| unfit.code == code).count()
}

fn scheduled(offers: &[CompiledOffer]) -> Vec<(u32, Schedule)> {
    let schedules = offers.iter().map(|offer| offer.candidate.schedule);
    (0..).zip(schedules).filter(|(_, schedule)| *schedule != Schedule::default()).collect()
}

/// Mandatory offers, the higher priority first, then by id.
fn mandates(offers: &[CompiledOffer]) -> Vec<(u32, DateTime<Utc>)> {
    let mandate = |(index, offer): (u32, &CompiledOffer)| {
        let mandate = offer.candidate.mandate.as_ref().filter(|_| offer.program.is_ok())?;
        Some((offer.candidate.worth.priority, index, mandate.expires_at))
    };
    let mut mandates: Vec<_> = (0..).zip(offers).filter_map(mandate).collect();
    mandates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    mandates.into_iter().map(|(_, index, expires_at)| (index, expires_at)).collect()
}

/// The fields of the record, and the metrics in use, that these registers are.
fn read(
    registers: &BTreeSet<Register>,
    interner: &interner::Interner<'_>,
    catalog: &Catalog,
) -> (BTreeSet<String>, Vec<Metric>) {
    let fields =
        registers.iter().filter_map(|register| interner.fields.get(Record::field(*register)?));
    let sources = registers.iter().filter_map(|register| interner.sources.get(*register as usize));
    let metrics = sources.filter_map(Source::metric_key).filter_map(|key| catalog.metrics.get(key));
    let metrics = metrics.filter(|metric| metric.is_active).cloned();
    (fields.map(|field| field.key.clone()).collect(), metrics.collect())
}

/// Registers of all that offers with applicable rules read.
fn registers_read(
    offers: &[CompiledOffer],
    interner: &interner::Interner<'_>,
) -> BTreeSet<Register> {
    let programs = || offers.iter().filter_map(|offer| offer.program.as_ref().ok());
    let affinities: BTreeSet<u32> = programs().map(|program| program.affinities).collect();
    let shown: BTreeSet<u32> = programs().map(|program| program.shown).collect();
    let mut rules: BTreeSet<u32> = programs()
        .flat_map(|program| program.rules.iter().chain(&program.filters).copied())
        .collect();
    rules.extend(
        affinities.iter().filter_map(|list| interner.affinities.all.get(*list as usize)).flatten(),
    );
    let rules = rules.iter().filter_map(|rule| interner.rules.get(*rule as usize));
    let mut registers: BTreeSet<Register> =
        rules.flat_map(|rule| rule.reads().iter().copied()).collect();
    let shown = shown.iter().filter_map(|list| interner.shown.all.get(*list as usize)).flatten();
    registers.extend(shown.map(|shown| shown.register));
    let inputs: BTreeSet<u32> = programs().map(|program| program.inputs).collect();
    let lists = inputs.iter().filter_map(|list| interner.score_inputs.all.get(*list as usize));
    registers.extend(lists.flatten());
    registers
}

/// Registers, and all that these need.
fn closure(
    interner: &interner::Interner<'_>,
    registers: impl IntoIterator<Item = Register>,
) -> BTreeSet<Register> {
    let mut read = BTreeSet::new();
    let mut open: Vec<Register> = registers.into_iter().collect();
    while let Some(register) = open.pop() {
        if read.insert(register)
            && let Some(Source::Computed { program, .. }) = interner.sources.get(register as usize)
        {
            open.extend(program.reads());
        }
    }
    read
}

impl Scoring {
    /// As the flow says.
    fn of(flow: &Flow) -> Self {
        let method = flow.score_method().clone();
        let source = method.source().into();
        Self {
            weights: flow.weights(),
            method,
            explores: flow.explores(),
            source,
            learns_relevance: flow.learns_relevance(),
        }
    }

    /// The factors of an offer of which `matching` of `count` affinities are true; with how the
    /// customer responds on the channel, where relevance is learned from it.
    #[inline]
    pub fn factors(
        &self,
        estimate: &Estimate<'_>,
        worth: &Worth,
        (matching, count): (usize, usize),
        engagement: Option<&Engagement>,
    ) -> Factors {
        let share = (count > 0).then(|| matching as f64 / count as f64);
        let relevance = match engagement {
            Some(found) => found.relevance(share),
            None => share.unwrap_or(RELEVANCE_PRIOR),
        };
        estimate.factors(worth, relevance)
    }
}
