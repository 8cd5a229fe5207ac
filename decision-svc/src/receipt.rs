//! Instants of what is in flight, and the instant up to which nothing is in flight: outcomes from
//! their receipt, decisions from before they take their instant.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use serve::{Clock, Stopwatch};

/// Outcomes and decisions of this process that are not yet recorded or refused. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Receipts {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// How many are open, by instant.
    open: BTreeMap<DateTime<Utc>, usize>,
    /// No receipt is before this instant: everything before it may be counted already, also when
    /// the clock was set back.
    not_before: DateTime<Utc>,
}

/// A receipt; dropped when its outcomes or decisions are recorded or refused.
#[derive(Debug)]
pub struct Receipt {
    /// The instant of receipt.
    pub at: DateTime<Utc>,
    since: Stopwatch,
    receipts: Receipts,
}

impl Receipt {
    /// True when it is open for longer than a request may take.
    pub fn is_overdue(&self) -> bool {
        self.since.elapsed() >= serve::REQUEST_TIMEOUT
    }
}

impl Receipts {
    /// None yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Arc::default() }
    }

    /// Receives something now, or at the first instant that is not counted yet.
    pub fn receive(&self) -> Receipt {
        // The clock is read under the lock: a later `settled_through` sees this receipt, an earlier
        // one has returned an earlier instant.
        let mut state = self.lock();
        let at = self.clock.now().max(state.not_before);
        *state.open.entry(at).or_default() += 1;
        Receipt { at, since: self.clock.stopwatch(), receipts: self.clone() }
    }

    /// From now on nothing is received before the instant after `counted`.
    pub fn begin_after(&self, counted: DateTime<Utc>) {
        let mut state = self.lock();
        state.not_before = state.not_before.max(counted + TimeDelta::microseconds(1));
    }

    /// The last instant up to which everything received is recorded or refused. What is received
    /// from now on is received later than that.
    pub fn settled_through(&self) -> DateTime<Utc> {
        let mut state = self.lock();
        let next = self.clock.now().max(state.not_before);
        let oldest = state.open.keys().next().map_or(next, |oldest| next.min(*oldest));
        state.not_before = state.not_before.max(oldest);
        oldest - TimeDelta::microseconds(1)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let mut state = self.receipts.lock();
        match state.open.get_mut(&self.at) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(state.open.remove(&self.at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> DateTime<Utc> {
        serve::from_micros(micros)
    }

    #[test]
    fn nothing_on_its_way_is_counted_as_settled() {
        let clock = Clock::fixed(at(10));
        let receipts = Receipts::new(clock.clone());
        // Something may still be received in this very instant.
        assert_eq!(receipts.settled_through(), at(9));
        let (first, twin) = (receipts.receive(), receipts.receive());
        assert_eq!((first.at, twin.at), (at(10), at(10)));
        clock.set(at(20));
        let later = receipts.receive();
        assert_eq!(receipts.settled_through(), at(9));
        drop(first);
        assert_eq!(receipts.settled_through(), at(9));
        drop(twin);
        assert_eq!(receipts.settled_through(), at(19));
        drop(later);
        assert_eq!(receipts.settled_through(), at(19));
        clock.set(at(21));
        assert_eq!(receipts.settled_through(), at(20));
    }

    #[test]
    fn a_clock_that_is_set_back_brings_nothing_behind_what_is_settled() {
        let clock = Clock::fixed(at(1_000));
        let receipts = Receipts::new(clock.clone());
        assert_eq!(receipts.settled_through(), at(999));
        clock.set(at(5));
        let receipt = receipts.receive();
        assert_eq!((receipt.at, receipts.settled_through()), (at(1_000), at(999)));
        drop(receipt);
        assert_eq!(receipts.settled_through(), at(999));
    }

    /// Another process, whose clock is ahead, has counted already.
    #[test]
    fn a_process_that_starts_receives_after_what_is_counted() {
        let clock = Clock::fixed(at(10));
        let receipts = Receipts::new(clock.clone());
        receipts.begin_after(at(50));
        assert_eq!(receipts.receive().at, at(51));
        assert_eq!(receipts.settled_through(), at(50));
        clock.set(at(60));
        receipts.begin_after(at(20));
        assert_eq!((receipts.receive().at, receipts.settled_through()), (at(60), at(59)));
    }
}
