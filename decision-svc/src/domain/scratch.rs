//! Memory of an evaluation, reused by the next one of any flow. What an earlier evaluation left in
//! it has no effect: every value carries the number of its evaluation.

use std::{cmp::Ordering, collections::BinaryHeap};

use formula::program::{Inputs, Memory, Record, Registers};

use crate::domain::rank::Place;

/// Memory of a plan.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The customer's record, as the flow takes it in.
    pub record: Record,
    /// What the evaluation fills.
    pub scratch: Scratch,
}

/// Bytes of texts up to which a workspace is kept for the next plan.
pub const WORKSPACE_BYTES_MAX: usize = 256 * 1024;

impl Workspace {
    /// Bytes that its texts take up.
    pub fn texts_size(&self) -> usize {
        self.record.size() + self.scratch.memory.size()
    }
}

/// Memory of one evaluation.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) memory: Memory,
    pub(super) registers: Registers,
    /// By rule: whether it is true.
    pub(super) rules: Stamps,
    /// By set of rules: whether all are true.
    pub(super) sets: Stamps,
    /// By list of affinities: how many are true.
    pub(super) affinities: Stamps,
    /// By group whose offers qualify: whether the flow's own rules let them through.
    pub(super) groups: Stamps,
    pub(super) passing: Vec<Passing>,
    /// Offers that do not go the way of their group, by number.
    pub(super) exceptions: Vec<(u32, Exception)>,
    pub(super) ahead: BinaryHeap<Ahead>,
    pub(super) best: Vec<Best>,
}

/// How many of each thing a flow has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub registers: usize,
    pub rules: usize,
    pub sets: usize,
    pub affinities: usize,
    pub groups: usize,
}

/// Small numbers that are valid for one evaluation.
#[derive(Debug, Default)]
pub(super) struct Stamps(Vec<(u32, u32)>);

/// A group that qualifies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing {
    /// Number of its offers.
    pub size: u32,
    /// Affinities that are true.
    pub matching: u32,
    /// Bounds of its offers' order: best first, or by id when they are ranked one by one. Empty
    /// when it is left out.
    pub order: (u32, u32),
    /// The flow's own rules leave it out.
    pub is_filtered: bool,
}

/// Why an offer does not go the way of its group; the first of several counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exception {
    /// Excluded by the request.
    Excluded,
    /// Outside its schedule.
    Closed,
    /// Mandatory, and ranked above the others.
    Mandatory,
    /// Mandatory, and left out by the flow's own rules.
    MandatoryFiltered,
    /// Mandatory, and left out by the sieve of this number.
    MandatorySifted(usize),
}

/// An offer among the best.
#[derive(Clone, Copy, Debug)]
pub struct Best {
    pub(super) place: Place,
    /// Affinities that are true.
    pub(super) matching: u32,
    /// It ranks above the others.
    pub(super) is_mandatory: bool,
}

impl Best {
    /// Its index among the offers.
    pub fn offer(&self) -> usize {
        self.place.offer as usize
    }

    /// The rank score.
    pub fn score(&self) -> f64 {
        self.place.score
    }
}

/// An offer among the best so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    pub place: Place,
    /// Affinities that are true.
    pub matching: u32,
}

impl Ord for Ahead {
    /// The worst is the greatest, so that a heap gives it up first.
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.order(&other.place)
    }
}

impl PartialOrd for Ahead {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ahead {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ahead {}

impl Scratch {
    /// Forgets the last evaluation and keeps the room. It grows to the largest flow it serves.
    pub(super) fn begin(&mut self, room: Room) {
        if self.registers.count() < room.registers {
            self.registers.resize(room.registers);
        }
        self.rules.grow(room.rules);
        self.sets.grow(room.sets);
        self.affinities.grow(room.affinities);
        self.groups.grow(room.groups);
        if self.registers.begin() {
            for stamps in [&mut self.rules, &mut self.sets, &mut self.affinities, &mut self.groups]
            {
                stamps.0.fill((0, 0));
            }
        }
        self.memory.clear();
        self.passing.clear();
        self.exceptions.clear();
        self.ahead.clear();
        self.best.clear();
    }

    /// What programs read, beside a record.
    pub(super) fn inputs<'a>(&'a self, record: &'a Record) -> Inputs<'a> {
        Inputs { record, registers: &self.registers }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.registers.epoch()
    }

    /// Why the offer does not go the way of its group, if it does not.
    pub(super) fn exception(&self, offer: u32) -> Option<Exception> {
        exception_of(&self.exceptions, offer)
    }
}

/// Why an offer is among the exceptions, if it is.
pub(super) fn exception_of(exceptions: &[(u32, Exception)], offer: u32) -> Option<Exception> {
    let found = exceptions.binary_search_by_key(&offer, |(exception, _)| *exception).ok();
    found.and_then(|index| exceptions.get(index)).map(|(_, why)| *why)
}

impl Stamps {
    /// So many at least; new ones are of no evaluation.
    fn grow(&mut self, count: usize) {
        if self.0.len() < count {
            self.0.resize(count, (0, 0));
        }
    }

    /// What was noted in this evaluation.
    pub fn get(&self, number: u32, epoch: u32) -> Option<u32> {
        self.0.get(number as usize).filter(|(stamp, _)| *stamp == epoch).map(|(_, noted)| *noted)
    }

    /// Notes it for this evaluation.
    pub fn note(&mut self, number: u32, epoch: u32, noted: u32) {
        if let Some(place) = self.0.get_mut(number as usize) {
            *place = (epoch, noted);
        }
    }
}
