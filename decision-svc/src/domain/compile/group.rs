//! Offers that stand or fall together, ranked beforehand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use formula::program::{Datum, Memory, Register, Why};

use super::{
    Access, CompiledOffer, Scoring,
    interner::{Interned, Interner},
    posting::Key,
};

/// Offers that qualify under the same rules and have the same affinities.
#[derive(Debug)]
pub(crate) struct Group {
    /// The rules that must all hold besides the one that led here.
    pub set: u32,
    /// Their affinities.
    pub affinities: u32,
    /// How many offers it holds.
    pub size: usize,
    /// By number of affinities that hold: the offers, best first, without those that have no score.
    pub orders: Box<[Box<[Place]>]>,
}

/// An offer in the ranking of its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Its score.
    pub score: f64,
    /// Its index among the offers.
    pub offer: u32,
}

/// The groups of a flow.
pub(super) struct Grouped {
    pub sets: Vec<Box<[u32]>>,
    pub groups: Vec<Group>,
    pub always: Vec<u32>,
    pub accesses: Vec<Access>,
}

/// The rule by which a group is found, the rules that remain, and the affinities.
type GroupKey = (Option<u32>, u32, u32);

/// Puts every offer that may qualify into a group.
pub(super) fn grouped(
    offers: &mut [CompiledOffer],
    interner: &Interner<'_>,
    is_qualifying: bool,
    scoring: Scoring,
) -> Grouped {
    let chooser = Chooser::new(offers, interner, is_qualifying);
    let mut sets = Interned::new();
    let mut members: BTreeMap<GroupKey, Vec<u32>> = BTreeMap::new();
    let mut keys = Vec::with_capacity(offers.len());
    for offer in offers.iter() {
        let Ok(program) = &offer.program else {
            keys.push(None);
            continue;
        };
        let key = chooser.remaining(&program.rules).map(|mut rules| {
            let access = chooser.access(&rules);
            rules.retain(|rule| Some(*rule) != access);
            (access, sets.number(rules.into_iter().collect()), program.affinities)
        });
        keys.push(key);
    }
    for (key, offer) in keys.iter().zip(0..) {
        if let Some(key) = key {
            members.entry(*key).or_default().push(offer);
        }
    }
    let numbers: HashMap<GroupKey, u32> = members.keys().copied().zip(0..).collect();
    for (offer, key) in offers.iter_mut().zip(&keys) {
        if let Ok(program) = &mut offer.program {
            program.group = key.and_then(|key| numbers.get(&key).copied());
        }
    }
    let mut grouped = Grouped { sets: sets.all, groups: Vec::new(), always: Vec::new(), accesses: Vec::new() };
    let mut accesses: BTreeMap<Register, Access> = BTreeMap::new();
    for ((access, set, affinities), members) in members {
        let number = grouped.groups.len() as u32;
        let liked = interner.affinities.all.get(affinities as usize).map(|rules| &**rules).unwrap_or_default();
        let orders = orders(&members, offers, liked, scoring);
        grouped.groups.push(Group { set, affinities, size: members.len(), orders });
        match access.and_then(|rule| chooser.equality(rule)) {
            Some((register, keys)) => {
                let access = accesses.entry(register).or_insert_with(|| Access::new(register));
                keys.into_iter().for_each(|key| access.lead(key, number));
            }
            None => grouped.always.push(number),
        }
    }
    grouped.accesses = accesses.into_values().collect();
    grouped
}

/// The members in ranking order, for every number of affinities that may hold.
fn orders(members: &[u32], offers: &[CompiledOffer], affinities: &[u32], scoring: Scoring) -> Box<[Box<[Place]>]> {
    let count = affinities.len();
    let order = |holding: usize| {
        let place = |offer: &u32| {
            let worth = &offers.get(*offer as usize)?.candidate.worth;
            let score = scoring.factors(worth, holding, count).score(&scoring.weights)?;
            Some((worth.priority, Place { score, offer: *offer }))
        };
        let mut places: Vec<(f64, Place)> = members.iter().filter_map(place).collect();
        places.sort_by(|(a_priority, a), (b_priority, b)| {
            // Offers are numbered in the order of their ids.
            b.score.total_cmp(&a.score).then(b_priority.total_cmp(a_priority)).then(a.offer.cmp(&b.offer))
        });
        places.into_iter().map(|(_, place)| place).collect()
    };
    (0..=count).map(order).collect()
}

/// Chooses the rule by which an offer is found: the test for equality that the fewest offers pass.
struct Chooser<'s, 'a> {
    interner: &'s Interner<'a>,
    is_qualifying: bool,
    /// Rules on nothing but what an offer says about itself: whether they hold.
    fixed: HashMap<u32, bool>,
    followers: HashMap<(Register, Key<'s>), usize>,
}

impl<'s, 'a> Chooser<'s, 'a> {
    fn new(offers: &[CompiledOffer], interner: &'s Interner<'a>, is_qualifying: bool) -> Self {
        let mut chooser = Self { interner, is_qualifying, fixed: HashMap::new(), followers: HashMap::new() };
        chooser.fixed = chooser.fixed();
        let programs = offers.iter().filter_map(|offer| offer.program.as_ref().ok());
        let mut followers = HashMap::new();
        for rules in programs.filter_map(|program| chooser.remaining(&program.rules)) {
            for (register, keys) in rules.iter().filter_map(|rule| chooser.equality(*rule)) {
                for key in keys {
                    *followers.entry((register, key)).or_insert(0) += 1;
                }
            }
        }
        chooser.followers = followers;
        chooser
    }

    fn fixed(&self) -> HashMap<u32, bool> {
        let memory = Memory::default();
        let texts = self.interner.constants.texts(&memory);
        let constant = |source: &super::Source| match source {
            super::Source::Constant { value, .. } => Some(*value),
            _ => None,
        };
        let values: Vec<Option<Datum>> = self.interner.sources.iter().map(constant).collect();
        let registers: Vec<Datum> = values.iter().map(|value| value.unwrap_or(Datum::Null(Why::Null))).collect();
        let is_fixed = |register: &Register| values.get(*register as usize).is_some_and(Option::is_some);
        let rules = self.interner.rules.iter().zip(0..);
        let fixed = rules.filter(|(rule, _)| rule.reads().iter().all(is_fixed));
        fixed.map(|(rule, number)| (number, rule.judge(&registers, texts).is == Some(true))).collect()
    }

    /// The rules that depend on the customer, each once; none when one can never hold.
    fn remaining(&self, rules: &[u32]) -> Option<BTreeSet<u32>> {
        if !self.is_qualifying {
            return Some(BTreeSet::new());
        }
        if rules.iter().any(|rule| self.fixed.get(rule) == Some(&false)) {
            return None;
        }
        Some(rules.iter().copied().filter(|rule| !self.fixed.contains_key(rule)).collect())
    }

    /// The register and values of a test for equality with something the customer or the request says.
    fn equality(&self, rule: u32) -> Option<(Register, Vec<Key<'s>>)> {
        let (register, values) = self.interner.rules.get(rule as usize)?.equality()?;
        if !self.interner.sources.get(register as usize)?.is_input() {
            return None;
        }
        let texts = self.interner.constants.constant_texts();
        let mut keys: Vec<Key<'s>> = Vec::with_capacity(values.len());
        for key in values.iter().filter_map(|value| Key::of(*value, texts)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Some((register, keys))
    }

    fn access(&self, rules: &BTreeSet<u32>) -> Option<u32> {
        let found = |rule: &u32| {
            let (register, keys) = self.equality(*rule)?;
            let followers = keys.into_iter().filter_map(|key| self.followers.get(&(register, key)));
            Some((followers.sum::<usize>(), *rule))
        };
        rules.iter().filter_map(found).min().map(|(_, rule)| rule)
    }
}
