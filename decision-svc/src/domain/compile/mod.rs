//! A flow made ready for one catalog: one immutable program of registers, rules and groups of
//! offers. Names are resolved, equal formulas and rules stand once, tests for equality are posting
//! lists, and every group is ranked beforehand. A broken offer spoils itself only.

mod builder;
mod directory;
mod group;
mod interner;
mod posting;
mod source;

use std::{collections::BTreeSet, ops::Deref, sync::Arc};

use chrono::{DateTime, Utc};

use formula::{
    Moment,
    program::{Check, Constants, Record, Register, RuleProgram},
};

pub(crate) use builder::literal_type;
pub(crate) use group::{Group, Lists, Place};
pub(crate) use interner::EMPTY;
pub(crate) use posting::Access;
pub(crate) use source::{Field, Source, Told};

use crate::domain::{
    creative::{self, ReadyCreative, Surface},
    flow::{Flow, NamedModel, ScoreMethod, Weights},
    metric::{Metric, Metrics},
    offer_subject::OfferSubject,
    rank::{Factors, PROPENSITY_PRIOR, RELEVANCE_PRIOR, Worth},
    scalar::Fields,
    schedule::{Mandate, Schedule},
    scratch::Spares,
    snapshot::{Catalog, Offer},
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
    /// Active offers before the inventory chose.
    pub offers_in_all: usize,
    /// Active offers of the inventory, by id.
    pub offers: Vec<CompiledOffer>,
    /// Record fields that rules and formulas read.
    pub fields_read: BTreeSet<String>,
    /// Metrics in use that rules and formulas read.
    pub metrics_read: Vec<Metric>,
    pub(crate) scoring: Scoring,
    /// What the registers of the record are filled with.
    pub(crate) fields: Vec<Field>,
    /// Their numbers in the order in which a record has them.
    pub(crate) fields_by_key: Vec<usize>,
    /// What the other registers are filled with.
    pub(crate) sources: Vec<Source>,
    pub(crate) constants: Constants,
    pub(crate) rules: Vec<RuleProgram>,
    /// Comparisons that must all hold, by number of the set.
    pub(crate) checks: Lists<Check>,
    /// Further rules that must all hold, by number of the set.
    pub(crate) sets: Lists<u32>,
    /// Rules of which the share that holds is the relevance, by number of the list.
    pub(crate) affinities: Vec<Box<[u32]>>,
    /// Rankings of the groups.
    pub(crate) orders: Lists<Place>,
    /// Computed fields by number of the list.
    pub(crate) shown: Vec<Box<[Shown]>>,
    pub(crate) groups: Vec<Group>,
    /// Groups that no posting list leads to.
    pub(crate) always: Vec<u32>,
    pub(crate) accesses: Vec<Access>,
    /// Offers whose rules cannot be applied.
    pub(crate) invalid: usize,
    /// Offers are scored, or matched with creatives, one by one.
    pub(crate) is_walked: bool,
    /// Creatives of the offers, in the same order; empty when the flow matches none.
    pub(crate) creatives: Vec<Vec<Arc<ReadyCreative>>>,
    /// Offers that are not always offered.
    pub(crate) scheduled: Vec<(u32, Schedule)>,
    /// Mandatory offers until when, best first.
    pub(crate) mandates: Vec<(u32, DateTime<Utc>)>,
    pub(crate) spares: Spares,
}

/// An offer ready to be judged.
#[derive(Debug)]
pub struct CompiledOffer {
    /// What the answer says about it.
    pub candidate: Arc<Candidate>,
    /// What to evaluate; or why its rules cannot be.
    pub program: Result<Program, String>,
}

/// What an answer says about an offer, the same for every customer. Reads as its subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// What it is about.
    pub subject: OfferSubject,
    /// Its name.
    pub name: String,
    /// What the offer says about its rank.
    pub worth: Worth,
    /// When it may be offered.
    pub schedule: Schedule,
    /// Puts it above the others.
    pub mandate: Option<Mandate>,
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
    /// What the flow's formula gives.
    pub(crate) score: Option<Register>,
    /// None when a rule can never hold.
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
    pub method: Method,
    /// Where the propensity comes from, for the trace.
    pub source: Arc<str>,
}

/// Where propensities come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Prior,
    Priority,
    /// The offer's score register.
    Formula,
}

/// What a program reads.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The customer's record.
    pub record: &'a Fields,
    /// The request's attributes.
    pub attributes: &'a Fields,
    /// The customer's behavioral metrics.
    pub metrics: &'a Metrics,
    /// Where the offer will stand.
    pub surface: &'a Surface,
    /// Now and here.
    pub moment: &'a Moment,
}

impl<'a> Facts<'a> {
    /// Facts without metrics, channel and placement.
    pub fn of_record(record: &'a Fields, attributes: &'a Fields, moment: &'a Moment) -> Self {
        static METRICS: Metrics = Metrics::new();
        static SURFACE: Surface = Surface { channel: None, placement: String::new() };
        Self { record, attributes, metrics: &METRICS, surface: &SURFACE, moment }
    }
}

impl CompiledFlow {
    /// Compiles `flow` for a catalog.
    pub fn compile(flow: Flow, id: &str, name: &str, revision: i64, catalog: &Catalog) -> Self {
        let directory = directory::Directory::new(&flow, catalog);
        let mut interner = interner::Interner::new(&directory);
        let active = || catalog.offers.values().filter(|offer| offer.is_active);
        let mut offers = Vec::new();
        let asked = builder::Asked { flow: &flow, score: flow.score_formula() };
        for offer in active() {
            let (own, is_wanted) = directory.place(&offer.category);
            if is_wanted {
                let category_id = own.map(|own| directory.id(own)).unwrap_or_default();
                let program = builder::program(&mut interner, offer, own, asked);
                offers.push(CompiledOffer {
                    candidate: Arc::new(Candidate::new(offer, category_id)),
                    program,
                });
            }
        }
        let scoring = Scoring::of(&flow);
        let is_walked = scoring.method == Method::Formula || flow.creative_match().is_some();
        let grouped =
            group::grouped(&mut offers, &interner, flow.has("qualify"), &scoring, is_walked);
        let inputs = inputs_read(&offers, &interner);
        let fields =
            inputs.iter().filter_map(|register| interner.fields.get(Record::field(*register)?));
        let fields_read = fields.map(|field| field.key.clone()).collect();
        let sources = inputs.iter().filter_map(|register| interner.sources.get(*register as usize));
        let metrics =
            sources.filter_map(Source::metric_key).filter_map(|key| catalog.metrics.get(key));
        let metrics_read = metrics.filter(|metric| metric.is_active).cloned().collect();
        let creatives = creatives(&flow, &offers, catalog);
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            catalog_revision: catalog.revision,
            revision,
            offers_in_all: active().count(),
            invalid: offers.iter().filter(|offer| offer.program.is_err()).count(),
            scheduled: scheduled(&offers),
            mandates: mandates(&offers),
            offers,
            fields_read,
            metrics_read,
            scoring,
            is_walked,
            creatives,
            flow,
            fields_by_key: source::by_key(&interner.fields),
            fields: interner.fields,
            sources: interner.sources,
            constants: interner.constants,
            rules: interner.rules,
            affinities: interner.affinities.all,
            shown: interner.shown.all,
            checks: grouped.checks,
            sets: grouped.sets,
            orders: grouped.orders,
            groups: grouped.groups,
            always: grouped.always,
            accesses: grouped.accesses,
            spares: Spares::default(),
        }
    }
}

/// The creatives of each offer.
fn creatives(
    flow: &Flow,
    offers: &[CompiledOffer],
    catalog: &Catalog,
) -> Vec<Vec<Arc<ReadyCreative>>> {
    if flow.creative_match().is_none() {
        return Vec::new();
    }
    let mut ready = creative::ready(catalog);
    let of =
        |offer: &CompiledOffer| ready.remove(offer.candidate.offer_id.as_str()).unwrap_or_default();
    offers.iter().map(of).collect()
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

/// Registers of all that offers with applicable rules read, and of what these need.
fn inputs_read(offers: &[CompiledOffer], interner: &interner::Interner<'_>) -> BTreeSet<Register> {
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
    registers.extend(programs().filter_map(|program| program.score));
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

impl Deref for Candidate {
    type Target = OfferSubject;

    fn deref(&self) -> &OfferSubject {
        &self.subject
    }
}

impl Candidate {
    /// What is known of an offer.
    pub fn new(offer: &Offer, category_id: &str) -> Self {
        Self {
            subject: OfferSubject::of(offer, category_id),
            name: offer.name.clone(),
            worth: Worth::of(offer),
            schedule: offer.schedule,
            mandate: offer.mandate.clone(),
        }
    }
}

impl Scoring {
    /// As the flow says.
    fn of(flow: &Flow) -> Self {
        let (method, source) = match flow.score_method() {
            ScoreMethod::Priority => (Method::Priority, "priority of the offer"),
            ScoreMethod::Formula(_) => (Method::Formula, "formula of the flow"),
            ScoreMethod::Model(NamedModel { found: Some(found), .. }) => {
                (Method::Formula, found.title.as_str())
            }
            ScoreMethod::Model(_) => (Method::Prior, "prior: no model"),
            ScoreMethod::Propensity => (Method::Prior, "prior: no data"),
        };
        Self { weights: flow.weights(), method, source: source.into() }
    }

    /// The factors of an offer of which the formula, if there is one, gives `estimate`, when
    /// `holding` of `count` affinities hold.
    pub fn factors(
        &self,
        worth: &Worth,
        estimate: Option<f64>,
        (holding, count): (usize, usize),
    ) -> Factors {
        let propensity = match self.method {
            Method::Prior => PROPENSITY_PRIOR,
            Method::Priority => worth.priority / 100.0,
            Method::Formula => estimate.unwrap_or(f64::NAN),
        };
        let relevance = if count == 0 { RELEVANCE_PRIOR } else { holding as f64 / count as f64 };
        Factors::of(worth, propensity, relevance)
    }
}
