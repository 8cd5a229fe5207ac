//! A flow made ready for one catalog: one immutable program of registers, rules and groups of offers. Names are resolved,
//! equal formulas and rules stand once, tests for equality are posting lists, and every group is ranked beforehand. A
//! broken offer spoils itself only.

mod builder;
mod directory;
mod group;
mod interner;
mod posting;
mod source;

use std::{collections::BTreeSet, sync::Arc};

use formula::{
    Moment,
    program::{Constants, Register, RuleProgram},
};

pub(crate) use group::{Group, Lists, Place};
pub(crate) use posting::Access;
pub(crate) use source::{Source, Told};

use crate::domain::{
    flow::{Flow, ScoreMethod, Step, Weights},
    rank::{Factors, PROPENSITY_PRIOR, RELEVANCE_PRIOR, Worth},
    scalar::Fields,
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
    pub(crate) scoring: Scoring,
    pub(crate) sources: Vec<Source>,
    pub(crate) constants: Constants,
    pub(crate) rules: Vec<RuleProgram>,
    /// Rules that must all hold, by number of the set.
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

/// What an answer says about an offer whoever the customer is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// The offer.
    pub offer_id: String,
    /// Its name.
    pub name: String,
    /// Category as the offer names it.
    pub category: String,
    /// Id of the category, when it is stored and active.
    pub category_id: String,
    /// A finer group.
    pub subcategory: String,
    /// Purpose of the contact.
    pub purpose: String,
    /// What one contact costs, in 1/10,000 of the currency.
    pub cost_e4: i64,
    /// What the offer says about its rank.
    pub worth: Worth,
}

/// Computed fields and rules of one offer, by number.
#[derive(Clone, Debug)]
pub struct Program {
    /// In the offer's own order.
    pub(crate) rules: Box<[u32]>,
    pub(crate) affinities: u32,
    pub(crate) shown: u32,
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scoring {
    pub weights: Weights,
    pub is_by_priority: bool,
}

/// What a program reads.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The customer's record.
    pub record: &'a Fields,
    /// The request's attributes.
    pub attributes: &'a Fields,
    /// Now and here.
    pub moment: &'a Moment,
}

impl CompiledFlow {
    /// Compiles `flow` for a catalog.
    pub fn compile(flow: Flow, id: &str, name: &str, revision: i64, catalog: &Catalog) -> Self {
        let directory = directory::Directory::new(&flow, catalog);
        let mut interner = interner::Interner::new(&directory);
        let active = || catalog.offers.values().filter(|offer| offer.is_active);
        let mut offers = Vec::new();
        for offer in active() {
            let (own, is_wanted) = directory.place(&offer.category);
            if is_wanted {
                let category_id = own.map(|own| directory.id(own)).unwrap_or_default();
                let program = builder::program(&mut interner, offer, own);
                offers.push(CompiledOffer { candidate: Arc::new(Candidate::new(offer, category_id)), program });
            }
        }
        let scoring = Scoring::of(&flow);
        let grouped = group::grouped(&mut offers, &interner, flow.has("qualify"), scoring);
        let fields_read = fields_read(&offers, &interner);
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            catalog_revision: catalog.revision,
            revision,
            offers_in_all: active().count(),
            invalid: offers.iter().filter(|offer| offer.program.is_err()).count(),
            offers,
            fields_read,
            scoring,
            flow,
            sources: interner.sources,
            constants: interner.constants,
            rules: interner.rules,
            affinities: interner.affinities.all,
            shown: interner.shown.all,
            sets: grouped.sets,
            orders: grouped.orders,
            groups: grouped.groups,
            always: grouped.always,
            accesses: grouped.accesses,
            spares: Spares::default(),
        }
    }
}

/// Record fields that offers with applicable rules read.
fn fields_read(offers: &[CompiledOffer], interner: &interner::Interner<'_>) -> BTreeSet<String> {
    let programs = || offers.iter().filter_map(|offer| offer.program.as_ref().ok());
    let affinities: BTreeSet<u32> = programs().map(|program| program.affinities).collect();
    let shown: BTreeSet<u32> = programs().map(|program| program.shown).collect();
    let mut rules: BTreeSet<u32> = programs().flat_map(|program| program.rules.iter().copied()).collect();
    rules.extend(affinities.iter().filter_map(|list| interner.affinities.all.get(*list as usize)).flatten());
    let rules = rules.iter().filter_map(|rule| interner.rules.get(*rule as usize));
    let mut registers: BTreeSet<Register> = rules.flat_map(|rule| rule.reads().iter().copied()).collect();
    let shown = shown.iter().filter_map(|list| interner.shown.all.get(*list as usize)).flatten();
    registers.extend(shown.map(|shown| shown.register));
    let needs = |register: &Register| match interner.sources.get(*register as usize) {
        Some(Source::Computed { needs, .. }) => needs.to_vec(),
        _ => vec![*register],
    };
    let inputs: BTreeSet<Register> = registers.iter().flat_map(needs).collect();
    let sources = inputs.iter().filter_map(|register| interner.sources.get(*register as usize));
    sources.filter_map(Source::record_field).map(str::to_owned).collect()
}

impl Candidate {
    /// What is known of an offer.
    pub fn new(offer: &Offer, category_id: &str) -> Self {
        Self {
            offer_id: offer.id.clone(),
            name: offer.name.clone(),
            category: offer.category.clone(),
            category_id: category_id.to_owned(),
            subcategory: offer.subcategory.clone(),
            purpose: offer.purpose.clone(),
            cost_e4: offer.cost_e4,
            worth: Worth::of(offer),
        }
    }
}

impl Scoring {
    /// As the flow says.
    fn of(flow: &Flow) -> Self {
        let weights = flow.nodes.iter().find_map(|node| match node.step {
            Step::Rank(weights) => Some(weights),
            _ => None,
        });
        let is_by_priority = flow.nodes.iter().any(|node| node.step == Step::Score(ScoreMethod::Priority));
        Self { weights: weights.unwrap_or_default(), is_by_priority }
    }

    /// The propensity of an offer, and where it comes from.
    pub fn propensity(&self, worth: &Worth) -> (f64, &'static str) {
        if self.is_by_priority {
            return (worth.priority / 100.0, "priority of the offer");
        }
        (PROPENSITY_PRIOR, "prior: no data")
    }

    /// The factors of an offer when `holding` of `count` affinities hold.
    pub fn factors(&self, worth: &Worth, holding: usize, count: usize) -> Factors {
        let relevance = if count == 0 { RELEVANCE_PRIOR } else { holding as f64 / count as f64 };
        Factors::of(worth, self.propensity(worth).0, relevance)
    }
}
