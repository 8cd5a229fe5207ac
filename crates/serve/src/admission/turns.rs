//! Who gets a free turn: the rules of admission, without waiting and without a clock.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

/// While others wait, a peer holds at most this part of the turns.
const PEER_PART: usize = 4;
/// This part of the turns is kept for urgent calls, where there are so many.
const URGENT_PART: usize = 8;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The address it comes from.
    pub peer: Option<IpAddr>,
    /// Turns it takes, 1 at least. A call never takes more than a peer's part.
    pub cost: usize,
    /// What it needs besides this process.
    pub needs: Needs,
    /// It is a part of a stream: it is never refused, and takes no place from others.
    pub is_patient: bool,
    /// Consents and outcomes are urgent: they get in while other calls hold all other turns.
    pub is_urgent: bool,
}

/// The store without which a call cannot go on. All calls of a kind hold at most three quarters of
/// the turns, and urgent ones a further eighth, so that a store that hangs leaves turns for other
/// calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Records, offers and what belongs to them.
    Catalog,
    /// Contact rules: decisions need them too.
    Policy,
    /// Outcomes and what was decided.
    Decisions,
    /// Experiments.
    Experiments,
}

impl Needs {
    const COUNT: usize = 4;

    fn place(self) -> usize {
        match self {
            Self::Catalog => 0,
            Self::Policy => 1,
            Self::Decisions => 2,
            Self::Experiments => 3,
        }
    }
}

/// Turns and queue. `T` is what a waiting call is known by.
#[derive(Debug)]
pub struct Turns<T> {
    all: usize,
    waiting_max: usize,
    held: usize,
    /// Of them by calls that are not urgent.
    held_ordinary: usize,
    held_by_peer: HashMap<IpAddr, usize>,
    held_by_need: [usize; Needs::COUNT],
    queue: VecDeque<(Ask, T)>,
}

/// What becomes of a call that comes.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<T> {
    /// It has its turn.
    Granted,
    /// It waits.
    Waits,
    /// It waits, and this call has lost its place.
    WaitsInsteadOf(T),
    /// It is refused.
    Refused,
}

impl<T> Turns<T> {
    /// So many turns, and so many calls that may wait.
    pub fn new(all: usize, waiting_max: usize) -> Self {
        Self {
            all,
            waiting_max,
            held: 0,
            held_ordinary: 0,
            held_by_peer: HashMap::new(),
            held_by_need: [0; Needs::COUNT],
            queue: VecDeque::new(),
        }
    }

    /// The same call with a cost that it can get.
    pub fn bounded(&self, ask: Ask) -> Ask {
        Ask { cost: ask.cost.clamp(1, self.peer_max()), ..ask }
    }

    /// A call comes; `name` is what it is known by while it waits.
    pub fn enter(&mut self, ask: Ask, name: impl FnOnce() -> T) -> Entry<T> {
        if self.queue.is_empty() && self.fits(&ask) {
            self.take(&ask);
            return Entry::Granted;
        }
        // A call before it may wait for something that this one does not need.
        if self.queue.iter().all(|(other, _)| !self.fits(other)) && self.fits(&ask) {
            self.take(&ask);
            return Entry::Granted;
        }
        let places = self.queue.iter().filter(|(ask, _)| !ask.is_patient).count();
        let evicted = match !ask.is_patient && places >= self.waiting_max {
            true => match self.least_deserving(&ask) {
                None => return Entry::Refused,
                at => at.and_then(|at| self.queue.remove(at)),
            },
            false => None,
        };
        self.queue.push_back((ask, name()));
        evicted.map_or(Entry::Waits, |(_, name)| Entry::WaitsInsteadOf(name))
    }

    /// Takes the turn of a call.
    fn take(&mut self, ask: &Ask) {
        self.held += ask.cost;
        if !ask.is_urgent {
            self.held_ordinary += ask.cost;
        }
        if let Some(peer) = ask.peer {
            *self.held_by_peer.entry(peer).or_default() += ask.cost;
        }
        if let Some(held) = self.held_by_need.get_mut(ask.needs.place()) {
            *held += ask.cost;
        }
    }

    /// A call is done.
    pub fn give_back(&mut self, ask: &Ask) {
        self.held = self.held.saturating_sub(ask.cost);
        if !ask.is_urgent {
            self.held_ordinary = self.held_ordinary.saturating_sub(ask.cost);
        }
        if let Some(held) = self.held_by_need.get_mut(ask.needs.place()) {
            *held = held.saturating_sub(ask.cost);
        }
        let Some(peer) = ask.peer else { return };
        if let Some(held) = self.held_by_peer.get_mut(&peer) {
            *held = held.saturating_sub(ask.cost);
            if *held == 0 {
                self.held_by_peer.remove(&peer);
            }
        }
    }

    /// The next waiting call that gets its turn now. Urgent calls are first, then calls of peers
    /// within their part in the order of arrival, then the others.
    pub fn next(&mut self) -> Option<(Ask, T)> {
        let within = |turns: &Self, ask: &Ask| turns.of_peer(ask) + ask.cost <= turns.peer_max();
        let first = |fits: &dyn Fn(&Ask) -> bool| self.queue.iter().position(|(ask, _)| fits(ask));
        let at = first(&|ask| ask.is_urgent && self.fits(ask))
            .or_else(|| first(&|ask| within(self, ask) && self.fits(ask)))
            .or_else(|| first(&|ask| self.fits(ask)))?;
        let (ask, name) = self.queue.remove(at)?;
        self.take(&ask);
        Some((ask, name))
    }

    /// A waiting call leaves.
    pub fn leave(&mut self, is_it: impl Fn(&T) -> bool) {
        self.queue.retain(|(_, name)| !is_it(name));
    }

    /// Calls that wait.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Turns and places.
    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize) {
        (self.all, self.waiting_max)
    }

    fn of_peer(&self, ask: &Ask) -> usize {
        ask.peer.and_then(|peer| self.held_by_peer.get(&peer)).copied().unwrap_or_default()
    }

    fn peer_max(&self) -> usize {
        (self.all / PEER_PART).max(1)
    }

    /// True when there are turns for a call. One alone may always use its own.
    fn fits(&self, ask: &Ask) -> bool {
        let of_need = self.held_by_need.get(ask.needs.place()).copied().unwrap_or_default();
        let reserve = self.all / URGENT_PART;
        let of_urgent = if ask.is_urgent { reserve } else { 0 };
        let need_max = (self.all - self.all / 4 + of_urgent).max(1);
        let ordinary_max = self.all - reserve;
        let fits = |held: usize, most: usize| held == 0 || held + ask.cost <= most;
        self.held + ask.cost <= self.all
            && fits(of_need, need_max)
            && (ask.is_urgent || fits(self.held_ordinary, ordinary_max))
    }

    /// The waiting call that loses its place to a newcomer: the last one of the peer with the most,
    /// if that has more than the newcomer's would have; of an urgent newcomer any that is not.
    fn least_deserving(&self, newcomer: &Ask) -> Option<usize> {
        let mut by_peer: HashMap<Option<IpAddr>, (usize, usize)> = HashMap::new();
        let may_lose = |ask: &Ask| !ask.is_urgent && !ask.is_patient;
        for (at, (ask, _)) in self.queue.iter().enumerate().filter(|(_, (ask, _))| may_lose(ask)) {
            let of_peer = by_peer.entry(ask.peer).or_default();
            *of_peer = (of_peer.0 + 1, at);
        }
        let own = by_peer.get(&newcomer.peer).map_or(0, |(count, _)| *count);
        let (count, at) = by_peer.into_values().max()?;
        (newcomer.is_urgent || count > own + 1).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(peer: u8, needs: Needs) -> Ask {
        let peer = Some(IpAddr::from([127, 0, 0, peer]));
        Ask { peer, cost: 1, needs, is_patient: false, is_urgent: false }
    }

    fn catalog(peer: u8) -> Ask {
        ask(peer, Needs::Catalog)
    }

    fn urgent(peer: u8) -> Ask {
        Ask { is_urgent: true, ..ask(peer, Needs::Decisions) }
    }

    /// Enters calls until one has no turn; how many had one.
    fn fill(turns: &mut Turns<u8>, ask: Ask) -> usize {
        (0..).take_while(|_| turns.enter(ask, || 0) == Entry::Granted).count()
    }

    #[test]
    fn a_peer_alone_uses_all_turns_and_one_that_waits_is_next() {
        let mut turns = Turns::new(16, 100);
        assert_eq!(fill(&mut turns, catalog(1)), 12, "one store");
        assert_eq!(fill(&mut turns, ask(1, Needs::Experiments)), 2, "the reserve is left");
        for _ in 0..50 {
            turns.enter(catalog(1), || 1);
        }
        assert_eq!(turns.enter(catalog(2), || 2), Entry::Waits);
        turns.give_back(&catalog(1));
        let (granted, name) = turns.next().unwrap();
        assert_eq!((granted, name), (catalog(2), 2));
        assert!(turns.next().is_none());
        turns.give_back(&granted);
        assert_eq!(turns.next().unwrap().1, 0, "no other call waits");
    }

    #[test]
    fn when_the_queue_is_full_the_peer_with_most_in_it_loses_a_place() {
        let mut turns = Turns::new(1, 4);
        assert_eq!(turns.enter(catalog(1), || 0), Entry::Granted);
        for name in 1..=4 {
            assert_eq!(turns.enter(catalog(1), || name), Entry::Waits);
        }
        assert_eq!(turns.enter(catalog(1), || 5), Entry::Refused);
        assert_eq!(turns.enter(catalog(2), || 6), Entry::WaitsInsteadOf(4));
        assert_eq!(turns.enter(catalog(2), || 7), Entry::WaitsInsteadOf(3));
        assert_eq!(turns.enter(catalog(2), || 8), Entry::Refused);
        let patient = Ask { is_patient: true, ..catalog(1) };
        assert_eq!(turns.enter(patient, || 9), Entry::Waits);
        assert_eq!(turns.enter(catalog(2), || 10), Entry::Refused, "it takes no place");
        assert_eq!(turns.enter(urgent(1), || 11), Entry::WaitsInsteadOf(7), "it keeps its own");
    }

    #[test]
    fn urgent_calls_have_a_reserve_and_the_first_place() {
        let mut turns = Turns::new(16, 2);
        assert_eq!(fill(&mut turns, catalog(1)) + fill(&mut turns, ask(1, Needs::Policy)), 14);
        assert_eq!(turns.enter(urgent(1), || 1), Entry::Granted);
        assert_eq!(turns.enter(urgent(1), || 1), Entry::Granted);
        assert_eq!(turns.enter(urgent(1), || 3), Entry::WaitsInsteadOf(0));
        turns.give_back(&catalog(1));
        assert_eq!(turns.next().unwrap().0, urgent(1));
    }

    #[test]
    fn a_store_that_hangs_leaves_turns_for_calls_that_do_not_need_it() {
        let mut turns = Turns::new(16, 100);
        assert_eq!(fill(&mut turns, ask(1, Needs::Policy)), 12);
        let withdrawal = Ask { is_urgent: true, ..ask(1, Needs::Policy) };
        assert_eq!(fill(&mut turns, withdrawal), 2, "withdrawals get in, and end before all");
        assert_eq!(turns.enter(catalog(1), || 2), Entry::Granted);
        assert_eq!(turns.enter(urgent(1), || 2), Entry::Granted);
    }

    #[test]
    fn a_cost_is_at_most_a_peers_part_and_counts_until_it_is_given_back() {
        let mut turns: Turns<u8> = Turns::new(16, 0);
        let large = turns.bounded(Ask { cost: 1_000, ..catalog(1) });
        assert_eq!(large.cost, 4);
        assert_eq!(turns.bounded(Ask { cost: 0, ..large }).cost, 1);
        assert_eq!(fill(&mut turns, large), 3);
        turns.give_back(&large);
        assert_eq!(fill(&mut turns, catalog(1)), 4);
        assert_eq!(turns.waiting(), 0);
        let mut one: Turns<u8> = Turns::new(1, 0);
        assert_eq!((one.bounded(large).cost, fill(&mut one, catalog(1))), (1, 1));
    }
}
