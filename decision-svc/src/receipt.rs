//! Receive instants of outcomes in flight, and the instant up to which none is in flight.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use serve::{Clock, Stopwatch};

/// Outcomes of this process that were received and are not yet recorded or refused. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Receipts {
    clock: Clock,
    /// How many by instant of receipt.
    open: Arc<Mutex<BTreeMap<DateTime<Utc>, usize>>>,
}

/// A receipt; dropped when its outcomes are recorded or refused.
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
        Self { clock, open: Arc::default() }
    }

    /// Receives something now.
    pub fn receive(&self) -> Receipt {
        // The clock is read under the lock: a later `settled_through` sees this receipt, an earlier
        // one has returned an earlier instant.
        let mut open = self.lock();
        let at = self.clock.now();
        *open.entry(at).or_default() += 1;
        Receipt { at, since: self.clock.stopwatch(), receipts: self.clone() }
    }

    /// The last instant up to which everything received is recorded or refused.
    pub fn settled_through(&self) -> DateTime<Utc> {
        let open = self.lock();
        let now = self.clock.now();
        open.keys().next().map_or(now, |oldest| now.min(*oldest - TimeDelta::microseconds(1)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DateTime<Utc>, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let mut open = self.receipts.lock();
        match open.get_mut(&self.at) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(open.remove(&self.at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_on_its_way_is_counted_as_settled() {
        let at = serve::from_micros;
        let clock = Clock::fixed(at(10));
        let receipts = Receipts::new(clock.clone());
        assert_eq!(receipts.settled_through(), at(10));
        let (first, twin) = (receipts.receive(), receipts.receive());
        clock.set(at(20));
        let later = receipts.receive();
        assert_eq!(receipts.settled_through(), at(9));
        drop(first);
        assert_eq!(receipts.settled_through(), at(9));
        drop(twin);
        assert_eq!(receipts.settled_through(), at(19));
        drop(later);
        assert_eq!(receipts.settled_through(), at(20));
    }
}
