//! Offers that qualify under the same rules, ranked beforehand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use formula::program::{
    Check, Inputs, Memory, Record, Register, Registers, RuleProgram, Why, Word,
};

use super::{
    Access, CompiledOffer, Scoring,
    interner::{Interned, Interner},
    posting::Key,
};
use crate::domain::rank::Place;

/// Offers that qualify under the same rules and have the same affinities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// The rules that must all be true besides the one that led here.
    pub set: u32,
    /// The flow's own rules, which must all be true.
    pub filters: u32,
    /// Their affinities.
    pub affinities: u32,
    /// Number of its offers.
    pub size: u32,
    /// Its first order, for no affinity that is true; the order for each further one follows. The
    /// only one, by id and without scores, when its members are ranked one by one.
    pub order: u32,
}

/// Lists of one kind, one after the other in one piece of memory.
#[derive(Debug)]
pub(crate) struct Lists<T> {
    items: Vec<T>,
    /// Where the first list begins and each list ends.
    bounds: Vec<u32>,
}

impl<T> Lists<T> {
    /// No list yet.
    pub fn new() -> Self {
        Self { items: Vec::new(), bounds: vec![0] }
    }

    /// Adds a list; its number.
    pub fn add(&mut self, items: impl IntoIterator<Item = T>) -> u32 {
        self.items.extend(items);
        self.bounds.push(self.items.len() as u32);
        (self.bounds.len() - 2) as u32
    }

    /// The list of a number.
    pub fn get(&self, number: u32) -> &[T] {
        self.between(self.bounds(number))
    }

    /// Where the list of a number begins and ends.
    pub fn bounds(&self, number: u32) -> (u32, u32) {
        let bounds = self.bounds.get(number as usize..).and_then(|bounds| bounds.first_chunk());
        bounds.map_or((0, 0), |[from, to]| (*from, *to))
    }

    /// The list that begins and ends there.
    pub fn between(&self, (from, to): (u32, u32)) -> &[T] {
        self.items.get(from as usize..to as usize).unwrap_or_default()
    }

    /// How many lists there are.
    pub fn len(&self) -> usize {
        self.bounds.len() - 1
    }
}

impl<T: Copy> FromIterator<Box<[T]>> for Lists<T> {
    fn from_iter<I: IntoIterator<Item = Box<[T]>>>(all: I) -> Self {
        let mut lists = Self::new();
        for list in all {
            lists.add(list);
        }
        lists
    }
}

/// The groups of a flow.
pub(super) struct Grouped {
    pub checks: Lists<Check>,
    pub sets: Lists<u32>,
    pub orders: Lists<Place>,
    pub groups: Vec<Group>,
    pub always: Vec<u32>,
    pub accesses: Vec<Access>,
}

/// The rule by which a group is found, the rules that remain, the flow's own, and the affinities.
type GroupKey = (Option<u32>, u32, u32, u32);

/// Puts every offer that may qualify into a group.
pub(super) fn grouped(
    offers: &mut [CompiledOffer],
    interner: &Interner<'_>,
    is_qualifying: bool,
    scoring: &Scoring,
    is_walked: bool,
) -> Grouped {
    let chooser = Chooser::new(offers, interner, is_qualifying);
    let mut sets: Interned<Box<[u32]>> = Interned::lists();
    let keys = keys(offers, &chooser, &mut sets);
    let members = members(offers, &keys);
    let mut grouped = Grouped {
        checks: Lists::new(),
        sets: Lists::new(),
        orders: Lists::new(),
        groups: Vec::with_capacity(members.len()),
        always: Vec::new(),
        accesses: Vec::new(),
    };
    for set in sets.all {
        let (checks, rules) = split(&set, &interner.rules);
        grouped.checks.add(checks);
        grouped.sets.add(rules);
    }
    let mut leads: BTreeMap<Register, BTreeMap<Key, Vec<u32>>> = BTreeMap::new();
    for ((access, set, filters, affinities), members) in members {
        let number = grouped.groups.len() as u32;
        let order = grouped.orders.len() as u32;
        if is_walked {
            let place = |offer: &u32| Place { score: 0.0, priority: 0.0, offer: *offer };
            grouped.orders.add(members.iter().map(place));
        } else {
            let liked = interner.affinities.all.get(affinities as usize);
            let count = liked.map_or(0, |rules| rules.len());
            for matching in 0..=count {
                grouped.orders.add(ranking(&members, offers, matching, count, scoring));
            }
        }
        let size = members.len() as u32;
        grouped.groups.push(Group { set, filters, affinities, size, order });
        match access.and_then(|rule| chooser.equality(rule)) {
            Some((register, keys)) => {
                let leads = leads.entry(register).or_default();
                keys.into_iter().for_each(|key| leads.entry(key).or_default().push(number));
            }
            None => grouped.always.push(number),
        }
    }
    grouped.accesses =
        leads.into_iter().map(|(register, leads)| Access::new(register, leads)).collect();
    grouped
}

/// The group of every offer; none when its rules cannot be applied, or can never be true.
fn keys(
    offers: &[CompiledOffer],
    chooser: &Chooser<'_, '_>,
    sets: &mut Interned<Box<[u32]>>,
) -> Vec<Option<GroupKey>> {
    let key = |offer: &CompiledOffer| {
        let program = offer.program.as_ref().ok()?;
        let mut rules = chooser.remaining(&program.rules)?;
        let access = chooser.access(&rules);
        rules.retain(|rule| Some(*rule) != access);
        let filters: BTreeSet<u32> = program.filters.iter().copied().collect();
        let set = sets.number(rules.into_iter().collect());
        let filters = sets.number(filters.into_iter().collect());
        Some((access, set, filters, program.affinities))
    };
    offers.iter().map(key).collect()
}

/// The offers of every group. Each offer's program gets the number of its group.
fn members(
    offers: &mut [CompiledOffer],
    keys: &[Option<GroupKey>],
) -> BTreeMap<GroupKey, Vec<u32>> {
    let mut members: BTreeMap<GroupKey, Vec<u32>> = BTreeMap::new();
    for (key, offer) in keys.iter().zip(0..) {
        if let Some(key) = key {
            members.entry(*key).or_default().push(offer);
        }
    }
    let numbers: HashMap<GroupKey, u32> = members.keys().copied().zip(0..).collect();
    for (offer, key) in offers.iter_mut().zip(keys) {
        if let Ok(program) = &mut offer.program {
            program.group = key.and_then(|key| numbers.get(&key).copied());
        }
    }
    members
}

/// The rules of a set that are simple comparisons, those with one register's number as one; and the
/// others.
fn split(set: &[u32], rules: &[RuleProgram]) -> (Vec<Check>, Vec<u32>) {
    let (mut checks, mut others): (Vec<Check>, Vec<u32>) = (Vec::new(), Vec::new());
    for number in set {
        let Some(check) = rules.get(*number as usize).and_then(RuleProgram::check) else {
            others.push(*number);
            continue;
        };
        match checks.iter_mut().find_map(|other| Some((other.and(&check)?, other))) {
            Some((both, other)) => *other = both,
            None => checks.push(check),
        }
    }
    (checks, others)
}

/// The members in ranking order when `matching` of `count` affinities are true, without those that
/// have no score.
fn ranking(
    members: &[u32],
    offers: &[CompiledOffer],
    matching: usize,
    count: usize,
    scoring: &Scoring,
) -> Vec<Place> {
    let place = |offer: &u32| {
        let candidate = &offers.get(*offer as usize)?.candidate;
        let (estimate, worth) = (scoring.method.estimate(candidate, |_| None), &candidate.worth);
        let factors = scoring.factors(&estimate, worth, (matching, count), None);
        let score = factors.score(&scoring.weights)?;
        Some(Place { score, priority: worth.priority, offer: *offer })
    };
    let mut places: Vec<Place> = members.iter().filter_map(place).collect();
    places.sort_by(Place::order);
    places
}

/// Chooses the rule by which an offer is found: the test for equality that the fewest offers pass.
struct Chooser<'s, 'a> {
    interner: &'s Interner<'a>,
    is_qualifying: bool,
    /// Rules on nothing but what an offer says about itself: whether they are true.
    fixed: HashMap<u32, bool>,
    followers: HashMap<(Register, Key), usize>,
}

impl<'s, 'a> Chooser<'s, 'a> {
    fn new(offers: &[CompiledOffer], interner: &'s Interner<'a>, is_qualifying: bool) -> Self {
        let mut chooser =
            Self { interner, is_qualifying, fixed: HashMap::new(), followers: HashMap::new() };
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
        let (record, memory) = (Record::default(), Memory::default());
        let texts = self.interner.constants.texts(&record, &memory);
        let constant = |source: &super::Source| match source {
            super::Source::Constant { value, .. } => Some(*value),
            _ => None,
        };
        let values: Vec<Option<Word>> = self.interner.sources.iter().map(constant).collect();
        let registers: Registers =
            values.iter().map(|value| value.unwrap_or(Word::null(Why::Null))).collect();
        let inputs = Inputs { record: &record, registers: &registers };
        let is_fixed =
            |register: &Register| values.get(*register as usize).is_some_and(Option::is_some);
        let rules = self.interner.rules.iter().zip(0..);
        let fixed = rules.filter(|(rule, _)| rule.reads().iter().all(is_fixed));
        fixed.map(|(rule, number)| (number, rule.judge(inputs, texts).is == Some(true))).collect()
    }

    /// The rules that depend on the customer, each once; none when one can never be true.
    fn remaining(&self, rules: &[u32]) -> Option<BTreeSet<u32>> {
        if !self.is_qualifying {
            return Some(BTreeSet::new());
        }
        if rules.iter().any(|rule| self.fixed.get(rule) == Some(&false)) {
            return None;
        }
        Some(rules.iter().copied().filter(|rule| !self.fixed.contains_key(rule)).collect())
    }

    /// The register and values of a test for equality with something the customer or the request
    /// says.
    fn equality(&self, rule: u32) -> Option<(Register, Vec<Key>)> {
        let (register, values) = self.interner.rules.get(rule as usize)?.equality()?;
        if Record::field(register).is_none()
            && !self.interner.sources.get(register as usize)?.is_attribute()
        {
            return None;
        }
        let mut keys: Vec<Key> = Vec::with_capacity(values.len());
        for key in values.iter().filter_map(|value| Word::from(*value).key()) {
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
